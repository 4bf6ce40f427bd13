"""Who gets what opens a share: its own addresses, and nobody that a share sends us to."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from packager_jupyter.cli.access import is_below, own_token
from packager_jupyter.errors import BadInputError
from packager_jupyter.fetch.items import Item
from packager_jupyter.fetch.share import ShareOrigin

SECRETS = {"X-Share-Token": "open sesame", "Authorization": "Bearer pkgr_mine"}


class Recorder(ThreadingHTTPServer):
    """A server that remembers what came, and sends on to `target` where it has one."""

    def __init__(self, target=None):
        self.came = []
        self.target = target
        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.came.append((self.path, dict(self.headers)))
        target = self.server.target
        self.send_response(307 if target else 200)
        if target:
            self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def recorders():
    storage = Recorder()
    share = Recorder(storage.url + "bucket/key?X-Amz-Signature=1")
    yield share, storage
    for server in (share, storage):
        server.shutdown()
        server.server_close()


def sent(server):
    return [{name: headers.get(name) for name in SECRETS} for _, headers in server.came]


@pytest.mark.parametrize("target", ["storage", "another share there"])
def test_a_redirect_takes_no_secret_along(recorders, target):
    share, storage = recorders
    if target == "another share there":
        share.target = f"{storage.url}s/abc/files/a"
    origin = ShareOrigin(f"{share.url}s/abc/", password="open sesame", token="pkgr_mine")
    item = Item("a", 0, locator=f"{share.url}s/abc/files/a")
    assert b"".join(origin.read(item, start=0)) == b""
    assert sent(share) == [SECRETS]
    assert sent(storage) == [dict.fromkeys(SECRETS)]
    # An address that the share has signed before is a storage's, too.
    assert b"".join(origin.read(item, start=0, address=storage.url + "x")) == b""
    assert sent(storage)[1:] == [dict.fromkeys(SECRETS)]
    origin.close()


@pytest.mark.parametrize("token", ["a\r\nX: y", "two words", "schlüssel", "="])
def test_what_is_no_token_is_not_sent(token):
    with pytest.raises(BadInputError, match="no token"):
        ShareOrigin("https://data.example.org/s/abc/", token=token)


ROOT = "https://data.example.org/lab/packager/"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (f"{ROOT}s/abc/", True),
        ("https://DATA.example.org:443/lab/packager/s/abc/files/a", True),
        ("https://data.example.org/s/abc/", False),
        ("https://data.example.org/lab/packager-2/s/abc/", False),
        ("https://data.example.org/lab/packager/../other/s/abc/", False),
        ("http://data.example.org/lab/packager/s/abc/", False),
        ("https://data.example.org:8443/lab/packager/s/abc/", False),
        ("https://data.example.org.evil.example/lab/packager/s/abc/", False),
        ("https://data.example.org@evil.example/lab/packager/s/abc/", False),
        ("https://me:pw@data.example.org/lab/packager/s/abc/", False),
        ("https://data.example.org\\@evil.example/lab/packager/s/abc/", False),
        ("https://evil.example\\@data.example.org/lab/packager/s/abc/", False),
        ("https://data.example.org:x/lab/packager/s/abc/", False),
    ],
)
def test_a_token_of_the_environment_is_for_its_own_server(link, expected):
    assert is_below(link, ROOT) == is_below(link, ROOT.rstrip("/")) == expected
    environment = {"PACKAGER_URL": ROOT, "PACKAGER_TOKEN": "pkgr_mine"}
    assert own_token(link, environment) == ("pkgr_mine" if expected else None)
    assert own_token(link, {"PACKAGER_TOKEN": "pkgr_mine"}) is None
    hub = {"JUPYTERHUB_SERVICE_URL": "https://data.example.org/lab/"}
    found = own_token(link, {**hub, "JUPYTERHUB_API_TOKEN": "hubs"})
    assert found == ("hubs" if expected else None)

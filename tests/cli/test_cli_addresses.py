"""Which address `share` prints: named, set, announced, Jupyter's, or where `serve` would listen."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from packager_jupyter.cli.addresses import DEFAULT_URL, Announcement, base_url
from packager_jupyter.config import Settings
from packager_jupyter.errors import BadInputError


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime").mkdir()
    (tmp_path / "data").mkdir()
    return Settings(data_dir=str(tmp_path / "data"))


@pytest.fixture
def jupyter(tmp_path):
    """A server that knows one share, and says in the runtime folder that it is a Jupyter server."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            known = {"/base/packager/s/open/": 200, "/base/packager/s/locked/": 401}
            self.send_response(known.get(self.path, 404))
            self.end_headers()

        def log_message(self, *args):
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/base/"
    body = {"url": url, "pid": os.getpid(), "token": "t", "root_dir": "/"}
    runtime = tmp_path / "runtime"
    (runtime / "jpserver-1.json").write_text(json.dumps(body))
    (runtime / "jpserver-2.json").write_text(
        json.dumps(body | {"pid": 2**22 + 1, "url": "http://x/"})
    )
    (runtime / "jpserver-3.json").write_text("not json")
    yield url, asked
    server.shutdown()
    server.server_close()


def test_what_the_person_names_goes_first(settings):
    settings.public_url = "https://set.example.org/packager/"
    base = base_url(settings, given="https://named.example.org/p")
    assert (base.url, base.origin, base.is_reachable) == (
        "https://named.example.org/p/",
        "flag",
        True,
    )
    assert base_url(settings).url == "https://set.example.org/packager/"


@pytest.mark.parametrize("given", ["", "ftp://x/", "data.example.org", "http://", "javascript:x"])
def test_what_is_no_address_is_refused(settings, given):
    with pytest.raises(BadInputError, match="no web address"):
        base_url(settings, given=given)


def test_without_a_server_it_is_where_serve_would_listen(settings):
    base = base_url(settings, share_token="open")
    assert (base.url, base.is_reachable) == (DEFAULT_URL, False)


def test_an_announced_server_is_found_while_it_lives(settings, jupyter):
    url, _ = jupyter
    announcement = Announcement(settings_dir(settings))
    announcement.make(url)
    file = settings_dir(settings) / "server.json"
    assert file.stat().st_mode & 0o077 == 0
    assert base_url(settings).url == url
    file.write_text(json.dumps({"url": url, "pid": 2**22 + 1}))  # no such process
    assert base_url(settings, share_token="no").url == DEFAULT_URL
    announcement.take_back()
    assert file.exists(), "another process's announcement stays"
    announcement.make("http://127.0.0.1:9/")  # nobody listens there
    assert base_url(settings, share_token="no").url == DEFAULT_URL
    announcement.take_back()
    assert not file.exists()


def test_a_jupyter_server_counts_only_when_it_knows_the_share(settings, jupyter):
    url, asked = jupyter
    assert base_url(settings, share_token="open").url == f"{url}packager/"
    assert base_url(settings, share_token="locked").url == f"{url}packager/"
    assert base_url(settings, share_token="strange").url == DEFAULT_URL
    assert len(asked) == 3


def settings_dir(settings):
    from pathlib import Path

    return Path(settings.data_dir)

"""Keys that real buckets hold, and a real, tiny HTTP server that misbehaves on order."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from packager_jupyter.sources.credentials import Credential

HOSTILE_KEYS = [
    "a",
    "a/../b",
    "//x",
    "/lead",
    ".",
    "..",
    "./a",
    "../../etc/passwd",
    "a//b",
    "new\nline",
    "\r\n",
    "ctl\x01",
    "tab\t",
    "del\x7f",
    "q\"uo'te",
    "p+lus",
    "hash#tag",
    "pct%25",
    "pct%",
    "pct%2Fslash",
    "amp&<>;",
    "amp&amp;",
    "ques?tion=1&b=2",
    "sp ace",
    " lead",
    "trail ",
    "u\u0308",
    "ü",
    "n" * 1024,
    "é" * 512,
    "日本/データ.csv",
    "emoji🛰️",
    "rtl\u202etxt",
    "back\\slash",
    "CON",
    "a:b",
    "<Key>x</Key>",
    "]]>",
    "!$()*,;=@[]{}^`|~",
    "folder/inner",
    "-rf",
    "$(touch x)",
]


def body_of(key: str) -> bytes:
    return f"body of {key}".encode()


def s3_credential(rgw, **changes):
    variables = {"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key}
    return Credential("stored", None, variables | changes)


S3_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>m</Message>'
    "<Region>eu-north-1</Region></Error>"
)


class Reply:
    """One scripted answer; `cut` ends the body after so many bytes, `close` answers nothing."""

    def __init__(self, status=200, body=b"", headers=None, *, cut=None, close=False, hang_s=0):
        self.status = status
        self.body = body if isinstance(body, bytes) else body.encode()
        self.headers = headers or {}
        self.cut = cut
        self.close = close
        self.hang_s = hang_s

    @classmethod
    def s3_error(cls, status, code, **options):
        return cls(status, S3_ERROR.format(code), {"Content-Type": "application/xml"}, **options)


class Misbehaving:
    """Answers requests by a script: the last reply is repeated for ever."""

    def __init__(self):
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.script: list[Reply] = [Reply(404)]
        self.stopped = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append((self.command, self.path, dict(self.headers)))
                reply = outer.script.pop(0) if len(outer.script) > 1 else outer.script[0]
                if reply.hang_s:
                    outer.stopped.wait(reply.hang_s)
                if reply.close:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in reply.headers:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if self.command != "HEAD":
                    with suppress(OSError):
                        self.wfile.write(reply.body[: reply.cut])
                if reply.cut is not None:
                    self.close_connection = True

            do_HEAD = do_GET  # noqa: N815 - the name is http.server's

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self):
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

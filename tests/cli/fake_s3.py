"""A storage that misbehaves on purpose, for the answers that a real one gives on bad days only."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer = tuple[int, str, bytes]

HTML = (200, "text/html", b"<!DOCTYPE html><html><body>Sign in to the campus network</body></html>")
EXPIRED = (
    400,
    "application/xml",
    (
        b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code>"
        b"<Message>The provided token has expired.</Message></Error>"
    ),
)
BROKEN = (
    500,
    "application/xml",
    b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>oh</Message></Error>",
)
_FIRST = (
    b"<?xml version='1.0'?><ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
    b"<Name>b</Name><Prefix></Prefix><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>"
    b"<IsTruncated>true</IsTruncated><NextContinuationToken>n1</NextContinuationToken>"
    b"<Contents><Key>a.txt</Key><LastModified>2024-05-02T10:00:00.000Z</LastModified>"
    b'<ETag>"e1"</ETag><Size>1</Size></Contents>'
    b"<Contents><Key>b.txt</Key><LastModified>2024-05-02T10:00:00.000Z</LastModified>"
    b'<ETag>"e2"</ETag><Size>1</Size></Contents></ListBucketResult>'
)


def always(answer: Answer) -> Callable[[str], Answer]:
    return lambda _path: answer


def first_page_only(path: str) -> Answer:
    """Answer the first page of a listing and fail from the second on."""
    query = parse_qs(urlsplit(path).query)
    if "continuation-token" in query or "marker" in query:
        return BROKEN
    return (200, "application/xml", _FIRST)


@contextmanager
def fake_s3(answer: Callable[[str], Answer]) -> Iterator[str]:
    """Yield the endpoint of a server that answers every request by `answer(path)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, media_type, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815  # the library's name

        def log_message(self, *args):
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""An HTTP proxy in front of a real server that breaks what the test says.

A rule sees each request; it returns None to let it pass, or a `Fault`. Everything that was asked is
kept in `seen`, so a test can tell who was told what.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

HOP = frozenset({"connection", "transfer-encoding", "host", "content-length"})


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Fault:
    """What to do with a request instead of passing it on.

    Attributes
    ----------
    status, headers, body
        The answer. Without a status the request is passed on first.
    edit : callable, optional
        Changes (status, headers, body) of the real answer.
    cut_after : int, optional
        Close the connection after that many bytes of the body; -1 before any answer.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    edit: Callable[[int, dict[str, str], bytes], tuple[int, dict[str, str], bytes]] | None = None
    cut_after: int | None = None


class FaultProxy:
    """Use in a ``with`` block; `url` is its address, `rule` may be set at any time.

    With `pem` (a key and its certificate) it speaks https. With `keeps_host` the server is told
    the name that the client used, so that signatures made for the proxy's address hold.
    """

    def __init__(
        self, target: str = "", *, pem: Path | None = None, keeps_host: bool = False
    ) -> None:
        self._target = urlsplit(target)
        self._keeps_host = keeps_host
        self.rule: Callable[[Seen], Fault | None] = lambda _seen: None
        self.seen: list[Seen] = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def handle_one_request(self) -> None:
                # A client may hang up at any time; that is what these tests are about.
                with contextlib.suppress(ConnectionError):
                    super().handle_one_request()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

            def _handle(self) -> None:
                proxy._answer(self)

            def __getattr__(self, name: str) -> Callable[[], None]:
                if name.startswith("do_"):
                    return self._handle
                raise AttributeError(name)

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if pem:
            scheme = "https"
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(pem)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def paths(self, method: str) -> list[str]:
        """Return the paths that were asked for with `method`."""
        return [seen.path for seen in self.seen if seen.method == method]

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", "0"))
        headers = dict(handler.headers)
        seen = Seen(handler.command, handler.path, headers, handler.rfile.read(length))
        self.seen.append(seen)
        fault = self.rule(seen) or Fault()
        if fault.status is None:
            status, answer, body = self._pass_on(seen)
        else:
            status, answer, body = fault.status, dict(fault.headers), fault.body
        if fault.edit:
            status, answer, body = fault.edit(status, answer, body)
        if fault.cut_after == -1:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        handler.send_response_only(status)
        names = {name.lower() for name in answer}
        for name, value in answer.items():
            handler.send_header(name, value)
        if "content-length" not in names and status not in (204, 304):
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if seen.method != "HEAD":
            handler.wfile.write(body if fault.cut_after is None else body[: fault.cut_after])
        if fault.cut_after is not None:
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)

    def _pass_on(self, seen: Seen) -> tuple[int, dict[str, str], bytes]:
        host = str(self._target.hostname)
        connection = http.client.HTTPConnection(host, self._target.port, timeout=30)
        with contextlib.closing(connection):
            dropped = HOP - {"host"} if self._keeps_host else HOP
            headers = {k: v for k, v in seen.headers.items() if k.lower() not in dropped}
            connection.request(seen.method, seen.path, body=seen.body, headers=headers)
            response = connection.getresponse()
            body = response.read()
            answer: dict[str, Any] = {
                name: value.replace(f"{host}:{self._target.port}", self.url.split("//")[1])
                for name, value in response.getheaders()
                if name.lower() not in HOP or (name.lower() == "content-length")
            }
        if seen.method != "HEAD":
            answer = {k: v for k, v in answer.items() if k.lower() != "content-length"}
        return response.status, answer, body


def times(count: int, fault: Fault, when: Callable[[Seen], bool]) -> Callable[[Seen], Fault | None]:
    """Return a rule that applies `fault` to the first `count` requests for which `when` holds."""
    left = [count]

    def rule(seen: Seen) -> Fault | None:
        if left[0] and when(seen):
            left[0] -= 1
            return fault
        return None

    return rule

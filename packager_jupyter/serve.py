"""Host 2: the standalone server (``packager serve``), at the root of a host, with or without TLS.

Whoever runs it on an open network puts a certificate here or a proxy before it. Slow and large
requests are bounded, SIGTERM lets running answers end, and nothing secret reaches the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import socket
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.iostream import SSLIOStream
from tornado.netutil import bind_sockets

from packager_jupyter.api.owner import local_owner
from packager_jupyter.errors import BadInputError
from packager_jupyter.server import logs
from packager_jupyter.server.base import FORM_BYTES, PackagerHandler
from packager_jupyter.server.context import ServerContext, settings_for
from packager_jupyter.server.mount import mount_by_folder, plain_class
from packager_jupyter.server.plain import PlainStream
from packager_jupyter.server.registry.oci.sessions import UploadTable
from packager_jupyter.server.routes import Route, Rule, root_routes, routes
from packager_jupyter.server.shortcut import add_shortcuts
from packager_jupyter.server.standalone import TokenAuthenticator
from packager_jupyter.server.turns import short_turns
from packager_jupyter.shares.api_tokens import ApiTokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.iostream import IOStream

    from packager_jupyter.config import Settings
    from packager_jupyter.services import Services

DEFAULT_PORT = 8850
DRAIN_S = 30.0
HEADER_TIMEOUT_S = 20.0
BODY_TIMEOUT_S = 300.0
MAX_HEADER_BYTES = 64 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Where and how to listen.

    Parameters
    ----------
    host : str, default "127.0.0.1"
        Name or address to bind; empty binds every address.
    port : int, default 8850
        0 takes a free one.
    tls_cert, tls_key : Path, optional
        PEM files; the certificate with its chain. Both or none.
    token : str, optional
        The start-up token; None makes a new one.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    tls_cert: Path | None = None
    tls_key: Path | None = None
    token: str | None = field(default=None, repr=False)


class NowhereHandler(PackagerHandler):
    """Every address that is not in the table."""

    def get(self) -> None:
        """Answer 404."""
        raise web.HTTPError(404)

    head = post = put = patch = delete = get


_PUBLIC = Rule("public", "packager:status", "read")
NOWHERE = Route(
    "",
    NowhereHandler,
    dict.fromkeys(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"), _PUBLIC),
    "Nothing",
)


class _Listener(HTTPServer):
    """Tornado's server, which also remembers its streams, to see when they are flushed."""

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """Take Tornado's arguments."""
        super().initialize(*args, **kwargs)
        self.streams: WeakSet[IOStream] = WeakSet()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Remember a new connection."""
        if not isinstance(stream, SSLIOStream):
            stream = PlainStream(
                stream.socket,
                max_buffer_size=stream.max_buffer_size,
                read_chunk_size=stream.read_chunk_size,
            )
        self.streams.add(stream)
        super().handle_stream(stream, address)

    @property
    def is_writing(self) -> bool:
        """Whether bytes of some answer still wait to be sent."""
        return any(stream.writing() for stream in self.streams if not stream.closed())


class StandaloneServer:
    """A server that listens; make it, `start` it on an event loop, `stop` it there.

    Parameters
    ----------
    services : Services
        Stays open; whoever opened it closes it.
    options : ServeOptions

    Attributes
    ----------
    url : str
        Where it listens, known after `start`.
    token : str
        The start-up token.
    """

    def __init__(self, services: Services, options: ServeOptions) -> None:
        self._services = services
        self._options = options
        self.token = options.token or f"pkgr_start_{secrets.token_urlsafe(32)}"
        self.context = ServerContext(prefix="/")
        self._ssl = _ssl_context(options)
        self.url = ""
        authenticator = TokenAuthenticator(ApiTokens(services.db), startup_token=self.token)
        self._uploads = UploadTable(
            services.oci,
            Path(services.settings.data_dir) / "incoming",
            max_bytes=services.settings.max_upload_bytes,
        )
        self.app = web.Application(
            mount_by_folder((*routes(), *root_routes()), prefix="/"),
            default_handler_class=plain_class(NOWHERE),
            log_function=logs.log_access,
            packager_oci_uploads=self._uploads,
            **settings_for(services, authenticator, self.context),
        )
        add_shortcuts(self.app, routes(), prefix="/")
        self._listener = _Listener(
            self.app,
            ssl_options=self._ssl,
            max_body_size=FORM_BYTES,  # handlers raise it for themselves, once they know who asks
            max_header_size=MAX_HEADER_BYTES,
            idle_connection_timeout=HEADER_TIMEOUT_S,
            body_timeout=BODY_TIMEOUT_S,
        )

    def start(self) -> None:
        """Bind and answer from now on.

        Raises
        ------
        BadInputError
            The address is not ours or is taken.
        """
        host, port = self._options.host, self._options.port
        try:
            sockets = bind_sockets(port, host)
        except OSError as error:
            raise BadInputError(
                f"Cannot listen on {host or 'any address'}, port {port}: {error.strerror}.",
                remedy="Choose another --host or --port, or stop what listens there.",
            ) from error
        self._listener.add_sockets(sockets)
        bound_port = sockets[0].getsockname()[1]
        shown = host if host not in {"", "0.0.0.0", "::"} else socket.gethostname()  # noqa: S104  # compared, not bound
        if ":" in shown:
            shown = f"[{shown}]"
        self.url = f"{'https' if self._ssl else 'http'}://{shown}:{bound_port}/"
        if not self._services.settings.public_url:
            # So that no forged Host header ever stands in a link that we make.
            self._services.settings.public_url = self.url

    async def stop(self, *, drain_s: float = DRAIN_S) -> None:
        """Refuse what is new, let running answers end for up to `drain_s` seconds, then close."""
        self._listener.stop()
        self.context.is_draining = True
        deadline = time.monotonic() + drain_s
        while time.monotonic() < deadline and (  # noqa: ASYNC110  # see below
            self.context.in_flight or self._listener.is_writing
        ):
            await asyncio.sleep(0.02)  # Tornado tells nobody when a stream is flushed
        await self._listener.close_all_connections()
        self._uploads.close()
        await asyncio.to_thread(self.context.close)


def run(
    settings: Settings,
    options: ServeOptions,
    *,
    announce: Callable[[StandaloneServer], None] = lambda _server: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then drain and return.

    Parameters
    ----------
    settings : Settings
    options : ServeOptions
    announce : callable
        Called once the server listens; the command line prints its address and token.
    """
    from packager_jupyter.services import Services

    _set_up_logging()
    with Services.open(settings) as services:
        services.declare_shares(owner=local_owner())
        asyncio.run(_serve(services, options, announce))


async def _serve(
    services: Services, options: ServeOptions, announce: Callable[[StandaloneServer], None]
) -> None:
    server = StandaloneServer(services, options)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Only the main thread of a process can take signals; elsewhere whoever runs us stops us.
        with contextlib.suppress(RuntimeError, ValueError):
            loop.add_signal_handler(number, ended.set)
    with short_turns():
        server.start()
        announce(server)
        try:
            await ended.wait()
            log.info("stopping: running answers have %d s to end", DRAIN_S)
        finally:
            await server.stop()


def _set_up_logging() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(name)s %(message)s"))
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(handler)
    for name in ("packager_jupyter", logs.ACCESS_LOG):
        logging.getLogger(name).setLevel(logging.INFO)
    logs.install()


def _ssl_context(options: ServeOptions) -> ssl.SSLContext | None:
    if options.tls_cert is None and options.tls_key is None:
        return None
    if options.tls_cert is None or options.tls_key is None:
        raise BadInputError(
            "TLS needs a certificate and its key.", remedy="Give both --tls-cert and --tls-key."
        )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise BadInputError(
            f"The certificate {options.tls_cert.name} with the key {options.tls_key.name} cannot "
            "be used.",
            remedy="Give PEM files that belong together and can be read by this process; the key "
            "must not ask for a pass phrase.",
            details=f"{type(error).__name__}: {error.strerror or error}",
        ) from error
    return context

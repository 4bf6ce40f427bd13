"""A real OCI registry: Debian's docker-registry (distribution 2.8), on 127.0.0.1.

It has quirks that clients must live with: tags unordered and unpaged, no deletion of tags, no
referrers API. It can ask for a login (Basic), for tokens of a token server (Bearer), and serve TLS
with a certificate of its own authority.
"""

from __future__ import annotations

import base64
import datetime as dt
import http.server
import json
import secrets
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from peers.certificates import write_certificate
from peers.process import Peer, free_ports, is_listening, need

if TYPE_CHECKING:
    from pathlib import Path

USERNAME = "tester"
PASSWORD = "secret-of-tests"
# bcrypt of PASSWORD; cost 5, as nothing is protected by it.
HTPASSWD = f"{USERNAME}:$2y$05$abcdefghijklmnopqrstuuw96Ltup7pGh2qN94fVvgzzZyRtkpRBq\n"
SERVICE = "registry of tests"
ISSUER = "tester"


@dataclass(frozen=True, slots=True)
class RegistryConnection:
    """How to reach a registry; with a login where it wants one, and a CA where it speaks TLS."""

    url: str
    username: str = ""
    password: str = ""
    ca_bundle: str | None = None

    def save(self, file: Path) -> None:
        """Write it for `load`."""
        file.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, file: Path) -> RegistryConnection:
        """Read what `save` wrote."""
        return cls(**json.loads(file.read_text()))


class DockerRegistry(Peer[RegistryConnection]):
    """A registry of our own; see the module's text.

    Parameters
    ----------
    auth : {"none", "basic", "bearer"}
    tls : bool
    """

    name = "docker-registry"

    def __init__(self, *, auth: str = "none", tls: bool = False) -> None:
        need(["docker-registry"], package="the Debian package docker-registry")
        super().__init__()
        self._auth = auth
        self._tls = tls
        self.tokens: TokenServer | None = None

    def start(self) -> RegistryConnection:
        """Write its configuration and bring it up."""
        (port,) = free_ports(1)
        config: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "cache": {"blobdescriptor": "inmemory"},
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{port}", "secret": secrets.token_hex(8)},
        }
        ca_bundle = self._set_tls(config) if self._tls else None
        if self._auth == "basic":
            (self.folder / "htpasswd").write_text(HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(self.folder / "htpasswd")}}
        elif self._auth == "bearer":
            self.tokens = TokenServer(self.folder)
            config["auth"] = {"token": self.tokens.settings()}
        # JSON is YAML.
        file = self.folder / "config.yml"
        file.write_text(json.dumps(config))
        self.daemon(
            "registry",
            ["docker-registry", "serve", str(file)],
            is_ready=lambda: is_listening(port),
        )
        login = ("", "") if self._auth == "none" else (USERNAME, PASSWORD)
        scheme = "https" if self._tls else "http"
        return RegistryConnection(f"{scheme}://127.0.0.1:{port}", *login, ca_bundle)

    def stop(self) -> None:
        """End it, and its token server."""
        if self.tokens:
            self.tokens.close()
        super().stop()

    def _set_tls(self, config: dict[str, Any]) -> str:
        pem, ca_bundle = write_certificate(self.folder, hosts=["127.0.0.1"])
        config["http"]["tls"] = {"certificate": str(pem), "key": str(pem)}
        return str(ca_bundle)


def _in_order(scope: str) -> str:
    thing, _, actions = scope.rpartition(":")
    return f"{thing}:{','.join(sorted(actions.split(',')))}"


class TokenServer:
    """Gives Bearer tokens for a Basic login, as the distribution's token specification says.

    `seen` holds (scopes, login sent or not) of each request, the actions of a scope in alphabetical
    order, as the registry asks for them in any; `life_s` is how long tokens live.
    """

    def __init__(self, folder: Path) -> None:
        self.seen: list[tuple[list[str], bool]] = []
        self.life_s = 300
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._bundle = folder / "tokens.pem"
        self._certificate = self._sign_certificate()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._http.shutdown()
        self._http.server_close()

    def settings(self) -> dict[str, str]:
        """Return what the registry must know about it."""
        return {
            "realm": f"http://127.0.0.1:{self._http.server_port}/token",
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(self._bundle),
        }

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request for a token."""
        query = parse_qs(urlsplit(request.path).query)
        login = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        is_known = request.headers.get("Authorization") == f"Basic {login}"
        scopes = query.get("scope", [])
        self.seen.append(([_in_order(scope) for scope in scopes], is_known))
        body = json.dumps(
            {"token": self._token(scopes if is_known else []), "expires_in": self.life_s}
        ).encode()
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _token(self, scopes: list[str]) -> str:
        now = int(time.time())
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        claims = {
            "iss": ISSUER, "sub": USERNAME, "aud": SERVICE, "exp": now + self.life_s,
            "nbf": now - 60, "iat": now, "jti": secrets.token_hex(8), "access": access,
        }  # fmt: skip
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64url(signature)}"

    def _sign_certificate(self) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "token server of tests")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return certificate


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

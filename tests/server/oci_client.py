"""A client of the distribution API for tests: one repository, one token, no cleverness."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packager_jupyter.oci.manifest import EMPTY_BYTES, image_manifest

if TYPE_CHECKING:
    from tornado.httpclient import HTTPResponse

    from server.conftest import HostUnderTest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
OCTETS = {"Content-Type": "application/octet-stream"}
KIND = "application/vnd.example.thing.v1"


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{token}".encode()).decode()


@dataclass
class OciClient:
    """Speaks to one repository; every method returns the response as it is."""

    host: HostUnderTest
    repo: str
    token: str = ""
    sent: dict[str, str] = field(default_factory=dict)

    async def call(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> HTTPResponse:
        """Send a request; `path` is below the repository, or from the root when it says so."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named.setdefault("Authorization", basic(self.token))
        target = path.removeprefix("/") if path.startswith("/") else f"v2/{self.repo}/{path}"
        return await self.host.fetch(method, target, body, headers=named, is_anonymous=True)

    def as_(self, token: str, repo: str | None = None) -> OciClient:
        """Return the same for another token or repository."""
        return OciClient(self.host, repo or self.repo, token)

    async def begin(self) -> str:
        """Begin an upload and return its address."""
        response = await self.call("POST", "blobs/uploads/", b"")
        assert response.code == 202, response.body
        return response.headers["Location"]

    async def blob(self, data: bytes) -> str:
        """Push a blob by POST and PUT; return its digest."""
        where = await self.begin()
        response = await self.call("PUT", f"{where}?digest={sha256(data)}", data, **OCTETS)
        assert response.code == 201, response.body
        return sha256(data)

    async def manifest(self, text: bytes = b"content", *, tag: str | None = None, **more: Any):
        """Push an artifact of one layer; return its body and the response."""
        await self.blob(EMPTY_BYTES)
        await self.blob(text)
        body = manifest_of(text, **more)
        reference = tag or sha256(body)
        return body, await self.put(reference, body)

    async def put(self, reference: str, body: bytes, kind: str = MANIFEST) -> HTTPResponse:
        """Push a manifest."""
        return await self.call("PUT", f"manifests/{reference}", body, Content_Type=kind)


def manifest_of(text: bytes, *, subject: bytes | None = None, kind: str = KIND, **notes: str):
    """Return the manifest of an artifact with one layer."""
    from packager_jupyter.oci.manifest import describe

    return image_manifest(
        layers=[describe(text)],
        artifact_type=kind,
        annotations=notes,
        subject=None if subject is None else describe(subject, media_type=MANIFEST),
    )


def codes(response: HTTPResponse) -> list[str]:
    """Return the error codes of an answer, after a look at its shape."""
    body = json.loads(response.body)
    assert set(body) == {"errors"}
    for error in body["errors"]:
        assert set(error) == {"code", "message", "detail"}
        assert error["message"]
    return [error["code"] for error in body["errors"]]

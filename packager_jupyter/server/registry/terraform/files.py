"""``get/<claim>/<filename>``: archives, checksums, signatures and modules by signed addresses.

Clients send their token to the metadata routes only, so each of these addresses carries a signed
claim that names exactly one file and ends soon.
"""

from __future__ import annotations

import time
from typing import Any

from packager_jupyter.errors import ForbiddenError
from packager_jupyter.server.registry.base import RegistryHandler
from packager_jupyter.server.registry.pages import FILE_CACHE
from packager_jupyter.server.registry.terraform.base import ADDRESS_PURPOSE, TerraformHandler
from packager_jupyter.server.share.sending import Sending, sliced
from packager_jupyter.signed import verify

_BINARY = "application/octet-stream"


class GetHandler(TerraformHandler):
    """``get/<claim>/<filename>``: one file for whoever holds the address."""

    async def prepare(self) -> None:
        """Read the claim; the feed's own rule does not apply."""
        await super(RegistryHandler, self).prepare()
        if self.request.method == "OPTIONS":
            return
        claims = verify(
            self.path_kwargs["claim"],
            purpose=ADDRESS_PURPOSE,
            now_s=time.time(),
            key=self.services.local_key,
        )
        feed, filename = self.path_kwargs["feed"], self.path_kwargs["filename"]
        if claims is None or (claims["feed"], claims["filename"]) != (feed, filename):
            raise ForbiddenError(
                "This download address has expired or was altered.",
                remedy="Run terraform init again; it asks for a new one.",
            )
        self.claims = {key: str(value) for key, value in claims.items()}
        self.spec = await self.call(self.feeds.spec, self.ecosystem, feed)

    async def get(self, feed: str, claim: str, filename: str) -> None:
        """Answer with the file or a part of it."""
        await _SENDERS[self.claims["kind"]](self, filename)

    head = get

    async def send_archive(self, filename: str) -> None:
        """Send a provider's archive."""
        providers, (ns, name) = self.registry.providers, self._provider()
        archive = await self.call(providers.archive, ns, name, self.claims["version"], filename)
        size = await self.call(providers.size_bytes, ns, name, archive)
        await self._sending(filename, f"sha256:{archive.sha256}").send(
            size, lambda start, stop: providers.read(ns, name, archive, start=start, stop=stop)
        )

    async def send_sums(self, filename: str) -> None:
        """Send SHA256SUMS."""
        ns, name = self._provider()
        await self._send_bytes(
            filename,
            await self.call(self.registry.providers.sums, ns, name, self.claims["version"]),
        )

    async def send_signature(self, filename: str) -> None:
        """Send the signature over SHA256SUMS."""
        ns, name = self._provider()
        await self._send_bytes(
            filename,
            await self.call(self.registry.providers.signature, ns, name, self.claims["version"]),
        )

    async def send_module(self, filename: str) -> None:
        """Send a module's archive."""
        modules = self.registry.modules
        place = (self.claims["ns"], self.claims["name"], self.claims["system"])
        module = await self.call(modules.module, *place, self.claims["version"])
        await self._sending(filename, module.digest).send(
            module.size_bytes,
            lambda start, stop: modules.read(*place, module, start=start, stop=stop),
        )

    def _provider(self) -> tuple[str, str]:
        return self.claims["ns"], self.claims["name"]

    async def _send_bytes(self, filename: str, body: bytes) -> None:
        await self._sending(filename, None).send(len(body), sliced(body))

    def _sending(self, filename: str, etag: str | None) -> Sending:
        sending = Sending(self, filename=filename, media_type=_BINARY, etag=etag)
        self.set_header("Cache-Control", f"{self.cache_scope}, {FILE_CACHE}")
        return sending


_SENDERS: dict[str, Any] = {
    "archive": GetHandler.send_archive,
    "sums": GetHandler.send_sums,
    "signature": GetHandler.send_signature,
    "module": GetHandler.send_module,
}

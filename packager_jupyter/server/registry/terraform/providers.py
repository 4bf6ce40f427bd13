"""Providers: their versions, where each archive is, and the network mirror.

Source: Terraform's provider registry protocol and provider network mirror protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packager_jupyter.server.registry.pages import send_json
from packager_jupyter.server.registry.terraform.base import TerraformHandler, unknown

if TYPE_CHECKING:
    from packager_jupyter.registries.terraform.providers import Archive


class ProviderVersionsHandler(TerraformHandler):
    """``v1/providers/<ns>/<type>/versions``."""

    async def get(self, feed: str, ns: str, provider: str) -> None:
        """Answer with all versions and their platforms."""
        self.require("read", f"{ns}/{provider}".lower())
        found = await self.call(self.registry.providers.versions, ns, provider)
        if found is None:
            raise unknown(f"provider {ns}/{provider}")
        send_json(self, found)


class ProviderDownloadHandler(TerraformHandler):
    """``v1/providers/<ns>/<type>/<version>/download/<os>/<arch>``."""

    async def get(
        self,
        feed: str,
        ns: str,
        provider: str,
        version: str,
        os: str,
        arch: str,
    ) -> None:
        """Answer with where archive, checksums and signature are."""
        self.require("read", f"{ns}/{provider}".lower())
        answer, archive = await self.call(
            self.registry.providers.download, ns, provider, version, os, arch
        )
        place = {"ns": ns.lower(), "name": provider.lower(), "version": version}
        sums = f"terraform-provider-{provider.lower()}_{version}_SHA256SUMS"
        send_json(
            self,
            answer
            | {
                "download_url": self.address(archive.filename, kind="archive", **place),
                "shasums_url": self.address(sums, kind="sums", **place),
                "shasums_signature_url": self.address(f"{sums}.sig", kind="signature", **place),
            },
        )


class MirrorIndexHandler(TerraformHandler):
    """``mirror/<host>/<ns>/<type>/index.json``: the network mirror protocol."""

    async def get(self, feed: str, host: str, ns: str, provider: str) -> None:
        """Answer with the versions."""
        self.require("read", f"{ns}/{provider}".lower())
        found = await self.call(self.registry.providers.mirror_index, ns, provider)
        if found is None:
            raise unknown(f"provider {ns}/{provider}")
        send_json(self, found)


class MirrorVersionHandler(TerraformHandler):
    """``mirror/<host>/<ns>/<type>/<version>.json``."""

    async def get(
        self,
        feed: str,
        host: str,
        ns: str,
        provider: str,
        version: str,
    ) -> None:
        """Answer with the archives of a version."""
        self.require("read", f"{ns}/{provider}".lower())
        archives = await self.call(self.registry.providers.mirror_version, ns, provider, version)
        place = {"ns": ns.lower(), "name": provider.lower(), "version": version, "kind": "archive"}
        send_json(self, {"archives": {f"{a.os}_{a.arch}": self._row(a, place) for a in archives}})

    def _row(self, archive: Archive, place: dict[str, str]) -> dict[str, Any]:
        url = self.address(archive.filename, **place)
        hashes = [f"zh:{archive.sha256}", *([archive.h1] if archive.h1 else [])]
        return {"url": url, "hashes": hashes}

"""Terraform and OpenTofu: ``terraform/<feed>/…``: providers, modules, network mirror.

Clients send their token to the metadata routes only. What these name (archives, SHA256SUMS,
signatures, module archives) is fetched without one, so those addresses carry a signed claim that
names exactly one file and ends soon.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from packager_jupyter.errors import BadInputError, ForbiddenError, PathNotFoundError
from packager_jupyter.registries.terraform.names import check_label
from packager_jupyter.registries.terraform.providers import ProviderUpload
from packager_jupyter.server.registry.base import RegistryHandler, UploadHandler
from packager_jupyter.server.registry.pages import FILE_CACHE, send_json
from packager_jupyter.server.rules import Route, Rule
from packager_jupyter.server.share.sending import Sending, sliced
from packager_jupyter.signed import sign, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.registries.feeds import TerraformFeed
    from packager_jupyter.registries.terraform.providers import Archive
    from packager_jupyter.server.registry.multipart import ReceivedFile
    from packager_jupyter.server.rules import Verb

ADDRESS_PURPOSE = "terraform-file"
ADDRESS_LIFE_S = 3600
_BINARY = "application/octet-stream"


class TerraformHandler(RegistryHandler):
    """A reading route of a Terraform feed."""

    ecosystem = "terraform"

    @property
    def registry(self) -> TerraformFeed:
        """Providers and modules of the feed."""
        return self.feeds.terraform(self.spec.name)

    def address(self, filename: str, **claims: str) -> str:
        """Return an absolute address that gives one file to whoever holds it, for an hour."""
        now_s = int(time.time())
        token = sign(
            {"feed": self.spec.name, "filename": filename, **claims},
            purpose=ADDRESS_PURPOSE,
            iat_s=now_s,
            exp_s=now_s + ADDRESS_LIFE_S,
            key=self.services.local_key,
        )
        return f"{self.public_url}terraform/{self.spec.name}/get/{token}/{quote(filename)}"


class ProviderVersionsHandler(TerraformHandler):
    """``v1/providers/<ns>/<type>/versions``."""

    async def get(self, feed: str, ns: str, provider: str) -> None:
        """Answer with all versions and their platforms."""
        self.require("read", f"{ns}/{provider}".lower())
        found = await self.call(self.registry.providers.versions, ns, provider)
        if found is None:
            raise _unknown(f"provider {ns}/{provider}")
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
            raise _unknown(f"provider {ns}/{provider}")
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
        send_json(self, {"archives": {_platform(a): self._row(a, place) for a in archives}})

    def _row(self, archive: Archive, place: dict[str, str]) -> dict[str, Any]:
        url = self.address(archive.filename, **place)
        return {"url": url, "hashes": [f"zh:{archive.sha256}"]}


class ModuleVersionsHandler(TerraformHandler):
    """``v1/modules/<ns>/<name>/<system>/versions``."""

    async def get(self, feed: str, ns: str, name: str, system: str) -> None:
        """Answer with all versions."""
        self.require("read", f"{ns}/{name}/{system}".lower())
        found = await self.call(self.registry.modules.versions, ns, name, system)
        if found is None:
            raise _unknown(f"module {ns}/{name}/{system}")
        send_json(self, found)


class ModuleDownloadHandler(TerraformHandler):
    """``v1/modules/<ns>/<name>/<system>/<version>/download``."""

    async def get(self, feed: str, ns: str, name: str, system: str, version: str) -> None:
        """Say where the archive is: in a header for Terraform, in JSON too for OpenTofu."""
        self.require("read", f"{ns}/{name}/{system}".lower())
        await self.call(self.registry.modules.module, ns, name, system, version)
        address = self.address(
            "module.zip",
            kind="module",
            ns=ns.lower(),
            name=name.lower(),
            system=system.lower(),
            version=version,
        )
        location = f"{address}?archive=zip"
        self.set_header("X-Terraform-Get", location)
        if self.request.headers.get("X-OpenTofu-Version"):
            send_json(self, {"location": location})
            return
        # Terraform refuses a 200 here.
        self.set_status(204)


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


class ProviderUploadHandler(UploadHandler):
    """``v1/providers/<ns>/<type>/<version>`` and ``upload``: publish a provider version."""

    ecosystem = "terraform"

    async def post(
        self,
        feed: str,
        ns: str = "",
        provider: str = "",
        version: str = "",
    ) -> None:
        """Publish the archives, checksums and signature of a form."""
        fields, files = self.form()
        upload = provider_upload(
            files,
            namespace=ns or fields.get("namespace", ""),
            type_=provider or fields.get("type", ""),
            version=version or fields.get("version", ""),
            public_key=fields.get("public_key"),
        )
        project = "/".join(
            (
                check_label(upload.namespace, what="namespace"),
                check_label(upload.type, what="provider type"),
            )
        )
        self.require("publish", project)
        registry = self.feeds.terraform(self.spec.name)
        is_new = await self.call(registry.providers.publish, upload, now=datetime.now(UTC))
        await _published(self, project, version=upload.version, is_new=is_new)


class ModuleUploadHandler(UploadHandler):
    """``v1/modules/<ns>/<name>/<system>/<version>``: publish a module version."""

    ecosystem = "terraform"

    async def post(self, feed: str, ns: str, name: str, system: str, version: str) -> None:
        """Publish the one archive of a form."""
        _, files = self.form()
        if len(files) != 1:
            raise BadInputError(
                "The form does not hold exactly one file.",
                remedy="Send the module as one ZIP or tar.gz, as field module.",
            )
        project = f"{ns}/{name}/{system}".lower()
        self.require("publish", project)
        registry = self.feeds.terraform(self.spec.name)
        is_new = await self.call(
            registry.modules.publish,
            ns,
            name,
            system,
            version,
            files[0].file,
            now=datetime.now(UTC),
        )
        await _published(self, project, version=version, is_new=is_new)


def provider_upload(
    files: list[ReceivedFile], *, namespace: str, type_: str, version: str, public_key: str | None
) -> ProviderUpload:
    """Sort the files of a form: archives, checksums, signature, key, registry manifest."""
    found: dict[str, ReceivedFile] = {}
    for each in files:
        if each.filename in found:
            raise BadInputError(
                f"The form holds {each.filename[:100]!r} twice.", remedy="Send each file once."
            )
        found[each.filename] = each
    named = {kind: _first(found, ending) for kind, ending in _ENDINGS.items()}
    key = named["public_key"]
    return ProviderUpload(
        namespace=namespace,
        type=type_,
        version=version,
        archives={name: each.file for name, each in found.items() if name.endswith(".zip")},
        sums=named["sums"],
        signature=named["signature"],
        public_key=public_key or (key.decode("ascii", "replace") if key else None),
        manifest=named["manifest"],
    )


_ENDINGS = {
    "sums": "SHA256SUMS",
    "signature": "SHA256SUMS.sig",
    "public_key": ".asc",
    "manifest": "manifest.json",
}
_MAX_SMALL_BYTES = 512 * 1024


def _first(found: dict[str, ReceivedFile], ending: str) -> bytes | None:
    for name, each in found.items():
        if name.endswith(ending):
            return each.file.read(_MAX_SMALL_BYTES)
    return None


async def _published(handler: RegistryHandler, project: str, *, version: str, is_new: bool) -> None:
    await handler.call(
        handler.services.audit.record,
        principal=handler.actor,
        ip=handler.client_ip,
        action="registry.publish",
        object=f"terraform/{handler.spec.name}/{project}",
        result="ok" if is_new else "unchanged",
        request_id=handler.request_id,
    )
    handler.set_status(201 if is_new else 200)
    send_json(handler, {"project": project, "version": version, "is_new": is_new})


def _platform(archive: Archive) -> str:
    return f"{archive.os}_{archive.arch}"


def _unknown(what: str) -> PathNotFoundError:
    return PathNotFoundError(f"This feed has no {what[:160]}.", remedy="Check its name.")


_READ = Rule("registry", "packager:registry", "read")
_WRITE = Rule("registry", "packager:registry", "write")
_SIGNED = Rule("signed", "packager:registry", "read")
_GET: Mapping[Verb, Rule] = {"GET": _READ}
_PROVIDER = "terraform/{feed}/v1/providers/{ns}/{provider}"
_MODULE = "terraform/{feed}/v1/modules/{ns}/{name}/{system}"

TERRAFORM_ROUTES: tuple[Route, ...] = (
    Route(f"{_PROVIDER}/versions", ProviderVersionsHandler, _GET, "Versions of a provider"),
    Route(
        f"{_PROVIDER}/{{version}}/download/{{os}}/{{arch}}",
        ProviderDownloadHandler,
        _GET,
        "Where a provider's archive is",
    ),
    Route(
        f"{_PROVIDER}/{{version}}", ProviderUploadHandler, {"POST": _WRITE}, "Publish a provider"
    ),
    Route("terraform/{feed}/upload", ProviderUploadHandler, {"POST": _WRITE}, "Publish a provider"),
    Route(f"{_MODULE}/versions", ModuleVersionsHandler, _GET, "Versions of a module"),
    Route(
        f"{_MODULE}/{{version}}/download",
        ModuleDownloadHandler,
        _GET,
        "Where a module's archive is",
    ),
    Route(f"{_MODULE}/{{version}}", ModuleUploadHandler, {"POST": _WRITE}, "Publish a module"),
    Route(
        "terraform/{feed}/mirror/{host}/{ns}/{provider}/index.json",
        MirrorIndexHandler,
        _GET,
        "Network mirror: versions",
    ),
    Route(
        "terraform/{feed}/mirror/{host}/{ns}/{provider}/{version}.json",
        MirrorVersionHandler,
        _GET,
        "Network mirror: archives",
    ),
    Route(
        "terraform/{feed}/get/{claim}/{filename}",
        GetHandler,
        {"GET": _SIGNED, "HEAD": _SIGNED},
        "A file by its signed address",
    ),
)

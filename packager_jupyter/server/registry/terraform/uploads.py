"""Publishing providers (a form) and modules (a form, or the bare archive)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError
from packager_jupyter.registries.terraform.checks import ProviderUpload
from packager_jupyter.registries.terraform.names import check_label
from packager_jupyter.server.registry.base import UploadHandler
from packager_jupyter.server.registry.pages import send_json
from packager_jupyter.server.registry.terraform.discovery import root_feed
from packager_jupyter.server.registry.terraform.modules import describe_module

if TYPE_CHECKING:
    from packager_jupyter.registries.spec import FeedSpec
    from packager_jupyter.server.registry.base import RegistryHandler
    from packager_jupyter.server.registry.multipart import ReceivedFile


class ProviderUploadHandler(UploadHandler):
    """``v1/providers/<ns>/<type>/<version>`` and ``upload``: publish a provider version.

    PUT and POST do the same, as publishing the same again changes nothing.
    """

    ecosystem = "terraform"

    async def post(
        self,
        feed: str = "",
        ns: str = "",
        provider: str = "",
        version: str = "",
    ) -> None:
        """Publish the archives, checksums and signature of a form."""
        fields, files = await self.form()
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
        more = {"namespace": upload.namespace.lower(), "type": upload.type.lower()}
        await _published(self, project, version=upload.version, is_new=is_new, **more)

    put = post


class RootUploadHandler(ProviderUploadHandler):
    """``terraform/upload``, where oci-package-proxy has it: for the feed of this host's root."""

    async def find_feed(self) -> FeedSpec:
        """Return the feed that discovery names."""
        found: FeedSpec = await self.call(root_feed, self.feeds, self.services.settings)
        return found


class ModuleVersionHandler(UploadHandler):
    """``v1/modules/<ns>/<name>/<system>/<version>``: a module version, and publishing it."""

    ecosystem = "terraform"
    takes_bare_file = True

    async def get(self, feed: str, ns: str, name: str, system: str, version: str) -> None:
        """Say what this version is."""
        await describe_module(self, ns, name, system, version)

    head = get

    async def post(self, feed: str, ns: str, name: str, system: str, version: str) -> None:
        """Publish the one archive of a form, or the body itself."""
        _, files = await self.form()
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

    put = post


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


async def _published(
    handler: RegistryHandler, project: str, *, version: str, is_new: bool, **more: str
) -> None:
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
    send_json(handler, {"project": project, "version": version, "is_new": is_new, **more})

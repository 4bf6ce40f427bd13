"""Terraform and OpenTofu: ``terraform/<feed>/…``: providers, modules, network mirror.

Clients send their token to the metadata routes only. What these name (archives, SHA256SUMS,
signatures, module archives) is fetched without one, by signed addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.server.registry.terraform.discovery import DiscoveryHandler
from packager_jupyter.server.registry.terraform.files import GetHandler
from packager_jupyter.server.registry.terraform.modules import (
    ModuleDownloadHandler,
    ModuleHandler,
    ModuleVersionsHandler,
)
from packager_jupyter.server.registry.terraform.providers import (
    MirrorIndexHandler,
    MirrorVersionHandler,
    ProviderDownloadHandler,
    ProviderVersionsHandler,
)
from packager_jupyter.server.registry.terraform.uploads import (
    ModuleVersionHandler,
    ProviderUploadHandler,
    RootUploadHandler,
)
from packager_jupyter.server.rules import Route, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.server.rules import Verb

_READ = Rule("registry", "packager:registry", "read")
_WRITE = Rule("registry", "packager:registry", "write")
_SIGNED = Rule("signed", "packager:registry", "read")
_PUBLIC = Rule("public", "packager:registry", "read")
_GET: Mapping[Verb, Rule] = {"GET": _READ}
_PAGE: Mapping[Verb, Rule] = {"GET": _READ, "HEAD": _READ}
_PUBLISH: Mapping[Verb, Rule] = {"POST": _WRITE, "PUT": _WRITE}
_PROVIDER = "terraform/{feed}/v1/providers/{ns}/{provider}"
_MODULE = "terraform/{feed}/v1/modules/{ns}/{name}/{system}"
_MIRROR = "terraform/{feed}/mirror/{host}/{ns}/{provider}"

TERRAFORM_ROUTES: tuple[Route, ...] = (
    Route(f"{_PROVIDER}/versions", ProviderVersionsHandler, _GET, "Versions of a provider"),
    Route(
        f"{_PROVIDER}/{{version}}/download/{{os}}/{{arch}}",
        ProviderDownloadHandler,
        _GET,
        "Where a provider's archive is",
    ),
    Route(f"{_PROVIDER}/{{version}}", ProviderUploadHandler, _PUBLISH, "Publish a provider"),
    Route("terraform/{feed}/upload", ProviderUploadHandler, _PUBLISH, "Publish a provider"),
    Route(f"{_MODULE}/versions", ModuleVersionsHandler, _GET, "Versions of a module"),
    Route(
        f"{_MODULE}/{{version}}/download",
        ModuleDownloadHandler,
        _GET,
        "Where a module's archive is",
    ),
    Route(
        f"{_MODULE}/{{version}}",
        ModuleVersionHandler,
        {**_PAGE, **_PUBLISH},
        "A module version, its README; publish it",
    ),
    Route(_MODULE, ModuleHandler, _PAGE, "The newest version of a module, its README"),
    Route(f"{_MIRROR}/index.json", MirrorIndexHandler, _GET, "Network mirror: versions"),
    Route(f"{_MIRROR}/{{version}}.json", MirrorVersionHandler, _GET, "Network mirror: archives"),
    Route(
        "terraform/{feed}/get/{claim}/{filename}",
        GetHandler,
        {"GET": _SIGNED, "HEAD": _SIGNED},
        "A file by its signed address",
    ),
)

TERRAFORM_ROOT_ROUTES: tuple[Route, ...] = (
    Route(
        ".well-known/terraform.json",
        DiscoveryHandler,
        {"GET": _PUBLIC, "HEAD": _PUBLIC},
        "Which feed the host itself stands for",
    ),
    Route("terraform/upload", RootUploadHandler, _PUBLISH, "Publish a provider in that feed"),
)

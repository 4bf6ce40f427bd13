"""The ground of the reading routes of a Terraform feed: the feed, and addresses of single files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from packager_jupyter.errors import PathNotFoundError
from packager_jupyter.server.registry.base import RegistryHandler
from packager_jupyter.signed import sign

if TYPE_CHECKING:
    from packager_jupyter.registries.feeds import TerraformFeed

ADDRESS_PURPOSE = "terraform-file"
ADDRESS_LIFE_S = 3600


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


def unknown(what: str) -> PathNotFoundError:
    """Return the error about a provider or module that the feed does not have."""
    return PathNotFoundError(f"This feed has no {what[:160]}.", remedy="Check its name.")

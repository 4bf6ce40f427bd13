"""The house wired together: opens every room in the right order for one set of settings.

Hosts, the command line and the in-process client all stand on one `Services`. It is safe to share
between threads; everything in it blocks.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from packager_jupyter.io import make_dirs
from packager_jupyter.keys import derive_key, load_master_key
from packager_jupyter.oci.open import open_store
from packager_jupyter.packages.catalog import Packages
from packager_jupyter.registries.feeds import Feeds
from packager_jupyter.registries.terraform.signing import SigningKey
from packager_jupyter.shares.api_tokens import ApiTokens
from packager_jupyter.shares.audit import Audit
from packager_jupyter.shares.declared import declare
from packager_jupyter.shares.shares import Shares
from packager_jupyter.sources.catalog import SourceCatalog
from packager_jupyter.sources.secrets import KeyringSecretStore, SecretStore
from packager_jupyter.store.database import Database

if TYPE_CHECKING:
    from packager_jupyter.config import Settings
    from packager_jupyter.oci.base import OciStore


@dataclass(frozen=True)
class Services:
    """Every room of the core, opened.

    Attributes
    ----------
    local_key : bytes
        Signs the URLs with which a ``local`` source points back at our own server.
    """

    settings: Settings
    db: Database
    sources: SourceCatalog
    oci: OciStore
    packages: Packages
    shares: Shares
    audit: Audit
    tokens: ApiTokens
    feeds: Feeds
    local_key: bytes

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the rooms, creating the data folder (mode 0700) on first use.

        Raises
        ------
        BadInputError
            A setting or the permission of a secret file is wrong.
        StoreCorruptError
            The database cannot be read or is newer than this version.
        """
        data_dir = Path(settings.data_dir)
        make_dirs(data_dir.absolute())
        master = load_master_key(data_dir / "packager.key")
        local_key = derive_key(master, "local-url")
        with ExitStack() as opened:
            db = Database.open(settings.db_url)
            opened.callback(db.close)
            sources = SourceCatalog(
                db,
                (KeyringSecretStore if settings.use_keyring else SecretStore)(
                    data_dir / "secrets", key=derive_key(master, "source-secret")
                ),
                secrets_dir=Path(settings.secrets_dir) if settings.secrets_dir else None,
                local_key=local_key,
            )
            opened.callback(sources.close)
            oci = open_artifact_store(settings)
            opened.callback(oci.close)
            packages = Packages(
                Path(settings.root_dir),
                oci,
                sources,
                data_dir / "cache",
                max_attachment_bytes=settings.max_attachment_bytes,
            )
            shares = Shares(db, packages, key=derive_key(master, "share"), settings=settings)
            feeds = Feeds(
                db,
                oci,
                key=SigningKey(data_dir / "registry.key"),
                declared=settings.feeds,
            )
            opened.pop_all()
        return cls(
            settings=settings,
            db=db,
            sources=sources,
            oci=oci,
            packages=packages,
            shares=shares,
            audit=Audit(db),
            tokens=ApiTokens(db),
            feeds=feeds,
            local_key=local_key,
        )

    def declare_shares(self, *, owner: str) -> None:
        """Make the shares that the settings declare as those of `owner`; a host calls it at start.

        Raises
        ------
        BadInputError
            A declaration is wrong.
        """
        declare(self.shares, self.settings.shares, owner=owner)

    def close(self) -> None:
        """Write what waits, then close connections and files."""
        self.shares.close()
        self.audit.close()
        self.packages.close()
        self.sources.close()
        self.oci.close()
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def open_artifact_store(settings: Settings, *, address: str | None = None) -> OciStore:
    """Return the artifact store of `settings`, or another one reached in the same way.

    The login of a registry comes from the environment (see `RegistryLogin.from_env`), so it stands
    neither in a file of settings nor on a command line.

    Parameters
    ----------
    settings : Settings
    address : str, optional
        Default: ``settings.oci_store``.

    Raises
    ------
    BadInputError
        The address or one of the settings for it is wrong.
    """
    text = address or settings.oci_store
    if "://" not in text:
        return open_store(text)
    # httpx, which the login's module needs, is not loaded for a folder.
    from packager_jupyter.oci.registry_auth import RegistryLogin

    return open_store(
        text,
        login=RegistryLogin.from_env(),
        ca_bundle=Path(settings.oci_ca_bundle) if settings.oci_ca_bundle else None,
        token_hosts=settings.oci_token_hosts,
        plain_http=settings.oci_plain_http,
    )

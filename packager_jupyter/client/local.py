"""The client over the library in this process: no server, the same database and folders."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from packager_jupyter._version import __version__
from packager_jupyter.api import packages as packages_api
from packager_jupyter.api import recorded
from packager_jupyter.api import shares as shares_api
from packager_jupyter.api import sources as sources_api
from packager_jupyter.api.models import read
from packager_jupyter.api.owner import local_owner
from packager_jupyter.api.shapes.shares import NewShare, ShareChange
from packager_jupyter.packages.inventory import open_keys
from packager_jupyter.packages.keys_source import fetch_key_file
from packager_jupyter.shares.audience import WITHOUT_HOST
from packager_jupyter.sources.spec import NONE, CredentialRef, SourceOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from packager_jupyter.client.base import Progress
    from packager_jupyter.services import Services

_PAGE = 1000


class LocalSources:
    """Sources of the library; see `base.Sources`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def list(self) -> Any:
        """See `base.Sources.list`."""
        return sources_api.list_sources(self._services)["items"]

    def add(
        self,
        name: str,
        url: str,
        *,
        options: Mapping[str, Any] | None = None,
        credential: Mapping[str, Any] | None = None,
        secret: Mapping[str, str] | None = None,
    ) -> Any:
        """See `base.Sources.add`."""
        spec = self._services.sources.add(
            name,
            url,
            options=SourceOptions.from_json(options or {}),
            credential=CredentialRef(**credential) if credential else NONE,
            secret=secret,
        )
        recorded.record(self._services, recorded.local_actor(), "source.add", spec.name)
        return spec.to_json()

    def remove(self, name: str) -> None:
        """See `base.Sources.remove`."""
        self._services.sources.remove(name)
        recorded.record(self._services, recorded.local_actor(), "source.remove", name)

    def test(self, name: str) -> Any:
        """See `base.Sources.test`."""
        return sources_api.test_source(self._services, name)

    def entries(self, name: str, prefix: str = "") -> Iterator[Any]:
        """See `base.Sources.entries`."""
        return _pages(
            lambda cursor: sources_api.list_entries(
                self._services, name, prefix=prefix, cursor=cursor, limit=_PAGE
            )
        )

    def presign(
        self, name: str, key: str, *, version_id: str | None = None, ttl_s: int | None = None
    ) -> Any:
        """See `base.Sources.presign`."""
        signed = sources_api.presign(
            self._services,
            name,
            key,
            version_id=version_id,
            ttl_s=ttl_s,
            self_url=self._services.settings.public_url or None,
        )
        recorded.record(self._services, recorded.local_actor(), "source.presign", name)
        return signed


class LocalPackages:
    """Packages of the library; see `base.Packages`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def list(self) -> Any:
        """See `base.Packages.list`."""
        return packages_api.list_packages(self._services)["items"]

    def create(self, name: str, *, title: str | None = None, description: str | None = None) -> Any:
        """See `base.Packages.create`."""
        recorded.create_package(
            self._services, recorded.local_actor(), name, title=title, description=description
        )
        return self.get(name)

    def get(self, name: str) -> Any:
        """See `base.Packages.get`."""
        return packages_api.get_package(self._services, name)

    def delete_draft(self, name: str) -> None:
        """See `base.Packages.delete_draft`."""
        recorded.delete_draft(self._services, recorded.local_actor(), name)

    def add(
        self,
        name: str,
        source: str,
        keys: Sequence[str],
        *,
        to: str = "",
        rename: str | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """See `base.Packages.add`."""
        report = self._services.packages.draft(name).add(
            source,
            keys,
            to=to,
            include=include,
            exclude=exclude,
            rename=rename,
            progress=progress,
        )
        return asdict(report)

    def add_keys(
        self,
        name: str,
        source: str,
        file: str | Path,
        *,
        to: str = "",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """See `base.Packages.add_keys`."""
        draft = self._services.packages.draft(name)
        report = draft.add_keys(
            source,
            open_keys(Path(file)),
            to=to,
            include=include,
            exclude=exclude,
            progress=progress,
        )
        return asdict(report)

    def add_stored_keys(
        self,
        name: str,
        source: str,
        list_source: str,
        list_key: str,
        *,
        to: str = "",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """See `base.Packages.add_stored_keys`."""
        draft = self._services.packages.draft(name)
        limit = self._services.settings.max_key_list_bytes
        with TemporaryDirectory(prefix="packager-keys-") as folder:
            keys = fetch_key_file(
                self._services.sources.open(list_source),
                list_key,
                Path(folder),
                max_bytes=limit,
                progress=progress,
            )
            report = draft.add_keys(
                source, keys, to=to, include=include, exclude=exclude, progress=progress
            )
        return asdict(report)

    def attach(self, name: str, path: str, data: bytes) -> Any:
        """See `base.Packages.attach`."""
        return packages_api.attach(self._services, name, path, data)

    def remove(self, name: str, paths: Sequence[str]) -> Any:
        """See `base.Packages.remove`."""
        return asdict(self._services.packages.draft(name).remove(paths))

    def files(
        self, name: str, *, version: str | None = None, path: str = "", match: str | None = None
    ) -> Iterator[Any]:
        """See `base.Packages.files`."""
        return _pages(
            lambda cursor: packages_api.list_files(
                self._services,
                name,
                version=version,
                path=path,
                match=match,
                cursor=cursor,
                limit=_PAGE,
            )
        )

    def status(self, name: str) -> Any:
        """See `base.Packages.status`."""
        return asdict(self._services.packages.draft(name).status())

    def publish(self, name: str, version: str | None = None) -> Any:
        """See `base.Packages.publish`."""
        done = recorded.publish(self._services, recorded.local_actor(), name, version)
        return packages_api.published(done)

    def versions(self, name: str) -> Any:
        """See `base.Packages.versions`."""
        return packages_api.list_versions(self._services, name)["items"]


class LocalShares:
    """Shares of the library; see `base.Shares`.

    Links begin with `Settings.public_url`; where that is not set they are relative to the root of
    whatever server shows this database.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._actor = recorded.local_actor()

    def list(self) -> Any:
        """See `base.Shares.list`."""
        return shares_api.list_shares(self._services, self._actor.name)["items"]

    def create(self, package: str, **given: Any) -> Any:
        """See `base.Shares.create`."""
        return shares_api.create_share(
            self._services,
            self._actor,
            NewShare(package, **given),
            public_url=self._services.settings.public_url,
        )

    def update(self, share_id: str, **changes: Any) -> Any:
        """See `base.Shares.update`."""
        read(ShareChange, changes)
        return shares_api.change_share(
            self._services,
            self._actor,
            share_id,
            changes,
            public_url=self._services.settings.public_url,
        )

    def rotate(self, share_id: str) -> Any:
        """See `base.Shares.rotate`."""
        return shares_api.rotate_share(
            self._services,
            self._actor,
            share_id,
            public_url=self._services.settings.public_url,
        )

    def link(self, share_id: str) -> str:
        """See `base.Shares.link`."""
        link = shares_api.share_link(
            self._services,
            self._actor,
            share_id,
            public_url=self._services.settings.public_url,
        )
        return str(link["url"])

    def revoke(self, share_id: str) -> None:
        """See `base.Shares.revoke`."""
        recorded.revoke_share(self._services, self._actor, share_id)


class LocalClient:
    """The library as a client; see `base.Client`.

    Parameters
    ----------
    services : Services
        Closed with the client.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.sources = LocalSources(services)
        self.packages = LocalPackages(services)
        self.shares = LocalShares(services)

    def __repr__(self) -> str:
        return f"LocalClient({self._services.settings.data_dir!r})"

    def status(self) -> Any:
        """Say what answers."""
        return {
            "version": __version__,
            "api": 1,
            "host": "library",
            "user": {"name": local_owner()},
            "root_dir": None,
            "audiences": sorted(WITHOUT_HOST),
        }

    def close(self) -> None:
        """Close database and connections."""
        self._services.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _pages(load: Callable[[str | None], Any]) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        page = load(cursor)
        yield from page["items"]
        cursor = page["cursor"]
        if cursor is None:
            return

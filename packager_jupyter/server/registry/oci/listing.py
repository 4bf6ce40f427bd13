"""What there is: tags, referrers and repositories, page by page."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from packager_jupyter.errors import BadInputError, NotAuthenticatedError
from packager_jupyter.oci.base import MEDIA_TYPE_INDEX
from packager_jupyter.oci.manifest import descriptor_json
from packager_jupyter.oci.names import check_digest
from packager_jupyter.server.registry.oci.base import OciHandler
from packager_jupyter.server.registry.oci.errors import RepositoryNotFoundError
from packager_jupyter.server.registry.oci.policy import may

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packager_jupyter.oci.base import Descriptor, OciStore
    from packager_jupyter.registries.feeds import Feeds
    from packager_jupyter.shares.scopes import RegistryScope

T = TypeVar("T")

MAX_PAGE = 1000
_MAX_REFERRERS_BYTES = 2 * 1024 * 1024  # clients need not take manifests over 4 MiB
_MAX_DIGITS = 18


class TagsHandler(OciHandler):
    """``/v2/<repository>/tags/list``."""

    async def get(self, repository: str) -> None:
        """Answer with the tags in order, at most 1,000 at once."""
        parameters = self.parameters()
        size = _page_size(parameters)
        names = await self.call(_tags, self.store, repository)
        page = _page(names, parameters.get("last"), size)
        if page and page[-1] != names[-1]:
            self.link_next(f"{repository}/tags/list", n=size, last=page[-1])
        self.write_json({"name": repository, "tags": page})

    head = get


class ReferrersHandler(OciHandler):
    """``/v2/<repository>/referrers/<digest>``."""

    codes = {"name_invalid": "DIGEST_INVALID"}  # noqa: RUF012  # a ClassVar of the base class

    async def get(self, repository: str, digest: str) -> None:
        """Answer with an index of what refers to a manifest, whether or not that exists."""
        check_digest(digest)
        parameters = self.parameters()
        kind = parameters.get("artifactType")
        found: list[Descriptor] = await self.call(
            self.store.referrers, repository, digest, artifact_type=kind or None
        )
        rows = _page(found, parameters.get("last"), MAX_PAGE, key=lambda one: one.digest)
        kept = _within(rows, _MAX_REFERRERS_BYTES)
        if kind:
            self.set_header("OCI-Filters-Applied", "artifactType")
        if kept and kept[-1]["digest"] != found[-1].digest:
            more = {"artifactType": kind} if kind else {}
            self.link_next(f"{repository}/referrers/{digest}", last=kept[-1]["digest"], **more)
        body = {"schemaVersion": 2, "mediaType": MEDIA_TYPE_INDEX, "manifests": kept}
        self.write_json(body, media_type=MEDIA_TYPE_INDEX)

    head = get


class CatalogHandler(OciHandler):
    """``/v2/_catalog``: the repositories that the token may read."""

    async def admit(self) -> None:
        """Ask for a token; what it may not read is not listed."""
        if self.token is None:
            raise NotAuthenticatedError(
                "The list of repositories needs a token.",
                remedy="Log in with a token that has --scope oci/REPOSITORY-GLOB:read",
            )

    async def get(self) -> None:
        """Answer with the names in order, at most 1,000 at once."""
        parameters = self.parameters()
        size = _page_size(parameters)
        names = await self.call(_readable, self.store, self.scopes, self.services.feeds)
        page = _page(names, parameters.get("last"), size)
        if page and page[-1] != names[-1]:
            self.link_next("_catalog", n=size, last=page[-1])
        self.write_json({"repositories": page})

    head = get


def _page_size(parameters: Mapping[str, str]) -> int:
    text = parameters.get("n")
    if text is None:
        return MAX_PAGE
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise BadInputError(
            f"n is {text[:40]!r}, which is no count.", remedy=f"Give a number up to {MAX_PAGE}."
        )
    return min(int(text), MAX_PAGE)


def _page(
    rows: Sequence[T], last: str | None, size: int, *, key: Callable[[T], str] = str
) -> list[T]:
    """Return the rows behind `last`, which need not exist."""
    start = bisect_right(rows, last, key=key) if last else 0
    return list(rows[start : start + size])


def _within(rows: Sequence[Descriptor], limit_bytes: int) -> list[dict[str, Any]]:
    """Return as many rows as fit, at least one."""
    kept: list[dict[str, Any]] = []
    for row in rows:
        value = descriptor_json(row)
        limit_bytes -= len(orjson.dumps(value))
        if kept and limit_bytes < 0:
            break
        kept.append(value)
    return kept


def _tags(store: OciStore, repository: str) -> list[str]:
    names = store.tag_names(repository)
    if not names and repository not in store.repositories(repository):
        raise RepositoryNotFoundError(
            f"There is no repository {repository!r}.", remedy="Check its name; see /v2/_catalog."
        )
    return names


def _readable(store: OciStore, scopes: Sequence[RegistryScope], feeds: Feeds) -> list[str]:
    return [name for name in store.repositories() if may(scopes, name, "read", feeds=feeds)]

"""Referrers in a registry: by its API, else by the fallback tag of the specification.

A registry without the API answers 404 for a list and sends no ``OCI-Subject`` for a push; then the
list is an index under the tag ``<algorithm>-<hex>`` of the subject, which clients keep themselves
(distribution-spec 1.1, "Referrers Tag Schema"). It is written, read again and, when another writer
came between, written once more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packager_jupyter.errors import BlobNotFoundError, BusyError, ManifestInvalidError
from packager_jupyter.oci.base import MEDIA_TYPE_INDEX
from packager_jupyter.oci.manifest import image_index, parse_manifest
from packager_jupyter.oci.registry_auth import Scope, not_understood
from packager_jupyter.oci.remote_listing import next_link
from packager_jupyter.oci.transport import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from packager_jupyter.oci.base import Descriptor, Manifest
    from packager_jupyter.oci.transport import Transport

_FALLBACK = re.compile(r"sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128}")
_MAX_TRIES = 5


def fallback_tag(digest: str) -> str:
    """Return the tag that lists the referrers of a digest."""
    return digest.replace(":", "-")


def is_fallback_tag(tag: str) -> bool:
    """Say whether a tag is such a list, not a name that somebody gave."""
    return _FALLBACK.fullmatch(tag) is not None


class Referrers:
    """Lists and keeps the referrers of one registry.

    Parameters
    ----------
    transport : Transport
    get : callable
        ``(full repository, tag)`` to manifest; raises `BlobNotFoundError`.
    put : callable
        ``(full repository, tag, index body)``; moves the tag.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        get: Callable[[str, str], Manifest],
        put: Callable[[str, str, bytes], None],
    ) -> None:
        self._transport = transport
        self._get = get
        self._put = put

    def find(self, repo: str, digest: str) -> list[Descriptor]:
        """Return every referrer of `digest`."""
        listed = self._ask(repo, digest)
        return self._fallback(repo, digest) if listed is None else listed

    def has_api(self, repo: str, digest: str) -> bool:
        """Say whether the registry itself keeps the list."""
        return self._ask(repo, digest) is not None

    def add(self, repo: str, subject: str, referrer: Descriptor) -> None:
        """Add an entry to the fallback tag."""
        self._change(
            repo,
            subject,
            lambda found: [*(d for d in found if d.digest != referrer.digest), referrer],
        )

    def discard(self, repo: str, subject: str, digest: str) -> None:
        """Take an entry out of the fallback tag."""
        self._change(repo, subject, lambda found: [d for d in found if d.digest != digest])

    def _change(
        self, repo: str, subject: str, edit: Callable[[list[Descriptor]], list[Descriptor]]
    ) -> None:
        for _ in range(_MAX_TRIES):
            found = self._fallback(repo, subject)
            wanted = edit(found)
            if {d.digest for d in wanted} == {d.digest for d in found}:
                return
            self._put(repo, fallback_tag(subject), image_index(wanted))
        raise BusyError(
            f"Others keep changing what refers to {subject}.",
            remedy="Try again in a moment.",
            retry_after_s=5,
        )

    def _fallback(self, repo: str, digest: str) -> list[Descriptor]:
        try:
            manifest = self._get(repo, fallback_tag(digest))
        except BlobNotFoundError:
            return []
        return list(parse_manifest(manifest.body).manifests)

    def _ask(self, repo: str, digest: str) -> list[Descriptor] | None:
        """Ask the API; None when there is none."""
        scope = Scope.repository(repo, "pull")
        request = Request(
            "GET",
            f"{repo}/referrers/{digest}",
            scope,
            headers={"Accept": MEDIA_TYPE_INDEX},
        )
        found: list[Descriptor] = []
        while True:
            response = self._transport.send(request, ok=(200, 404, 405))
            if response.status_code != 200:  # noqa: PLR2004 - no such API
                return None
            found += _index(response)
            linked = next_link(self._transport, response)
            if linked is None:
                return found
            request = Request("GET", "", scope, url=linked)


def _index(response: httpx.Response) -> tuple[Descriptor, ...]:
    try:
        return parse_manifest(response.content, media_type=MEDIA_TYPE_INDEX).manifests
    except ManifestInvalidError as error:
        raise not_understood(response.request.url.host, status=response.status_code) from error

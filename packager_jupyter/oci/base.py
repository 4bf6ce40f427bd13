"""What an OCI store is: descriptors, manifests, and the Protocol that every store fulfils.

A store holds repositories; a repository holds blobs (bytes under their digest), manifests (small
JSON documents that name blobs or other manifests) and tags (names of manifests). Blobs and
manifests never change; a tag moves only when the caller says `overwrite`. Two stores exist: folders
of OCI layouts (`oci.layout`) and registries that speak the distribution API (`oci.remote`). All
methods block; callers on an event loop use a thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CHUNK_BYTES = 1024 * 1024
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""Largest manifest that we take or make (distribution-spec 1.1, "Pushing Manifests")."""

MEDIA_TYPE_BLOB = "application/octet-stream"
MEDIA_TYPE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_TYPE_INDEX = "application/vnd.oci.image.index.v1+json"
MEDIA_TYPE_EMPTY = "application/vnd.oci.empty.v1+json"

ANNOTATION_REF_NAME = "org.opencontainers.image.ref.name"
ANNOTATION_TITLE = "org.opencontainers.image.title"
ANNOTATION_CREATED = "org.opencontainers.image.created"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Names content by digest, size and kind (image-spec 1.1, "OCI Content Descriptors").

    Attributes
    ----------
    media_type : str
    digest : str
        ``algorithm:hex``.
    size_bytes : int
    annotations : mapping of str to str
        On a descriptor from a layout's ``index.json``: what `OciStore.push_manifest` was given.
    artifact_type : str or None
    platform : mapping or None
        ``os``, ``architecture`` and so on, on the entries of an image index.
    data : bytes or None
        The content itself, embedded; only sensible for a few bytes.
    """

    media_type: str
    digest: str
    size_bytes: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    platform: Mapping[str, Any] | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as it was pushed: `body` hashes to `descriptor.digest`.

    `manifest.parse_manifest` turns the body into checked fields.
    """

    descriptor: Descriptor
    body: bytes


@dataclass(frozen=True, slots=True)
class TagInfo:
    """One tag of a repository and the manifest that it names."""

    tag: str
    descriptor: Descriptor


class OciStore(Protocol):
    """A place for artifacts; see the module's text.

    Every method raises `NameInvalidError` for a name outside the specification's grammar. A
    repository comes into being with its first push; one that does not exist is empty.
    """

    def push_blob(
        self,
        repo: str,
        data: bytes | Iterable[bytes],
        *,
        digest: str | None = None,
        media_type: str = MEDIA_TYPE_BLOB,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Store one blob in constant memory and return its descriptor once it is durable.

        Parameters
        ----------
        repo : str
        data : bytes or iterable of bytes
        digest : str, optional
            What the bytes must hash to.
        media_type, annotations
            Only written into the returned descriptor, for use in a manifest.

        Raises
        ------
        DigestMismatchError
            The bytes do not hash to `digest`; nothing is kept.
        DiskFullError
            Nothing is kept.
        """
        ...

    def push_file(
        self,
        repo: str,
        file: BinaryIO,
        *,
        digest: str,
        size_bytes: int,
        media_type: str = MEDIA_TYPE_BLOB,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Store an open, seekable file whose digest the caller has worked out; as `push_blob`.

        Nobody may write to the file any more: a layout takes a file of `io.open_unnamed` as it is,
        without reading it.
        """
        ...

    def has_blob(self, repo: str, digest: str) -> int | None:
        """Return the size of a blob in bytes, or None when the repository does not hold it."""
        ...

    def read_blob(
        self, repo: str, digest: str, *, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """Yield the bytes ``[start, stop)`` of one blob in chunks of at most 1 MiB.

        A read of the whole blob is hashed on the way; the last chunk is handed out only after the
        digest proved right, so a reader that got every byte got the right ones. A layout does not
        hash again what it hashed within the last hour and nobody wrote to since.

        Raises
        ------
        BlobNotFoundError
            At the call, not at the first chunk.
        StoreCorruptError
            The bytes are not those of the digest.
        """
        ...

    def mount_blob(self, repo: str, digest: str, *, from_repo: str) -> bool:
        """Make a blob of `from_repo` also one of `repo` without sending its bytes.

        Returns False when that cannot be done; the caller then pushes the bytes.
        """
        ...

    def push_manifest(
        self,
        repo: str,
        body: bytes,
        *,
        media_type: str,
        tag: str | None = None,
        overwrite: bool = False,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Publish a manifest, under a tag when one is given.

        The same digest under the same tag changes nothing, its annotations included.

        Parameters
        ----------
        repo : str
        body : bytes
            Kept byte for byte.
        media_type : str
            Must agree with the body.
        tag : str, optional
        overwrite : bool, default False
            Whether a tag that names another manifest moves to this one.
        annotations : mapping of str to str, optional
            Notes about this tag, outside the digest. A layout keeps them and gives them back on
            the descriptors of `tags`, `resolve` and `get_manifest`; a registry has no place for
            them and drops them.

        Raises
        ------
        ManifestInvalidError
            The body is no manifest of `media_type`.
        ManifestBlobUnknownError
            It names a blob or manifest that the repository does not hold in that size.
        ConflictError
            The tag names another manifest and `overwrite` is False. Of several writers of one new
            tag exactly one wins.
        """
        ...

    def get_manifest(self, repo: str, reference: str) -> Manifest:
        """Return the manifest that a tag or digest names, digest checked.

        Raises
        ------
        BlobNotFoundError
            There is none.
        StoreCorruptError
            Its bytes are not those of the digest.
        """
        ...

    def resolve(self, repo: str, reference: str) -> Descriptor:
        """Return the descriptor that a tag or digest names, without its body.

        Raises
        ------
        BlobNotFoundError
            There is none.
        """
        ...

    def tag_names(self, repo: str) -> list[str]:
        """Return all tags, sorted; one call however many manifests there are."""
        ...

    def tags(self, repo: str) -> list[TagInfo]:
        """Return all tags with their descriptors, sorted by tag.

        A registry is asked once per tag; use `tag_names` where the names are enough.
        """
        ...

    def referrers(
        self, repo: str, digest: str, *, artifact_type: str | None = None
    ) -> list[Descriptor]:
        """Return the manifests whose ``subject`` is `digest`, sorted by digest.

        The descriptors carry the artifact type and the annotations of those manifests
        (distribution-spec 1.1, "Listing Referrers").
        """
        ...

    def delete_tag(self, repo: str, tag: str) -> None:
        """Take the name away; the manifest stays readable by digest until it is collected.

        Raises
        ------
        BlobNotFoundError
            There is no such tag.
        """
        ...

    def delete_manifest(self, repo: str, digest: str) -> None:
        """Take away a manifest and every tag that names it.

        Raises
        ------
        BlobNotFoundError
            There is no such manifest.
        ConflictError
            An image index of the repository still names it.
        """
        ...

    def repositories(self, prefix: str = "") -> list[str]:
        """Return the repositories that hold a manifest, sorted.

        Parameters
        ----------
        prefix : str
            Whole components: ``packages`` yields ``packages`` and ``packages/…``, never
            ``packages2``. Empty: all.
        """
        ...

    def change_stamp(self, repo: str) -> object | None:
        """Return a value that differs whenever the tags of `repo` may have changed.

        It costs no waiting, so an event loop may ask. None where only a request could tell (a
        registry) or where the last change is too young to tell from the next.
        """
        ...

    def close(self) -> None:
        """Release connections and caches. A closed store is not used again."""
        ...

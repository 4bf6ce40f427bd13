"""The layout store: one OCI image layout per repository, below one folder.

``<root>/<repository>/{oci-layout,index.json,blobs/<algorithm>/<hex>}`` is what image-spec 1.1
("Image Layout") describes, so ``skopeo``, ``oras`` and ``crane`` read every repository as it lies.
``<root>/<repository>/.packager`` is ours: temporary files, trash and the lock.

Order of a publish: the blob's bytes are hashed into a temporary file, checked, fsynced and renamed
to their digest, the folder is fsynced; under the lock ``index.json`` is read, checked for a
conflict, replaced and its folder fsynced; only then the call returns. The lock is a ``flock``: it
works between processes of one host. Let several hosts write through one of them or through a
registry.

Repository names nest (``packages/a`` and ``packages/a/b`` may both exist), so a component that is
called like a member of a layout (``blobs``, ``index.json``, ``oci-layout``) lies in a folder with
``_`` before its name, which no component can have.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, BinaryIO

from packager_jupyter.errors import (
    BadInputError,
    BlobNotFoundError,
    BusyError,
    ConflictError,
    ManifestBlobUnknownError,
)
from packager_jupyter.io import file_lock, fsync_dir, make_dirs, write_atomic
from packager_jupyter.oci.base import (
    ANNOTATION_REF_NAME,
    MEDIA_TYPE_BLOB,
    Descriptor,
    Manifest,
    TagInfo,
)
from packager_jupyter.oci.blobs import (
    PRIVATE_FOLDER,
    BlobFolder,
    chunks_of,
    explain_disk,
    mismatch,
    not_found,
)
from packager_jupyter.oci.layout_index import RESERVED_KEYS, UNTAGGED_KEY, IndexCache
from packager_jupyter.oci.layout_walk import (
    INDEX_FILE,
    LAYOUT_FILE,
    ManifestReader,
    repository_folder,
    walk_repositories,
)
from packager_jupyter.oci.manifest import (
    as_referrer,
    descriptor_json,
    parse_manifest,
)
from packager_jupyter.oci.names import (
    check_digest,
    check_reference,
    check_repository,
    check_tag,
    digest_bytes,
    is_digest,
    split_digest,
)
from packager_jupyter.oci.verified import Verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from packager_jupyter.oci.blobs import BlobWriter
    from packager_jupyter.oci.layout_index import LayoutIndex
    from packager_jupyter.oci.manifest import ManifestContent

_LAYOUT_BYTES = b'{"imageLayoutVersion":"1.0.0"}'
_LOCKS = 64


class LayoutStore:
    """An `OciStore` in a folder; safe to share between threads and processes of one host.

    Parameters
    ----------
    root : Path
        Folder of all repositories; made on the first push.
    lock_timeout_s : float, default 30.0
        How long a publish waits for another one of the same repository before `BusyError`.
    """

    def __init__(self, root: Path, *, lock_timeout_s: float = 30.0) -> None:
        self.root = root
        self.manifests = ManifestReader()
        self._cache = IndexCache()
        self._verified = Verified()
        self._lock_timeout_s = lock_timeout_s
        # flock is polled; a queue per process in front keeps its threads from starving each other.
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    def __repr__(self) -> str:
        return f"LayoutStore({str(self.root)!r})"

    def folder(self, repo: str) -> Path:
        """Return the folder of a repository."""
        return repository_folder(self.root, check_repository(repo))

    def blobs(self, repo: str) -> BlobFolder:
        """Return the blobs of a repository."""
        return BlobFolder(self.folder(repo), self._verified)

    def index(self, repo: str) -> LayoutIndex:
        """Return what ``index.json`` says now."""
        return self._cache.load(self.folder(repo) / INDEX_FILE, where=repo)

    def change_stamp(self, repo: str) -> object | None:
        """Return what changes with ``index.json``; see `OciStore.change_stamp`."""
        return self._cache.stamp(self.folder(repo) / INDEX_FILE)

    @contextlib.contextmanager
    def lock(self, repo: str) -> Iterator[None]:
        """Hold the publish lock of a repository; raises `BusyError` after the time-out."""
        folder = self.folder(repo) / PRIVATE_FOLDER
        make_dirs(folder)
        queue = self._locks[hash(repo) % _LOCKS]
        if not queue.acquire(timeout=self._lock_timeout_s):
            raise BusyError(
                f"{repo} is being changed by many others.",
                remedy="Wait until the other work ends, then try again.",
                retry_after_s=5,
            )
        try:
            with file_lock(folder / "index.lock", timeout_s=self._lock_timeout_s):
                yield
        finally:
            queue.release()

    def write_index(self, repo: str, index: LayoutIndex) -> None:
        """Replace ``index.json`` durably; only while holding `lock`."""
        folder = self.folder(repo)
        target = folder / INDEX_FILE
        if not target.exists():
            self.write_layout_file(repo)
            self._settle_folders(folder)
        write_atomic(target, index.to_bytes())
        self._cache.keep(target, index)

    def write_layout_file(self, repo: str) -> None:
        """Write the ``oci-layout`` file by which other tools know a layout."""
        write_atomic(self.folder(repo) / LAYOUT_FILE, _LAYOUT_BYTES)

    def _settle_folders(self, folder: Path) -> None:
        """Make the names of a new repository's folders durable.

        Another process may have made them and have been killed before its own fsync.
        """
        fsync_dir(folder / "blobs")
        while folder != self.root:
            fsync_dir(folder)
            folder = folder.parent
        fsync_dir(self.root)
        fsync_dir(self.root.parent)

    @explain_disk()
    def push_blob(
        self,
        repo: str,
        data: bytes | Iterable[bytes],
        *,
        digest: str | None = None,
        media_type: str = MEDIA_TYPE_BLOB,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """See `OciStore.push_blob`."""
        blobs = self.blobs(repo)
        if isinstance(data, bytes):
            found = digest_bytes(data, algorithm=split_digest(digest)[0] if digest else "sha256")
            if digest not in (None, found):
                raise mismatch(str(digest), found)
            if blobs.keep(found, len(data)):
                return Descriptor(media_type, found, len(data), dict(annotations or {}))
            data = (data,)
        with blobs.ingest(digest=digest) as writer:
            for chunk in data:
                writer.write(chunk)
            found = writer.commit()
        return Descriptor(media_type, found, writer.size_bytes, dict(annotations or {}))

    @explain_disk()
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
        """See `OciStore.push_file`; a file of `io.open_unnamed` only gets a name."""
        blobs = self.blobs(repo)
        if blobs.keep(digest, size_bytes) or blobs.adopt(file, digest):
            return Descriptor(media_type, digest, size_bytes, dict(annotations or {}))
        return self.push_blob(
            repo, chunks_of(file), digest=digest, media_type=media_type, annotations=annotations
        )

    def ingest(
        self, repo: str, *, digest: str | None = None
    ) -> contextlib.AbstractContextManager[BlobWriter]:
        """Return a context that takes a blob piece by piece; see `BlobWriter`."""
        return self.blobs(repo).ingest(digest=digest)

    @explain_disk()
    def has_blob(self, repo: str, digest: str) -> int | None:
        """See `OciStore.has_blob`."""
        return self.blobs(repo).wanted_size(digest)

    def read_blob(
        self, repo: str, digest: str, *, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """See `OciStore.read_blob`."""
        return self.blobs(repo).read(digest, start=start, stop=stop)

    @explain_disk()
    def mount_blob(self, repo: str, digest: str, *, from_repo: str) -> bool:
        """See `OciStore.mount_blob`; costs no space, the bytes get a second name."""
        return self.blobs(repo).link_from(self.blobs(from_repo), check_digest(digest))

    @explain_disk()
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
        """See `OciStore.push_manifest`."""
        content = parse_manifest(body, media_type=media_type)
        entry = _entry(body, content, tag, annotations)
        index = self.index(repo)
        published = _published(repo, entry, tag, index, overwrite=overwrite)
        if published is None:
            self._check_references(repo, content, index)
        # Also when it is published, as this mends damaged bytes.
        self.push_blob(repo, body)
        if published:
            # Another writer may have renamed index.json without having reached its fsync yet.
            fsync_dir(self.folder(repo))
            return published
        with self.lock(repo):
            index = self.index(repo)
            published = _published(repo, entry, tag, index, overwrite=overwrite)
            if published:
                return published
            # Again, as the collector may have come between.
            self._check_references(repo, content, index)
            self.write_index(
                repo, index.with_entry(descriptor_json(entry), keep=self._keeper(repo))
            )
        return entry

    def _keeper(self, repo: str) -> Callable[[Descriptor], bool]:
        blobs = self.blobs(repo)
        return lambda descriptor: self.manifests.has_subject(blobs, descriptor)

    def _check_references(self, repo: str, content: ManifestContent, index: LayoutIndex) -> None:
        blobs = self.blobs(repo)
        unknown = [part for part in content.blobs() if blobs.size(part.digest) != part.size_bytes]
        others = [
            child
            for child in content.manifests
            if (listed := index.find(child.digest)) is None or listed.size_bytes != child.size_bytes
        ]
        if others:
            nested = self.manifests.nested(blobs, index)
            unknown += [
                child
                for child in others
                if child.digest not in nested or nested[child.digest].size_bytes != child.size_bytes
            ]
        if unknown:
            raise ManifestBlobUnknownError(
                f"The manifest names {unknown[0].digest} with {unknown[0].size_bytes:,} bytes, "
                f"which {repo} does not hold.",
                remedy="Push every blob and manifest that it names first, then the manifest.",
                details=", ".join(part.digest for part in unknown[:20]),
            )

    @explain_disk()
    def get_manifest(self, repo: str, reference: str) -> Manifest:
        """See `OciStore.get_manifest`."""
        descriptor = self.resolve(repo, reference)
        return Manifest(descriptor, self.manifests.body(self.blobs(repo), descriptor))

    @explain_disk()
    def resolve(self, repo: str, reference: str) -> Descriptor:
        """See `OciStore.resolve`."""
        check_reference(reference)
        index = self.index(repo)
        found = index.find(reference)
        if found is None and is_digest(reference):
            found = self.manifests.nested(self.blobs(repo), index).get(reference)
        if found is None:
            raise _no_manifest(repo, reference)
        return found

    @explain_disk()
    def tag_names(self, repo: str) -> list[str]:
        """See `OciStore.tag_names`."""
        return sorted(self.index(repo).tags)

    @explain_disk()
    def tags(self, repo: str) -> list[TagInfo]:
        """See `OciStore.tags`."""
        index = self.index(repo)
        return [TagInfo(tag, index.descriptor(index.tags[tag])) for tag in sorted(index.tags)]

    @explain_disk()
    def referrers(
        self, repo: str, digest: str, *, artifact_type: str | None = None
    ) -> list[Descriptor]:
        """See `OciStore.referrers`."""
        check_digest(digest)
        blobs = self.blobs(repo)
        found = []
        for descriptor in self.index(repo).unique():
            content = self.manifests.content(blobs, descriptor)
            is_wanted = artifact_type in (None, content.artifact_type)
            if content.subject and content.subject.digest == digest and is_wanted:
                found.append(as_referrer(descriptor, content))
        return sorted(found, key=lambda descriptor: descriptor.digest)

    @explain_disk()
    def delete_tag(self, repo: str, tag: str) -> None:
        """See `OciStore.delete_tag`."""
        check_tag(tag)
        if tag not in self.index(repo).tags:
            raise _no_manifest(repo, tag)
        with self.lock(repo):
            index = self.index(repo)
            if tag not in index.tags:
                raise _no_manifest(repo, tag)
            self.write_index(repo, index.without_tag(tag, keep=self._keeper(repo)))

    @explain_disk()
    def delete_manifest(self, repo: str, digest: str) -> None:
        """See `OciStore.delete_manifest`."""
        self.resolve(repo, check_digest(digest))
        with self.lock(repo):
            index = self.index(repo)
            rest = index.without_digests([digest])
            if digest in self.manifests.nested(self.blobs(repo), rest):
                raise ConflictError(
                    f"{digest} is part of an index in {repo}.",
                    remedy="Delete the index that names it first.",
                )
            if len(rest.entries) == len(index.entries):
                raise _no_manifest(repo, digest)
            self.write_index(repo, rest)

    @explain_disk()
    def repositories(self, prefix: str = "", *, every: bool = False) -> list[str]:
        """See `OciStore.repositories`; with `every` also repositories without a manifest."""
        name = prefix.rstrip("/")
        top = check_repository(name) if name else ""
        return sorted(walk_repositories(self.root, top, every=every))

    def close(self) -> None:
        """See `OciStore.close`."""
        self._cache.clear()


def _entry(
    body: bytes, content: ManifestContent, tag: str | None, annotations: Mapping[str, str] | None
) -> Descriptor:
    notes = dict(annotations or {})
    if not RESERVED_KEYS.isdisjoint(notes):
        raise BadInputError(
            "An annotation of a tag has a name that the store uses itself.",
            remedy=f"Do not use {', '.join(sorted(RESERVED_KEYS))}.",
        )
    if tag is not None:
        notes[ANNOTATION_REF_NAME] = check_tag(tag)
    return Descriptor(
        content.media_type, digest_bytes(body), len(body), notes, content.artifact_type
    )


def _published(
    repo: str, entry: Descriptor, tag: str | None, index: LayoutIndex, *, overwrite: bool
) -> Descriptor | None:
    """Return the entry that makes publishing `entry` needless, if there is one."""
    known = index.find(entry.digest if tag is None else tag)
    if known is None or UNTAGGED_KEY in known.annotations:
        return None
    if known.digest == entry.digest:
        return known
    if not overwrite:
        raise ConflictError(
            f"{repo}:{tag} already names other content.",
            remedy="Published content does not change: choose another tag.",
            details=f"present {known.digest}, offered {entry.digest}",
        )
    return None


def _no_manifest(repo: str, reference: str) -> BlobNotFoundError:
    if is_digest(reference):
        return not_found(reference)
    return BlobNotFoundError(
        f"{repo} has no {reference!r}.",
        remedy="Check the name and the tag; it may have been deleted.",
    )

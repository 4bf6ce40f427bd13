"""``hf/…``: a share as huggingface_hub reads a repository, with ``HF_ENDPOINT`` at ``…/hf``.

The share is one repository, dataset and model alike, named as its package; one without a namespace
is also to be had in that of `exports.huggingface.NAMESPACE`. HEAD of a file answers
itself: the client would follow a redirect to the same host and miss the commit there, so every
answer about a file carries it. What is missing is told by ``X-Error-Code``, which the client turns
into its own exceptions.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs

from packager_jupyter.errors import BadInputError, NotFoundError, PathNotFoundError
from packager_jupyter.exports import huggingface as hf
from packager_jupyter.exports.base import Place
from packager_jupyter.server.query import parse_query
from packager_jupyter.server.rules import Route, Rule
from packager_jupyter.server.share.exports import CreatedHandler
from packager_jupyter.server.share.files import FilesHandler
from packager_jupyter.server.share.index import has_folder
from packager_jupyter.server.share.objects import PointerHandler
from packager_jupyter.server.share.sending import Sending
from packager_jupyter.server.strict_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from packager_jupyter.packages.version import Version
    from packager_jupyter.server.rules import Verb
    from packager_jupyter.shares.model import Share

MAX_PATHS = 1000
REPO_MISSING, REVISION_MISSING, ENTRY_MISSING = "RepoNotFound", "RevisionNotFound", "EntryNotFound"


class HubHandler(CreatedHandler):
    """A route below ``hf/``."""

    audit_action: ClassVar[str] = "share.hf"
    missing = REPO_MISSING

    async def repository(
        self, share: str, kind: str, package: str, revision: str
    ) -> tuple[Share, Version]:
        """Return the share and its version when the client asks for exactly that.

        Raises
        ------
        NotFoundError
            It asks for another repository or revision.
        """
        opened = await self.visit(share)
        version = await self.version(opened)
        names = {version.name, hf.repository_of(version.name)}
        if kind not in hf.KINDS or package not in names:
            raise NotFoundError(
                "This share holds no such repository.",
                remedy=f"Ask for {hf.repository_of(version.name)!r}, as a dataset or a model.",
            )
        if not hf.is_revision(version, revision):
            self.missing = REVISION_MISSING
            raise NotFoundError(
                "This share holds no such revision.",
                remedy=f"Leave the revision out, or ask for {version.version!r}.",
            )
        self.missing = ENTRY_MISSING
        return opened, version

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with a failure, and with the code that the client looks for."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        if isinstance(error, NotFoundError):
            self.set_header("X-Error-Code", self.missing)
        super().write_error(status_code, **kwargs)

    async def send_json(
        self, version: Version, what: str, make: Callable[[Place], Iterator[bytes]]
    ) -> None:
        """Send what `make` yields; `what` tells apart what this version is asked for."""
        place = Place(self.share_url, await self.created_s(version))
        text = f"hf-1 {what} {version.digest} {version.name}@{version.version} {place}"
        sending = Sending(
            self,
            filename="answer.json",
            media_type="application/json",
            etag=hashlib.sha256(text.encode()).hexdigest()[:40],
            is_inline=True,
        )
        self.note(self.audit_action, "ok")
        await sending.send_all(lambda: make(place))


class HubInfoHandler(HubHandler):
    """``api/<kind>/<repository>``, with or without a revision."""

    async def get(self, share: str, kind: str, package: str, revision: str = hf.BRANCH) -> None:
        """Describe the repository."""
        _, version = await self.repository(share, kind, package, revision)
        totals = await self.call(version.totals)
        with_files = totals.files <= hf.MAX_SIBLINGS
        await self.send_json(
            version, "info", lambda place: hf.info(version, place, with_files=with_files)
        )

    head = get


class HubTreeHandler(HubHandler):
    """``api/<kind>/<repository>/tree/<revision>/<folder>``."""

    async def get(self, share: str, kind: str, package: str, revision: str, path: str = "") -> None:
        """List a folder, or everything below it."""
        _, version = await self.repository(share, kind, package, revision)
        folder = path.strip("/")
        if not await self.call(has_folder, version, folder):
            raise _no_entry()
        is_deep = parse_query(self.request.query).get("recursive", "").lower() in {"true", "1"}
        await self.send_json(
            version,
            f"tree {is_deep} {folder}",
            lambda place: hf.tree(version, place, folder=folder, is_deep=is_deep),
        )

    head = get


class HubPathsHandler(HubHandler, PointerHandler):
    """``api/<kind>/<repository>/paths-info/<revision>``: what is known of the paths in the body.

    A POST that changes nothing, as the client has more paths than an address can hold.
    """

    async def post(self, share: str, kind: str, package: str, revision: str) -> None:
        """Return the entries of the paths that there are."""
        _, version = await self.repository(share, kind, package, revision)
        found: list[dict[str, Any]] = []
        for path in self._paths():
            found += await self._entry(version, path.strip("/"))
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.note(self.audit_action, "ok")
        self.finish(hf.as_list(found))

    def check_xsrf_cookie(self) -> None:
        """Leave Tornado's check out: nothing is changed, and strangers have no session."""

    async def _entry(self, version: Version, path: str) -> list[dict[str, Any]]:
        pointer = await self.pointer(version, path) if path else None
        if pointer is not None:
            return [hf.file_entry(pointer)]
        if any(one.path == path for one in version.attachments()):
            return [hf.attachment_entry(path, await self.call(version.read_attachment, path))]
        is_folder = bool(path) and await self.call(has_folder, version, path)
        return [hf.folder_entry(path)] if is_folder else []

    def _paths(self) -> list[str]:
        media_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip()
        if media_type == "application/json":
            record = parse_json(self.body)
            paths = record.get("paths") if isinstance(record, dict) else None
        else:
            try:
                fields = parse_qs(self.body.decode(), max_num_fields=MAX_PATHS + 10)
            except ValueError as error:
                raise _bad_paths() from error
            paths = fields.get("paths", [])
        if isinstance(paths, str):
            paths = [paths]
        if not isinstance(paths, list) or len(paths) > MAX_PATHS:
            raise _bad_paths()
        if not all(isinstance(path, str) for path in paths):
            raise _bad_paths()
        return paths


class HubFileHandler(HubHandler, FilesHandler):
    """``<repository>/resolve/<revision>/<path>``: the bytes of a file, by redirect."""

    kind: ClassVar[str] = "datasets"

    async def get(  # type: ignore[override]
        self, share: str, package: str, revision: str, path: str
    ) -> None:
        """Redirect to the bytes, or answer with those of an attachment."""
        opened, version = await self.repository(share, self.kind, package, revision)
        self.set_header("X-Repo-Commit", hf.commit_of(version.digest))
        pointer = await self.pointer(version, path) if path else None
        if pointer is not None:
            self._tell(hf.etag_of(pointer), pointer.size_bytes)
            if self.request.method == "HEAD":
                await self.describe_file(pointer)
            else:
                await self.check(pointer)
                await self.redirect_to(opened, pointer)
            return
        size_bytes = {one.path: one.size_bytes for one in version.attachments()}.get(path)
        if size_bytes is None:
            raise _no_entry()
        data = await self.call(version.read_attachment, path)
        self._tell(hashlib.sha256(data).hexdigest(), size_bytes)
        await self.send_attachment(opened, version, path)

    head = get  # type: ignore[assignment]

    def _tell(self, etag: str, size_bytes: int) -> None:
        self.set_header("X-Linked-Etag", f'"{etag}"')
        self.set_header("X-Linked-Size", str(size_bytes))


class HubModelFileHandler(HubFileHandler):
    """The same below the address of a model."""

    kind: ClassVar[str] = "models"


def _no_entry() -> PathNotFoundError:
    return PathNotFoundError(
        "This package has no such file or folder.",
        remedy="Look at the share's page for what it holds.",
    )


def _bad_paths() -> BadInputError:
    return BadInputError(
        "The body names no list of paths.",
        remedy=f"Send a field or a JSON list 'paths' of at most {MAX_PATHS} texts.",
    )


_RULE = Rule("share", "packager:shares", "read")
_READ: Mapping[Verb, Rule] = {"GET": _RULE, "HEAD": _RULE}
_HUB = "s/{share}/hf"
_HUB_API = f"{_HUB}/api/{{kind}}/{{package}}"
HUB_ROUTES = [
    Route(f"{_HUB_API}/tree/{{revision}}", HubTreeHandler, _READ, "Hugging Face: files"),
    Route(
        f"{_HUB_API}/tree/{{revision}}/{{path}}",
        HubTreeHandler,
        _READ,
        "Hugging Face: files of a folder",
    ),
    Route(
        f"{_HUB_API}/paths-info/{{revision}}",
        HubPathsHandler,
        {"POST": _RULE},
        "Hugging Face: facts of some paths",
    ),
    Route(
        f"{_HUB_API}/revision/{{revision}}",
        HubInfoHandler,
        _READ,
        "Hugging Face: the repository at a revision",
    ),
    Route(_HUB_API, HubInfoHandler, _READ, "Hugging Face: the repository"),
    Route(
        f"{_HUB}/datasets/{{package}}/resolve/{{revision}}/{{path}}",
        HubFileHandler,
        _READ,
        "Hugging Face: a file of the dataset",
    ),
    Route(
        f"{_HUB}/{{package}}/resolve/{{revision}}/{{path}}",
        HubModelFileHandler,
        _READ,
        "Hugging Face: a file of the model",
    ),
]

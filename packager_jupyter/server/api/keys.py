"""Adding by a list of keys over REST: sent along, or lying in a source. Nothing is listed.

The list goes into a folder of ours while it is received; the job reads it from there, and the
folder goes when whoever holds it is done, or never began.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from packager_jupyter.api.shapes.common import JobShown
from packager_jupyter.api.shapes.packages import KeysToAdd
from packager_jupyter.io import explain_disk_full, make_dirs
from packager_jupyter.packages.inventory import open_keys
from packager_jupyter.packages.keys_source import fetch_key_file, file_name
from packager_jupyter.server.api.packages import BYTES, RESOURCE, PackageHandler
from packager_jupyter.server.rules import Operation, Query, Route, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from packager_jupyter.packages.draft import Draft
    from packager_jupyter.packages.inventory import KeyFile
    from packager_jupyter.server.jobs import Job, Progress


class Incoming:
    """A folder below the data folder that is removed when nobody holds this object any more."""

    def __init__(self, data_dir: str) -> None:
        parent = Path(data_dir) / "incoming"
        with explain_disk_full("the list of keys"):
            make_dirs(parent)
            self.path = Path(tempfile.mkdtemp(prefix="keys-", dir=parent))
        self.close = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class _AddHandler(PackageHandler):
    """What both ways of adding by a list share."""

    async def find(self, package: str, *sources: str) -> Draft:
        """Return the draft; what is not there is said now, not in the job."""
        draft = await self.call(self.services.packages.draft, package)
        for source in sources:
            await self.call(self.services.sources.spec, source)
        return draft

    def start_job(
        self, draft: Draft, folder: Incoming, read: Callable[[Progress], KeyFile], **options: Any
    ) -> Job:
        """Begin to add what the file says that `read` gives."""

        def add(progress: Progress) -> dict[str, Any]:
            try:
                keys = read(progress)
                return asdict(draft.add_keys(keys=keys, progress=progress, **options))
            finally:
                folder.close()

        return self.context.jobs.start(
            "add", subject=draft.name, owner=self.principal.name, work=add
        )


class KeysHandler(_AddHandler):
    """``api/v1/packages/<name>/keys``."""

    def initialize(self) -> None:
        """Start without a folder."""
        super().initialize()
        self._folder: Incoming | None = None
        self._file: BinaryIO | None = None
        self._received = 0

    def body_limit(self) -> int:
        """Return the limit of a list."""
        return self.services.settings.max_key_list_bytes

    async def prepare(self) -> None:
        """Let in who may write, then make room for the list."""
        await super().prepare()
        if self.request.method != "POST":
            return
        query = self.query()
        self._folder = Incoming(self.services.settings.data_dir)
        with explain_disk_full("the list of keys"):
            self._file = (self._folder.path / file_name(query["name"])).open("xb")

    def data_received(self, chunk: bytes) -> None:
        """Write the next bytes; whoever was refused in `prepare` sends in vain."""
        if self._file is None:
            return
        self._received += len(chunk)
        if self._received > self.body_limit():
            raise self._too_large()
        with explain_disk_full("the list of keys"):
            self._file.write(chunk)

    async def post(self, package: str) -> None:
        """Add what the list of the body names."""
        query = self.query()
        draft = await self.find(package, query["source"])
        folder, file = self._folder, self._file
        if folder is None or file is None:  # the compiler's case: prepare has run
            raise self._too_large()
        path = Path(str(file.name))
        with explain_disk_full("the list of keys"):
            file.close()

        def read(_progress: Progress) -> KeyFile:
            keys = open_keys(path)
            return replace(keys, bucket=query["bucket"]) if query["bucket"] else keys

        job = self.start_job(
            draft,
            folder,
            read,
            source=query["source"],
            to=query["to"],
            include=_patterns(query["include"]),
            exclude=_patterns(query["exclude"]),
        )
        self._folder = self._file = None  # the job's from now on
        self.write_json(job.to_json(), status=202)

    def on_finish(self) -> None:
        """Let go of a list that no job took."""
        self._drop()
        super().on_finish()

    def on_connection_close(self) -> None:
        """Let go of a list whose sender went away."""
        self._drop()
        super().on_connection_close()

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._folder is not None:
            self._folder.close()
        self._folder = self._file = None


class StoredKeysHandler(_AddHandler):
    """``api/v1/packages/<name>/keys/stored``."""

    async def post(self, package: str) -> None:
        """Add what a list in a source names."""
        wanted = self.read_body(KeysToAdd)
        draft = await self.find(package, wanted.source, wanted.list_source)
        folder = Incoming(self.services.settings.data_dir)
        limit = self.services.settings.max_key_list_bytes

        def read(progress: Progress) -> KeyFile:
            source = self.services.sources.open(wanted.list_source)
            return fetch_key_file(
                source, wanted.list_key, folder.path, max_bytes=limit, progress=progress
            )

        job = self.start_job(
            draft,
            folder,
            read,
            source=wanted.source,
            to=wanted.to,
            include=tuple(wanted.include),
            exclude=tuple(wanted.exclude),
        )
        self.write_json(job.to_json(), status=202)


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.split("\n") if line)


def _rule(operation: Operation) -> Rule:
    return Rule("user", RESOURCE, "write", operation)


KEY_ROUTES = [
    Route(
        "api/v1/packages/{package}/keys",
        KeysHandler,
        {
            "POST": _rule(
                Operation(
                    summary="Add the objects that a list of keys names, without listing anything: "
                    "a CSV, JSONL or Parquet file with a column `key`",
                    request_media_type=BYTES,
                    responses={202: JobShown},
                    query=(
                        Query("source", "The source that the keys are about.", is_required=True),
                        Query("to", "Folder in the package.", default=""),
                        Query("include", "Only paths like one of these globs, one a line.",
                              default=""),
                        Query("exclude", "No paths like one of these globs, one a line.",
                              default=""),
                        Query("bucket", "The keys are those of this whole bucket, not of the "
                              "source; what lies outside of the source is left out.", default=""),
                        Query("name", "Name of the list, for messages.", default="list"),
                    ),
                )
            )
        },
        "Adding by a list of keys",
    ),
    Route(
        "api/v1/packages/{package}/keys/stored",
        StoredKeysHandler,
        {
            "POST": _rule(
                Operation(
                    summary="Add the objects that a list of keys names which lies in a source, "
                    "an S3 Inventory included",
                    request=KeysToAdd,
                    responses={202: JobShown},
                )
            )
        },
        "Adding by a list that lies in a source",
    ),
]  # fmt: skip

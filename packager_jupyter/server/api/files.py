"""The files of a package over REST: page through them, add, remove, move."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from packager_jupyter.api import packages as api
from packager_jupyter.api.packages import DEFAULT_ROWS, MAX_ROWS
from packager_jupyter.api.shapes.common import JobShown
from packager_jupyter.api.shapes.packages import (
    FileList,
    FilesToAdd,
    FilesToMove,
    FilesToRemove,
    PackageWhole,
    Removed,
)
from packager_jupyter.server.api.packages import RESOURCE, VERSION, PackageHandler
from packager_jupyter.server.rules import Operation, Query, Route, Rule

if TYPE_CHECKING:
    from packager_jupyter.server.jobs import Progress


class FilesHandler(PackageHandler):
    """``api/v1/packages/<name>/files``."""

    async def get(self, package: str) -> None:
        """Return one page of one folder with the totals of everything below it."""
        self.write_json(await self.call(api.list_files, self.services, package, **self.query()))

    async def post(self, package: str) -> None:
        """Add files and folders in the background, all of them or none."""
        wanted = self.read_body(FilesToAdd)
        draft = await self.call(self.services.packages.draft, package)
        await self.call(self.services.sources.spec, wanted.source)

        def add(progress: Progress) -> dict[str, Any]:
            report = draft.add(
                wanted.source,
                wanted.keys,
                to=wanted.to,
                include=tuple(wanted.include),
                exclude=tuple(wanted.exclude),
                rename=wanted.rename,
                progress=progress,
            )
            return asdict(report)

        job = self.context.jobs.start("add", subject=package, owner=self.principal.name, work=add)
        self.write_json(job.to_json(), status=202)

    async def delete(self, package: str) -> None:
        """Take paths out of the draft, all of them or none."""
        paths = self.read_body(FilesToRemove).paths
        report = await self.call(lambda: self.services.packages.draft(package).remove(paths))
        self.write_json(asdict(report))


class MoveHandler(PackageHandler):
    """``api/v1/packages/<name>/move``."""

    async def post(self, package: str) -> None:
        """Give a file or folder of the draft another path."""
        wanted = self.read_body(FilesToMove)
        await self.call(lambda: self.services.packages.draft(package).move(wanted.from_, wanted.to))
        self.write_json(await self.whole(package))


def _rule(action: Any, operation: Operation) -> Rule:
    return Rule("user", RESOURCE, action, operation)


FILE_ROUTES = [
    Route(
        "api/v1/packages/{package}/files",
        FilesHandler,
        {
            "GET": _rule(
                "read",
                Operation(
                    summary="One page of one folder",
                    responses={200: FileList},
                    query=(
                        VERSION,
                        Query("path", "The folder; absent: the root.", default=""),
                        Query("cursor", "From the page before."),
                        Query(
                            "limit",
                            "Rows in the page at most.",
                            int,
                            default=DEFAULT_ROWS,
                            low=1,
                            high=MAX_ROWS,
                        ),
                        Query(
                            "sort",
                            "What to sort by.",
                            default="name",
                            choices=("name", "size", "modified"),
                        ),
                        Query("descending", "The largest or newest first.", bool, default=False),
                        Query(
                            "match",
                            "Part of a path or a glob: files at any depth below the folder.",
                        ),
                    ),
                ),
            ),
            "POST": _rule(
                "write",
                Operation(
                    summary="Add files and folders of a source",
                    request=FilesToAdd,
                    responses={202: JobShown},
                ),
            ),
            "DELETE": _rule(
                "write",
                Operation(
                    summary="Take files and folders out of the draft",
                    request=FilesToRemove,
                    responses={200: Removed},
                ),
            ),
        },
        "Files",
    ),
    Route(
        "api/v1/packages/{package}/move",
        MoveHandler,
        {
            "POST": _rule(
                "write",
                Operation(
                    summary="Rename a file or folder of the draft",
                    request=FilesToMove,
                    responses={200: PackageWhole},
                ),
            )
        },
        "Renaming",
    ),
]

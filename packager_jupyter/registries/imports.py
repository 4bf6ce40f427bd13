"""Filling a feed from a folder: distributions of Python, mirrors of Terraform providers.

Every file is checked as an upload is. Files that cannot be taken are named in the report and the
others go on; what a feed has already stays as it is, so an import can be repeated.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError, PackagerError
from packager_jupyter.registries.pypi.upload import upload_of_file
from packager_jupyter.registries.terraform.checks import ProviderUpload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from packager_jupyter.registries.feeds import Feeds
    from packager_jupyter.registries.spec import FeedSpec

_MAX_MIRROR_BYTES = 1024 * 1024
_DISTRIBUTIONS = (".whl", ".tar.gz")
_PROVIDER_ZIP = re.compile(
    r"terraform-provider-(?P<type>[^_]+)_(?P<version>[^_]+)_[^_]+_[^_]+\.zip"
)


@dataclass(slots=True)
class ImportReport:
    """What an import did.

    Attributes
    ----------
    published, unchanged : list of str
        Files, or versions of providers, that are new, and that were there already.
    failures : list of (str, PackagerError)
        What was not taken, and why.
    """

    published: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failures: list[tuple[str, PackagerError]] = field(default_factory=list)


Step = tuple[str, "Callable[[], bool]"]


def import_folder(
    feeds: Feeds,
    spec: FeedSpec,
    folder: Path,
    *,
    by: str,
    progress: Callable[[str], None] | None = None,
) -> ImportReport:
    """Publish what lies in `folder` and below it.

    Parameters
    ----------
    feeds : Feeds
    spec : FeedSpec
        ``pypi`` takes wheels and source distributions; ``terraform`` takes what
        ``terraform providers mirror`` writes: each archive must have the hashes that the mirror
        states, each version is signed by this installation.
    folder : Path
    by : str
        Recorded as who published.
    progress : callable, optional
        Called with the name of each file or version before it is read.

    Raises
    ------
    BadInputError
        The folder holds nothing of the feed's ecosystem.
    """
    report = ImportReport()
    is_empty = True
    for name, publish in _STEPS[spec.ecosystem](feeds, spec, folder, by):
        is_empty = False
        if progress:
            progress(name)
        try:
            is_new = publish()
        except PackagerError as error:
            report.failures.append((name, error))
        else:
            (report.published if is_new else report.unchanged).append(name)
    if is_empty:
        raise BadInputError(
            f"There is nothing in {folder.name!r} that a {spec.ecosystem} feed takes.",
            remedy="Give a folder of wheels and source distributions (pypi), or one that "
            "`terraform providers mirror` wrote (terraform).",
        )
    return report


def _distributions(feeds: Feeds, spec: FeedSpec, folder: Path, by: str) -> Iterator[Step]:
    index = feeds.pypi(spec.name)
    for file in sorted(folder.rglob("*")):
        if not file.name.endswith(_DISTRIBUTIONS) or not file.is_file():
            continue

        def publish(file: Path = file) -> bool:
            with file.open("rb") as opened:
                upload = upload_of_file(opened, file.name)
                return index.publish(upload, by=by, now=datetime.now(UTC))

        yield str(file.relative_to(folder)), publish


def _providers(feeds: Feeds, spec: FeedSpec, folder: Path, by: str) -> Iterator[Step]:  # noqa: ARG001  # one signature for all ecosystems
    registry = feeds.terraform(spec.name).providers
    found: dict[tuple[Path, str, str], list[Path]] = {}
    for file in sorted(folder.rglob("*.zip")):
        match = _PROVIDER_ZIP.fullmatch(file.name)
        if match and file.parent.name == match["type"]:
            found.setdefault((file.parent, match["type"], match["version"]), []).append(file)
    for (parent, type_, version), files in found.items():
        namespace = parent.parent.name

        def publish(
            files: list[Path] = files,
            names: tuple[str, str, str] = (namespace, type_, version),
        ) -> bool:
            stated = _stated_hashes(files[0].parent / f"{names[2]}.json")
            missing = stated.keys() - {file.name for file in files}
            if missing:
                raise BadInputError(
                    f"The mirror names {min(missing)[:120]!r}, which is not in its folder.",
                    remedy="Make the mirror again with `terraform providers mirror`.",
                )
            with ExitStack() as opened:
                archives = {file.name: opened.enter_context(file.open("rb")) for file in files}
                upload = ProviderUpload(*names, archives, stated=stated)
                return registry.publish(upload, now=datetime.now(UTC))

        yield f"{namespace}/{type_} {version}", publish


def _stated_hashes(file: Path) -> dict[str, list[str]]:
    """Return what a mirror's ``VERSION.json`` says of each archive; nothing where it has none.

    Source: Terraform's provider network mirror protocol, "List Available Installation Packages".
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_MIRROR_BYTES)
        rows = json.loads(data)["archives"].values()
        found = {str(row["url"]): [str(text) for text in row["hashes"]] for row in rows}
    except FileNotFoundError:
        return {}  # a folder of archives, as `filesystem_mirror` reads it
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInputError(
            f"{file.name} of the mirror does not name archives and their hashes.",
            remedy="Make the mirror again with `terraform providers mirror`.",
        ) from error
    return found


_STEPS: Mapping[str, Callable[[Feeds, FeedSpec, Path, str], Iterator[Step]]] = {
    "pypi": _distributions,
    "terraform": _providers,
}

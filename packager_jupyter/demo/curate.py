"""The sample package, made as a person makes one: connect, pick, describe, publish, share.

Owns the sample's folder: ``storage/`` (the survey), ``work/`` (Jupyter's root, with the draft),
``state/`` (database and artifacts) and ``demo.json``, the mark without which nothing is removed.
A second run keeps what the person changed in the draft and puts missing survey files back.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.api.recorded import Actor, create_package, create_share, link_share, publish
from packager_jupyter.demo.notebook import executed_notebook
from packager_jupyter.demo.survey import survey_files
from packager_jupyter.errors import BadInputError
from packager_jupyter.io import make_dirs, write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from packager_jupyter.config import Settings
    from packager_jupyter.services import Services

SOURCE = "ocean-survey"
PACKAGE = "kelda-2024"
NOTEBOOK = "first-look.ipynb"
SAMPLE_FILE = "ctd/K001/K001_cast1.csv"
_FORMAT = 1
_MARK = "demo.json"
_PARTS = ("storage", "work", "state", "jupyter")
_FOLDERS = ("bathymetry/", "ctd/", "gliders/", "plankton/", "sst.zarr/")
_SHARE_NOTE = "The link of packager demo"

_README = """\
# Kelda Seamount survey 2024

Forty-two stations over a seamount, in eighteen days of May 2024. **The survey is invented**: no
value in it was measured. It is here to be looked at, published and shared.

| folder | what | format |
|---|---|---|
| `ctd/` | three casts per station: pressure, temperature, salinity, oxygen | CSV |
| `gliders/` | eight glider missions | Parquet |
| `bathymetry/` | the sea floor in sixteen tiles, WGS 84 | GeoTIFF |
| `plankton/` | frames of the plankton imager | PNG |
| `sst.zarr/` | monthly sea surface temperature | Zarr 2 |
| `stations.csv` | where and when | CSV |
| `about/survey.json` | ship, dates, bounds | JSON |

The package holds this text, the notebook `first-look.ipynb`, and for every file a pointer: where
it is stored, its size and date. The bytes stay in the storage.
"""


@dataclass(frozen=True, slots=True)
class Demo:
    """The finished sample.

    Attributes
    ----------
    storage_files, storage_bytes : int
        What the sample storage holds.
    version, digest : str
        The published version that the share shows.
    share_segment : str
        The share's part of its address: ``s/<share_segment>/``.
    """

    folder: Path
    storage_files: int
    storage_bytes: int
    version: str
    digest: str
    files: int
    bytes: int
    share_segment: str

    @property
    def work(self) -> Path:
        """Jupyter's root folder."""
        return self.folder / "work"


def settings_of(folder: Path) -> Settings:
    """Return the settings of the sample: its own state, its own drafts."""
    from packager_jupyter.config import Settings

    return Settings(data_dir=str(folder / "state"), root_dir=str(folder / "work"))


def build(folder: Path, *, say: Callable[[str], None], owner: str) -> Demo:
    """Make the sample in `folder`, or complete what is there.

    Parameters
    ----------
    folder : Path
        Absent, empty, or the folder of an earlier run.
    say : callable
        Told what begins.
    owner : str
        Whose share it is: the name that the server will know the person by.

    Raises
    ------
    BadInputError
        `folder` holds something else, or a sample that another version made.
    """
    from packager_jupyter.services import Services

    _claim(folder)
    say("Writing the sample storage")
    storage_files, storage_bytes = _write_storage(folder / "storage")
    make_dirs(folder / "work")
    actor = Actor(owner)
    with Services.open(settings_of(folder)) as services:
        if SOURCE not in {spec.name for spec in services.sources.specs()}:
            services.sources.add(SOURCE, (folder / "storage").as_uri())
        if PACKAGE not in {info.name for info in services.packages.names()}:
            say("Curating the package and running its notebook")
            _curate(services, actor)
        versions = services.packages.versions(PACKAGE)
        if not versions:
            say("Publishing")
            publish(services, actor, PACKAGE)
            versions = services.packages.versions(PACKAGE)
        segment = _share(services, actor)
    write_atomic(folder / _MARK, _mark(is_complete=True))
    newest = versions[0]
    return Demo(
        folder=folder,
        storage_files=storage_files,
        storage_bytes=storage_bytes,
        version=newest.version,
        digest=newest.digest,
        files=newest.files,
        bytes=newest.bytes,
        share_segment=segment,
    )


def _claim(folder: Path) -> None:
    """Mark `folder` as the sample's own; clear away a run that did not end."""
    mark = folder / _MARK
    if mark.is_file():
        found = _read_mark(mark)
        if found.get("packager_demo") != _FORMAT:
            raise BadInputError(
                f"{folder} holds a demo of another version of packager.",
                remedy=f"Remove it (rm -r {folder}) or name another folder with --dir.",
            )
        if found.get("is_complete"):
            return
        for part in _PARTS:
            if (folder / part).is_dir():
                shutil.rmtree(folder / part)
    elif folder.exists() and any(child.name != ".lock" for child in folder.iterdir()):
        raise BadInputError(
            f"{folder} is not empty and is no demo.",
            remedy="Name an empty or a new folder with --dir.",
        )
    make_dirs(folder)
    write_atomic(mark, _mark(is_complete=False))


def _mark(*, is_complete: bool) -> bytes:
    return orjson.dumps({"packager_demo": _FORMAT, "is_complete": is_complete}) + b"\n"


def _read_mark(mark: Path) -> dict[str, Any]:
    try:
        body = orjson.loads(mark.read_bytes())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _write_storage(storage: Path) -> tuple[int, int]:
    """Write the survey's files that are missing or differ; return files and bytes."""
    files = size_bytes = 0
    for file in survey_files():
        target = storage / file.path
        files += 1
        size_bytes += len(file.data)
        if not target.is_file() or target.read_bytes() != file.data:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.data)
        os.utime(target, (file.modified_s, file.modified_s))
    return files, size_bytes


def _curate(services: Services, actor: Actor) -> None:
    draft = create_package(
        services,
        actor,
        PACKAGE,
        title="Kelda Seamount survey 2024",
        description="Casts, glider tracks, soundings and images of an invented cruise.",
        license="CC-BY-4.0",
        authors=["A. Author", "B. Author"],
        keywords=["oceanography", "CTD", "bathymetry", "sample"],
    )
    draft.add(SOURCE, [*_FOLDERS, "stations.csv"])
    draft.add(SOURCE, ["survey.json"], to="about")
    draft.attach(_README.encode(), "README.md")
    draft.attach(executed_notebook(draft.folder), NOTEBOOK)


def _share(services: Services, actor: Actor) -> str:
    """Return the path segment of the sample's share, making the share when it is gone."""
    for info in services.shares.list(actor.name):
        if info.state == "active" and info.package == PACKAGE and info.description == _SHARE_NOTE:
            return link_share(services, actor, info.id)
    return create_share(services, actor, PACKAGE, description=_SHARE_NOTE).segment

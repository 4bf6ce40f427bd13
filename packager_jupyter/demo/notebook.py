"""The notebook of the sample package: written here, executed once, kept with its outputs.

It reads the survey through one variable, a folder or the address of a share's files, so the same
notebook runs for the person who made the package and for the one who got the link.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import PackagerError

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_S = 180

_INTRODUCTION = """\
# A first look at the Kelda Seamount survey

Casts, glider tracks, soundings and images of an invented cruise. The data are not in this
notebook and not in the package: the package points at them, wherever they are stored.
"""

_SETUP = """\
import io
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

# A folder, or the address of a share: https://data.example.org/packager/s/.../files
SURVEY = "../../../storage"


def read(path):
    "Return one file of the survey, ready for pandas or Pillow."
    if SURVEY.startswith("http"):
        return io.BytesIO(urlopen(f"{SURVEY}/{quote(path)}").read())
    return io.BytesIO(Path(SURVEY, path).read_bytes())


stations = pd.read_csv(read("stations.csv"), parse_dates=["time"])
stations.head()"""

_MAP_TEXT = "## Where\n\nSixteen GeoTIFF tiles make the map, the line is the ship's way."

_MAP = """\
tiles = [
    np.hstack([np.asarray(Image.open(read(f"bathymetry/tile_r{r}_c{c}.tif"))) for c in range(4)])
    for r in range(4)
]
depth = np.vstack(tiles)
fig, ax = plt.subplots(figsize=(6, 5), dpi=80)
shown = ax.imshow(depth, extent=(-24, -22, 37, 39), cmap="viridis")
ax.plot(stations.longitude, stations.latitude, "w.-", lw=0.6)
ax.set(xlabel="longitude", ylabel="latitude", title="Kelda Seamount")
ax.locator_params(axis="x", nbins=4)
fig.colorbar(shown, label="metres")
plt.show()"""

_CASTS_TEXT = "## Down the water column"

_CASTS = """\
fig, axes = plt.subplots(1, 3, figsize=(8, 4), dpi=80, sharey=True)
for station in stations.station[::5]:
    cast = pd.read_csv(read(f"ctd/{station}/{station}_cast1.csv"))
    for ax, column in zip(axes, ["temperature_c", "salinity_psu", "oxygen_umol_kg"]):
        ax.plot(cast[column], cast.pressure_dbar, lw=0.8)
        ax.set_xlabel(column)
axes[0].set_ylabel("pressure, dbar")
axes[0].invert_yaxis()
plt.show()"""

_GLIDER_TEXT = "## A glider's section"

_GLIDER = """\
glider = pd.read_parquet(read("gliders/mission-01.parquet"))
fig, ax = plt.subplots(figsize=(8, 3), dpi=80)
dots = ax.scatter(glider.longitude, glider.depth_m, c=glider.chlorophyll_mg_m3, s=3, cmap="YlGn")
ax.invert_yaxis()
ax.set(xlabel="longitude", ylabel="depth, m")
fig.colorbar(dots, label="chlorophyll, mg/m³")
plt.show()
glider.describe().round(2)"""

_CELLS = (
    ("markdown", "introduction", _INTRODUCTION),
    ("code", "setup", _SETUP),
    ("markdown", "map-text", _MAP_TEXT),
    ("code", "map", _MAP),
    ("markdown", "casts-text", _CASTS_TEXT),
    ("code", "casts", _CASTS),
    ("markdown", "glider-text", _GLIDER_TEXT),
    ("code", "glider", _GLIDER),
)


class NotebookFailedError(PackagerError):
    """The sample's notebook did not run to its end."""

    code = "notebook_failed"


def executed_notebook(folder: Path) -> bytes:
    """Run the notebook in `folder` and return it with its outputs.

    Parameters
    ----------
    folder : Path
        Working directory of the kernel: the draft's folder.

    Raises
    ------
    NotebookFailedError
        When no Python kernel starts or a cell fails.
    """
    import nbformat
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.from_dict(_document())  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook,
        timeout=_TIMEOUT_S,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute(stderr=subprocess.DEVNULL)  # the kernel's start-up remarks
    except (CellExecutionError, CellTimeoutError, DeadKernelError, NoSuchKernel) as error:
        raise NotebookFailedError(
            "The sample's notebook did not run.",
            remedy='Install what the demo needs: pip install "packager_jupyter[demo]"',
            details=f"{type(error).__name__}: {error}",
        ) from error
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _document() -> dict[str, Any]:
    """Return the notebook without outputs (nbformat 4.5)."""
    cells = []
    for kind, cell_id, source in _CELLS:
        cell: dict[str, Any] = {"cell_type": kind, "id": cell_id, "metadata": {}, "source": source}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }

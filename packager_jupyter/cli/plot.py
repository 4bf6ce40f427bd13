"""``plot``: pictures of what is in a package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager_jupyter.cli.base import SessionCommand, pass_session
from packager_jupyter.cli.contents import open_contents
from packager_jupyter.cli.values import PACKAGE_REF

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session
    from packager_jupyter.cli.values import PackageRef


@click.command("plot", cls=SessionCommand)
@click.argument("ref", metavar="NAME[@V]", type=PACKAGE_REF)
@click.option("--kind", type=click.Choice(["treemap", "sizes", "dates"]), default="treemap",
              show_default=True, help="Bytes by folder, sizes of files, or dates.")  # fmt: skip
@click.option("-o", "--output", required=True, metavar="FILE.png|svg",
              type=click.Path(dir_okay=False, path_type=Path), help="Where to write.")  # fmt: skip
@pass_session
def plot(session: Session, *, ref: PackageRef, kind: str, output: Path) -> None:
    """Draw what a package holds. Needs the extra plot."""
    from packager_jupyter.exports.plots import FORMATS
    from packager_jupyter.exports.plots import plot as draw
    from packager_jupyter.io import write_atomic

    shape = output.suffix.removeprefix(".").lower()
    if shape not in FORMATS:
        raise click.UsageError("The name of the picture ends in .png or .svg.")
    if not output.absolute().parent.is_dir():
        raise click.UsageError(f"There is no folder {str(output.parent)!r}.")
    data = draw(open_contents(session, ref), kind=kind, shape=shape, title=str(ref))
    write_atomic(output.absolute(), data, mode=0o644)
    session.out.result(
        {"package": str(ref), "kind": kind, "file": str(output), "bytes": len(data)},
        f"Wrote {output}.",
    )

"""The root of the command line: which commands there are, and in which order help shows them."""

from __future__ import annotations

import click

from packager_jupyter._version import __version__
from packager_jupyter.cli import (
    check,
    contents,
    demo,
    doctor,
    feeds,
    get,
    listing,
    packages,
    plot,
    registry,
    serve,
    settings_command,
    shares,
    sources,
    stage,
    tokens,
)
from packager_jupyter.cli.base import SessionGroup

_HELP = """Turn data that stays in object storage into packages that you can share.

Connect a storage (source add), curate a package (new, add, attach), freeze it (publish) and give
it to others (share). The bytes never move: readers get them straight from the storage.
"""
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=SessionGroup, help=_HELP, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="packager", message="%(prog)s %(version)s")
def app() -> None:
    """Collect the commands."""


for _command in (
    demo.demo,
    doctor.doctor,
    sources.source,
    listing.ls,
    listing.presign,
    packages.new,
    packages.add,
    packages.attach,
    packages.rm,
    packages.mv,
    contents.show,
    contents.status,
    contents.versions,
    check.diff,
    check.verify,
    check.hash_,
    plot.plot,
    packages.publish,
    packages.rm_version,
    shares.share,
    shares.shares,
    get.get,
    stage.stage,
    serve.serve,
    feeds.feed,
    tokens.token,
    registry.registry,
    settings_command.config,
):
    app.add_command(_command)

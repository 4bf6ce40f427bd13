"""``config --show``: every setting in force, where it comes from and what it means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from packager_jupyter.cli.base import SessionCommand, pass_session
from packager_jupyter.cli.settings import CONFIG_NAME

if TYPE_CHECKING:
    from traitlets import TraitType

    from packager_jupyter.cli.base import Session

_URL_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*(?=@)")


@click.command("config", cls=SessionCommand)
@click.option("--show", is_flag=True, help="Print every setting with its value and origin.")
@pass_session
def config(session: Session, *, show: bool) -> None:
    """Show the settings in force."""
    if not show:
        raise click.UsageError("Nothing to do; give --show.")
    loaded = session.loaded
    traits: dict[str, TraitType[object, object]] = loaded.settings.traits(config=True)
    items = [
        {
            "name": f"Settings.{name}",
            "value": _redacted(getattr(loaded.settings, name)),
            "origin": loaded.origins[name],
            "help": " ".join(str(trait.help).split()),
        }
        for name, trait in traits.items()
    ]
    if session.out.is_json:
        session.out.json({"items": items, "files": [str(file) for file in loaded.files]})
        return
    session.out.table(
        ["setting", "value", "origin"],
        [[str(item["name"]), _shown(item["value"]), str(item["origin"])] for item in items],
    )
    if loaded.files:
        session.out.remark("Read from: " + ", ".join(str(file) for file in loaded.files))
    else:
        session.out.remark(
            f"No configuration file was found; {CONFIG_NAME}.py in a folder of "
            "`jupyter --paths` (config) would be read."
        )


def _redacted(value: object) -> object:
    return _URL_PASSWORD.sub(r"\1:***", value) if isinstance(value, str) else value


def _shown(value: object) -> str:
    if value in ("", []):
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

"""What every command shares: the common options, and the session that carries them.

A command is a function whose first argument is a `Session`. The session opens the services when
they are first asked for and closes them when the command ends, however it ends.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from packager_jupyter.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from packager_jupyter.api.recorded import Actor
    from packager_jupyter.cli.settings import LoadedSettings
    from packager_jupyter.config import Settings
    from packager_jupyter.services import Services

_COMMON = ("as_json", "data_dir", "root_dir")


class Session:
    """One run of one command.

    Parameters
    ----------
    as_json : bool
        Whether ``--json`` was given.
    as_bytes : bool
        Whether ``--bytes`` was given.
    data_dir, root_dir : Path or None
        The flags; None leaves the setting to the configuration files and its default.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        as_bytes: bool = False,
        data_dir: Path | None = None,
        root_dir: Path | None = None,
    ) -> None:
        self.out = Output(is_json=as_json, is_exact=as_bytes)
        self._flags: dict[str, Any] = {}
        if data_dir is not None:
            self._flags["data_dir"] = str(data_dir.absolute())
        if root_dir is not None:
            self._flags["root_dir"] = str(root_dir.absolute())
        self._loaded: LoadedSettings | None = None
        self._services: Services | None = None

    def set_flag(self, name: str, value: object) -> None:
        """Lay a command's own flag over the setting `name`; before `settings` is first read."""
        self._flags[name] = value
        self._loaded = None

    @property
    def loaded(self) -> LoadedSettings:
        """The settings in force, with their origins."""
        if self._loaded is None:
            from packager_jupyter.cli.settings import load_settings

            self._loaded = load_settings(flags=self._flags)
        return self._loaded

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    @property
    def services(self) -> Services:
        """Database, sources, packages and shares, opened at the first use."""
        if self._services is None:
            from packager_jupyter.services import Services

            self._services = Services.open(self.settings)
        return self._services

    def audit(self, action: str, subject: str) -> None:
        """Record durably that whoever runs this command did `action` to `subject`.

        Parameters
        ----------
        action, subject : str
            As the REST API records them.
        """
        from packager_jupyter.api.recorded import record

        record(self.services, self.actor, action, subject)

    @property
    def actor(self) -> Actor:
        """Whoever runs this command, as the audit records it."""
        from packager_jupyter.api.recorded import local_actor

        return local_actor()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._services is not None:
            self._services.close()
            self._services = None


class SessionCommand(click.Command):
    """A command with the common options, whose callback receives a `Session` first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_common_options())

    def invoke(self, ctx: click.Context) -> Any:
        """Open the session around the callback."""
        names = [*_COMMON, "as_bytes"]
        common = {name: ctx.params.pop(name) for name in names if name in ctx.params}
        # Libraries log request addresses, which may be signed; the errors say what matters.
        logging.lastResort = None
        with Session(**common) as session:
            ctx.obj = session
            return super().invoke(ctx)


class SessionGroup(click.Group):
    """A group of `SessionCommand`, listed in the order in which they were added."""

    command_class = SessionCommand
    group_class = type

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names as added: the order of the work, not of the alphabet."""
        return list(self.commands)


pass_session = click.pass_obj

bytes_option = click.option(
    "--bytes", "as_bytes", is_flag=True, help="Sizes as exact numbers of bytes."
)


def page_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--limit`` and ``--cursor``."""
    function = click.option(
        "--cursor", metavar="C", help="Go on where an earlier listing with --limit stopped."
    )(function)
    return click.option(
        "--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N rows."
    )(function)


def _common_options() -> list[click.Option]:
    folder = click.Path(file_okay=False, path_type=Path)
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="JSON on stdout, errors included."),
        click.Option(
            ["--data-dir"],
            type=folder,
            metavar="DIR",
            help="Where the packager keeps its state.  [default: Jupyter's data folder]",
        ),
        click.Option(
            ["--root-dir"],
            type=folder,
            metavar="DIR",
            help="Folder that holds packages/, the drafts.  [default: the current folder]",
        ),
    ]

"""``doctor``: what is configured, what works, what to do about the rest.

Each check is a small function that yields findings. A finding that fails makes the command end
with 1; one that only could be better is a hint.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from packager_jupyter._version import __version__
from packager_jupyter.cli.base import SessionCommand, pass_session
from packager_jupyter.cli.output import count_of, human_size
from packager_jupyter.errors import PackagerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from packager_jupyter.cli.base import Session

_LITTLE_SPACE_BYTES = 1_000_000_000
_EXTENSION = "packager_jupyter"
_LABEXTENSION = "packager-jupyter"


class DoctorFoundError(PackagerError):
    """At least one check failed; the findings have been written."""

    code = "doctor_found"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and what to do about it when it is not ``ok``."""

    state: Literal["ok", "hint", "fails"]
    what: str
    message: str
    remedy: str | None = None


@click.command("doctor", cls=SessionCommand)
@pass_session
def doctor(session: Session) -> None:
    """Check settings, state, sources, Jupyter and servers."""
    findings = []
    for check in CHECKS:
        for finding in _guarded(check, session):
            findings.append(finding)
            if not session.out.is_json:
                session.out.check(finding.state, finding.what, finding.message, finding.remedy)
    failed = sum(finding.state == "fails" for finding in findings)
    if session.out.is_json:
        session.out.json(
            {
                "is_ok": not failed,
                "checks": [
                    {
                        "state": finding.state,
                        "what": finding.what,
                        "message": finding.message,
                        "remedy": finding.remedy,
                    }
                    for finding in findings
                ],
            }
        )
    if failed:
        raise DoctorFoundError(
            f"{count_of(failed, 'check')} failed.", remedy="Do what the lines above say."
        )


def _guarded(check: Callable[[Session], Iterator[Finding]], session: Session) -> Iterator[Finding]:
    try:
        yield from check(session)
    except PackagerError as error:
        yield Finding("fails", check.__name__.strip("_"), error.message, error.remedy)


def _version(_session: Session) -> Iterator[Finding]:
    yield Finding("ok", "version", f"packager {__version__} on Python {platform.python_version()}")


def _settings(session: Session) -> Iterator[Finding]:
    files = session.loaded.files
    names = ", ".join(map(str, files)) if files else "no configuration file, all defaults"
    yield Finding("ok", "settings", names)


def _state(session: Session) -> Iterator[Finding]:
    data_dir = Path(session.settings.data_dir)
    _ = session.services
    mode = stat.S_IMODE(data_dir.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "fails",
            "state",
            f"{data_dir} can be read by others (mode {mode:04o}).",
            f"Run: chmod go-rwx {data_dir}",
        )
    else:
        yield Finding("ok", "state", f"{data_dir}, database opened")
    free = shutil.disk_usage(data_dir).free
    if free < _LITTLE_SPACE_BYTES:
        remedy = "Free some space, or move the state with --data-dir."
        yield Finding("hint", "disk", f"{human_size(free)} free", remedy)
    else:
        yield Finding("ok", "disk", f"{human_size(free)} free")


def _packages(session: Session) -> Iterator[Finding]:
    names = session.services.packages.names()
    root = session.settings.root_dir
    yield Finding(
        "ok", "packages", f"{count_of(len(names), 'package')}; drafts in {Path(root) / 'packages'}"
    )


def _sources(session: Session) -> Iterator[Finding]:
    specs = session.services.sources.specs()
    if not specs:
        remedy = "Add one: packager source add lake s3://bucket --from-env"
        yield Finding("hint", "sources", "no source is connected", remedy)
    for spec in specs:
        what = f"source {spec.name}"
        try:
            report = session.services.sources.open(spec.name).test()
        except PackagerError as error:
            yield Finding("fails", what, error.message, error.remedy)
            continue
        failed = [check for check in report.checks if not check.is_ok]
        if failed:
            yield Finding("fails", what, failed[0].message, failed[0].remedy)
        else:
            yield Finding("ok", what, f"{spec.url}, {count_of(len(report.checks), 'check')} passed")


def _jupyter(_session: Session) -> Iterator[Finding]:
    from jupyter_core.paths import jupyter_path

    if importlib.util.find_spec("jupyterlab") is None:
        remedy = 'Install it: pip install "packager_jupyter[lab]"'
        yield Finding("hint", "jupyterlab", "not installed", remedy)
        return
    folders = [Path(folder) / "labextensions" / _LABEXTENSION for folder in jupyter_path()]
    found = next((folder for folder in folders if (folder / "package.json").is_file()), None)
    if found is None:
        yield Finding(
            "fails",
            "sidebar",
            "JupyterLab does not find the sidebar.",
            "Install packager_jupyter into the environment of JupyterLab.",
        )
    else:
        yield Finding("ok", "sidebar", str(found))
    if _is_server_extension_enabled():
        yield Finding("ok", "server extension", "enabled")
    else:
        remedy = f"Run: jupyter server extension enable {_EXTENSION}"
        yield Finding("fails", "server extension", "Jupyter does not load it.", remedy)


def _is_server_extension_enabled() -> bool:
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    manager: Any = ExtensionConfigManager(read_config_path=jupyter_config_path())
    return bool(manager.get_jpserver_extensions().get(_EXTENSION, False))


def _server(session: Session) -> Iterator[Finding]:
    from packager_jupyter.cli.addresses import base_url

    base = base_url(session.settings)
    if base.is_reachable:
        yield Finding("ok", "server", f"shares answer at {base.url}")
    else:
        remedy = "Start JupyterLab, or run: packager serve"
        yield Finding("hint", "server", "nobody serves shares now", remedy)


def _git(_session: Session) -> Iterator[Finding]:
    found = shutil.which("git")
    if found is None:
        remedy = "Install git where the server runs, for example: apt-get install git"
        yield Finding("hint", "git", "not found: shares cannot be cloned", remedy)
    else:
        yield Finding("ok", "git", f"{found}: shares can be cloned")


CHECKS: tuple[Callable[[Session], Iterator[Finding]], ...] = (
    _version,
    _settings,
    _state,
    _packages,
    _sources,
    _jupyter,
    _server,
    _git,
)

"""``demo``: a sample storage, package and share, and JupyterLab on them."""

from __future__ import annotations

import contextlib
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

import click

from packager_jupyter.cli.base import SessionCommand, pass_session
from packager_jupyter.cli.output import count_of
from packager_jupyter.errors import BusyError, PackagerError
from packager_jupyter.io import file_lock, make_dirs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.cli.base import Session
    from packager_jupyter.demo.curate import Demo
    from packager_jupyter.demo.lab import Lab

_NEEDED = ("numpy", "pyarrow", "PIL", "pandas", "matplotlib", "ipykernel", "nbclient", "jupyterlab")


class DemoNotInstalledError(PackagerError):
    """The demo's own dependencies are not installed."""

    code = "demo_not_installed"


@click.command("demo", cls=SessionCommand)
@click.option("--no-browser", is_flag=True, help="Only print the addresses.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="P", help="Port of JupyterLab.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of the sample.  [default: demo in the data folder]",
)
@pass_session
def demo(session: Session, *, no_browser: bool, port: int | None, folder: Path | None) -> None:
    """Open JupyterLab on a sample storage, package and share.

    Needs no account anywhere. All of it lives in one folder; removing the folder removes it.
    """
    _check_installed()
    from packager_jupyter.demo.curate import NOTEBOOK, PACKAGE, build
    from packager_jupyter.demo.lab import Lab, check_port
    from packager_jupyter.server.auth import local_owner

    folder = (folder or Path(session.settings.data_dir) / "demo").absolute()
    if port is not None:
        check_port(port)
    make_dirs(folder)
    signal.signal(signal.SIGTERM, _interrupt)
    with _only_run(folder):
        sample = build(folder, say=session.out.remark, owner=local_owner())
        session.out.remark("Starting JupyterLab")
        with Lab(
            root=sample.work,
            data_dir=folder / "state",
            private=folder / "jupyter",
            port=port,
            open_path=f"packages/{PACKAGE}/{NOTEBOOK}",
            opens_browser=not no_browser,
        ) as lab:
            lab.wait_until(f"s/{sample.share_segment}/")
            _say_ready(session, sample, lab)
            try:
                lab.wait()
            except KeyboardInterrupt:
                session.out.remark("Stopping JupyterLab")
    session.out.remark(f"The sample stays in {folder}")


@contextlib.contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(file_lock(folder / ".lock", timeout_s=0))
        except BusyError as busy:
            raise BusyError(
                f"A demo is already running in {folder}.",
                remedy="Stop it with Ctrl-C in its terminal, or name another folder with --dir.",
            ) from busy
        yield


def _interrupt(_number: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _check_installed() -> None:
    import importlib.util

    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise DemoNotInstalledError(
            f"The demo needs {', '.join(missing)}.",
            remedy='Install them: pip install "packager_jupyter[demo]"',
        )


def _say_ready(session: Session, sample: Demo, lab: Lab) -> None:
    from packager_jupyter.demo.curate import PACKAGE, SAMPLE_FILE

    share_url = f"{lab.packager_url}s/{sample.share_segment}/"
    file_url = f"{share_url}files/{quote(SAMPLE_FILE)}"
    fetch = shlex.join(["curl", "-L", "-O", file_url])
    if session.out.is_json:
        session.out.json(
            {
                "folder": str(sample.folder),
                "package": PACKAGE,
                "version": sample.version,
                "digest": sample.digest,
                "files": sample.files,
                "bytes": sample.bytes,
                "lab_url": lab.login_url,
                "share_url": share_url,
                "fetch": fetch,
            }
        )
        return
    storage = f"{count_of(sample.storage_files, 'file')} · {session.out.size(sample.storage_bytes)}"
    content = f"{count_of(sample.files, 'file')} · {session.out.size(sample.bytes)}"
    for label, text in (
        ("The sample storage", f"{storage} · {sample.folder / 'storage'}"),
        ("The package", f"{PACKAGE}@{sample.version} · {content} · {sample.digest}"),
        ("JupyterLab, on both", lab.login_url),
        ("The package's share, for anybody on this machine", share_url),
        ("One file of it, without Jupyter", fetch),
    ):
        session.out.heading(label)
        session.out.line(f"  {text}")
    session.out.remark("", "Stop with Ctrl-C.")

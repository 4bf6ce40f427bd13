"""A share as a folder of a DVC project that is there.

The share's ``dvc.git`` is cloned aside, turned into a part of the project and then given its place:
the ``.dvc`` files name remotes of their own in the project's ``.dvc/config``, and the project's
default remote stays what it was. The output says ``push: false``, so ``dvc push`` takes the user's
own files alone.

What comes is from a stranger, and a project trusts what lies in it: ``dvc repro`` runs the commands
of any ``dvc.yaml``, an output may name any path, and DVC follows a ``..`` in the list of a
directory. So a ``.dvc`` file must read exactly as our server writes it, the list is read before DVC
does (it is known by its MD5, so it stays the same), and nothing else that git or DVC obeys is let
in.

The secret of a capability link stands in ``.dvc/config.local`` alone, which git ignores.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote

import orjson

from packager_jupyter.errors import BadInputError, ConflictError, StorageError, TooLargeError
from packager_jupyter.exports.git.dvc import ONLY_DVC_FILES, OWN, yaml_text
from packager_jupyter.exports.git.names import git_refusal
from packager_jupyter.fetch.dvc_config import DvcConfig
from packager_jupyter.io import write_atomic
from packager_jupyter.packages.names import check_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.fetch.share import ShareOrigin
    from packager_jupyter.fetch.stage import Stager

_OUTPUT = re.compile(
    rb"outs:\n- md5: (?P<md5>[0-9a-f]{32})\.dir\n  size: [0-9]+\n  nfiles: [0-9]+\n  hash: md5\n"
    rb"  path: (?P<name>[a-z0-9-]+)\n"
)
_IMPORT = re.compile(
    rb'frozen: true\ndeps:\n- path: "remote://files/(?P<path>[A-Za-z0-9_.~%/-]+)"\n'
    rb'  checksum: "\\"(?:[ !#-\[\]-~]|\\\\|\\")+\\""\n'
    rb"  size: [0-9]+\n  hash: checksum\nouts:\n- path: (?P<out>[^\n]+)\n  hash: md5\n"
)
_PRIVATE_MODE = 0o600
_CHUNK_BYTES = 1024 * 1024
MAX_LIST_BYTES = 1024**3
"""Of the list of a directory, which DVC itself holds in memory: some ten million files."""


@dataclass(frozen=True, slots=True)
class DvcProject:
    """A DVC project on this machine.

    Attributes
    ----------
    root : Path
        Where its ``.dvc`` lies.
    git : Path or None
        The root of the git repository that keeps it; None when none does (``core.no_scm``).
    """

    root: Path
    git: Path | None

    @property
    def config(self) -> Path:
        """The settings that all its users have."""
        return (self.root / ".dvc" / "config").resolve()

    @property
    def local(self) -> Path:
        """The settings of this clone, which git ignores."""
        return (self.root / ".dvc" / "config.local").resolve()


def find_project(folder: Path, around: Path | None) -> DvcProject | None:
    """Return the DVC project that `folder` would lie in.

    Parameters
    ----------
    folder : Path
    around : Path or None
        The git repository that `folder` would lie in; no project is looked for above it.
    """
    for root in folder.parents:
        config = root / ".dvc" / "config"
        if config.is_file():
            core = DvcConfig(_text(config)).section("core") or {}
            has_no_git = core.get("no_scm", "").lower() == "true"
            return DvcProject(root, None if has_no_git else around)
        if around is not None and root == around.resolve():
            return None
    return None


def stage_into(stager: Stager, folder: Path, project: DvcProject) -> None:
    """Make `folder` a part of `project`: as one commit where git keeps it.

    Parameters
    ----------
    stager : Stager
    folder : Path
        Not there yet, or empty.
    project : DvcProject

    Raises
    ------
    ConflictError, BadInputError
        The project has to be put in order first; nothing has changed.
    StorageError
        The share's repository has something that a project must not get.
    ToolFailedError
        git failed. The project is as it was.
    """
    _check_project(stager, folder, project)
    scratch = project.root / ".dvc" / "tmp"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="packager-", dir=scratch) as temp:
        clone = Path(temp) / "clone"
        stager.clone("dvc", clone)
        shutil.rmtree(clone / ".git")
        paths = sorted(_files(clone))
        if ".dvc/config" not in paths:
            raise _foreign("no .dvc/config")
        asks_password = b"ask_password = true" in (clone / ".dvc" / "config").read_bytes()
        with _Undo(stager, folder, project) as undo:
            names = _put_remotes(stager.base, project, asks_password=asks_password)
            with closing(stager.origin()) as origin:
                paths = _adapt(origin, clone, paths, names)
            folder.parent.mkdir(parents=True, exist_ok=True)
            clone.replace(folder)
            undo.has_folder = True
            if project.git is not None:
                staged = [project.config, *[folder / path for path in paths]]
                _commit(stager, project.git, staged, Path(temp) / "paths")


@dataclass(frozen=True, slots=True)
class _Names:
    """The project's names for the two remotes of a share."""

    objects: str
    files: str


def _check_project(stager: Stager, folder: Path, project: DvcProject) -> None:
    if project.git is None:
        return
    stager.refuse_staged(project.git)
    git = ["git", "-C", str(project.git)]
    status = [*git, "status", "--porcelain", "--untracked-files=all", "--", str(project.config)]
    if stager.check(status):
        raise ConflictError(
            f"{project.config} has changes, which would become part of the same commit.",
            remedy="Commit it first.",
        )
    if stager.succeeds([*git, "check-ignore", "-q", "--", str(folder / "data.dvc")]):
        raise BadInputError(
            f"git ignores what would lie in {folder}, and then DVC does too.",
            remedy="Name another folder, one that is no output of DVC.",
        )
    if _secret_of(stager.base) and not stager.succeeds(
        [*git, "check-ignore", "-q", "--", str(project.local)]
    ):
        raise BadInputError(
            f"git does not ignore {project.local}, where the secret of the link has to stand.",
            remedy="Add the line /config.local to .dvc/.gitignore and commit that.",
        )


class _Undo:
    """Puts a project back as it was when its block fails."""

    def __init__(self, stager: Stager, folder: Path, project: DvcProject) -> None:
        self._stager, self._folder, self._project = stager, folder, project
        self._kept = {
            path: (path.read_bytes(), path.stat().st_mode & 0o777) if path.exists() else None
            for path in (project.config, project.local)
        }
        self._missing = [one for one in (folder, *folder.parents) if not one.exists()]
        self.has_folder = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_exc: object) -> None:
        if kind is None:
            return
        self._restore_folders()
        for path, kept in self._kept.items():
            if kept is None:
                path.unlink(missing_ok=True)
            else:
                write_atomic(path, kept[0], mode=kept[1])
        if self._project.git is not None:
            git = ["git", "--literal-pathspecs", "-C", str(self._project.git)]
            folder, config = str(self._folder), str(self._project.config)
            self._stager.succeeds([*git, "rm", "-r", "-f", "-q", "--cached", "--", folder])
            self._stager.succeeds([*git, "reset", "-q", "--", config])

    def _restore_folders(self) -> None:
        if self.has_folder:
            shutil.rmtree(self._folder)
        for folder in self._missing:
            if folder.exists():
                folder.rmdir()
        if self._folder not in self._missing:
            self._folder.mkdir(exist_ok=True)


def _put_remotes(base: str, project: DvcProject, *, asks_password: bool) -> _Names:
    """Have the share's remotes in the project's settings; return their names."""
    secret = _secret_of(base)
    public = base.replace(secret, "")
    auth = (
        {"auth": "custom", "custom_auth_header": "X-Share-Token", "ask_password": "true"}
        if asks_password
        else {}
    )
    mark = hashlib.sha256(public.encode()).hexdigest()[:8]
    config = DvcConfig(_text(project.config))
    objects = {"url": f"{public}dvc", "verify": "true", **auth}
    names = _Names(
        config.put_remote(f"packager-{mark}", objects),
        config.put_remote(f"packager-{mark}-files", {"url": f"{public}files", **auth}),
    )
    if secret:
        local = DvcConfig(_text(project.local) if project.local.exists() else "")
        local.put_url(names.objects, f"{base}dvc")
        local.put_url(names.files, f"{base}files")
        write_atomic(project.local, local.text.encode(), mode=_PRIVATE_MODE)
    mode = project.config.stat().st_mode & 0o777
    write_atomic(project.config, config.text.encode(), mode=mode)
    return names


def _secret_of(base: str) -> str:
    """Return what the address of a capability link has more than that of its share."""
    _, tilde, secret = base.rstrip("/").rpartition("/")[2].partition("~")
    return f"{tilde}{secret}"


def _adapt(origin: ShareOrigin, clone: Path, paths: list[str], names: _Names) -> list[str]:
    """Make a clone of ``dvc.git`` what a project may hold; return the paths of its files."""
    shutil.rmtree(clone / ".dvc")
    paths = [path for path in paths if not path.startswith(".dvc/")]
    for own in {".dvcignore", ".gitignore"}.intersection(paths):
        (clone / own).unlink()
        paths.remove(own)
    ignored: dict[str, bytes] = {}
    for path in paths:
        if path.endswith(".dvc"):
            text = (clone / path).read_bytes()
            if "/" in path:
                (clone / path).write_bytes(_import(path, text, names))
                ignored[path.partition("/")[0]] = ONLY_DVC_FILES
            else:
                output, md5 = _output(path, text, names)
                _check_list(origin, md5)
                (clone / path).write_bytes(output)
                ignored[""] = ignored.get("", b"") + f"/{path.removesuffix('.dvc')}\n".encode()
    for path in paths:
        top, _, name = path.rpartition("/")
        is_ours = name == ".gitignore" and top in ignored
        if not is_ours and git_refusal(path, OWN) is not None:
            raise _foreign(path)
    for top, lines in ignored.items():
        (clone / top / ".gitignore").write_bytes(lines)
    own_lists = {f"{top}/.gitignore" if top else ".gitignore" for top in ignored}
    return sorted({*paths, *own_lists})


def _files(clone: Path) -> Iterator[str]:
    """Yield the paths of all files; raises for what is neither a file nor a folder."""
    for folder, below, files in os.walk(clone):
        for name in [*below, *files]:
            path = Path(folder) / name
            is_plain = path.is_dir() if name in below else path.is_file()
            if path.is_symlink() or not is_plain:
                raise _foreign(str(path.relative_to(clone)))
        for name in files:
            yield (Path(folder) / name).relative_to(clone).as_posix()


def _check_list(origin: ShareOrigin, md5: str) -> None:
    """Check that the list of a directory names files below it alone."""
    hashed, text = hashlib.md5(usedforsecurity=False), bytearray()
    with origin.document(f"dvc/files/md5/{md5[:2]}/{md5[2:]}.dir") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            hashed.update(chunk)
            text += chunk
            if len(text) > MAX_LIST_BYTES:
                raise TooLargeError(
                    "The share's list of files is longer than a project can take.",
                    remedy="Stage into a folder outside of the project.",
                )
    try:
        paths = [check_path(row["relpath"]) for row in orjson.loads(text)]
    except (ValueError, KeyError, TypeError, BadInputError):
        raise _foreign(f"{md5}.dir") from None
    if hashed.hexdigest() != md5 or any(git_refusal(path, OWN) for path in paths):
        raise _foreign(f"{md5}.dir")


def _output(path: str, text: bytes, names: _Names) -> tuple[bytes, str]:
    found = _OUTPUT.fullmatch(text)
    if found is None or found["name"].decode() != path.removesuffix(".dvc"):
        raise _foreign(path)
    added = f"  remote: {names.objects}\n  push: false\n".encode()
    return text + added, found["md5"].decode()


def _import(path: str, text: bytes, names: _Names) -> bytes:
    found = _IMPORT.fullmatch(text)
    below = path.removesuffix(".dvc").partition("/")[2]
    name = below.rpartition("/")[2]
    if (
        found is None
        or unquote(found["path"].decode()) != below
        or found["out"].decode(errors="replace") != yaml_text(name)
    ):
        raise _foreign(path)
    return text.replace(b'"remote://files/', f'"remote://{names.files}/'.encode(), 1)


def _commit(stager: Stager, git: Path, paths: list[Path], listed: Path) -> None:
    listed.write_bytes(b"".join(os.fsencode(path) + b"\0" for path in paths))
    command = ["git", "--literal-pathspecs", "-C", str(git)]
    from_file = [f"--pathspec-from-file={listed}", "--pathspec-file-nul"]
    # -f: what the user's own rules ignore of it (*.txt, say) belongs to the commit as well.
    stager.check([*command, "add", "-f", *from_file])
    stager.check([*command, "commit", "-q", "-m", "Stage a share"])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadInputError(
            f"{path} is not UTF-8, as DVC's settings are.", remedy="Mend the file first."
        ) from None


def _foreign(path: str) -> StorageError:
    return StorageError(
        f"The share's repository has something that a project must not get: {path!r}.",
        remedy="Stage into a folder outside of the project and look at it, or tell the owner.",
    )

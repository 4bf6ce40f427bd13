"""What may be a package name, a version and a path in a package, and how keys become paths.

A package path is what people and every export see; a source key is whatever a storage accepted.
`path_for_key` turns any key into a valid path: unchanged whenever it is one already, and otherwise
with each bad segment replaced by a readable stand-in that ends in ``~`` and 16 hex digits of a
SHA-256 (before the file ending, when there is one): of the segment, or of the segment and a ``/``
where it is a folder. A segment that merely looks like such a stand-in gets one of its own, so two
different keys never share a path. The way back is the pointer's key, which is kept exactly.
"""

from __future__ import annotations

import hashlib
import re
from itertools import groupby
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

MAX_NAME_LENGTH = 128
MAX_PATH_BYTES = 1024
MAX_SEGMENT_BYTES = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PACKAGE_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})?")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_BAD_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\\\\]")
_ENDING = re.compile(r"(?<=.)\.[A-Za-z0-9]{1,8}\Z", re.DOTALL)
_STAND_IN = re.compile(r"~(?:[0-9a-f]{16}){1,2}(?:\.[A-Za-z0-9]{1,8})?\Z")
_DOTS = frozenset({"", ".", ".."})


def check_package_name(name: str) -> str:
    """Return `name` when it may name a package: ``name`` or ``namespace/name``.

    Each part follows the repository grammar of the OCI distribution specification 1.1: lower-case
    letters and digits, joined by single ``.``, ``_``, ``__`` or any number of ``-``.

    Raises
    ------
    BadInputError
        With the rule that is broken.
    """
    if _PACKAGE_NAME.fullmatch(name) and len(name) <= MAX_NAME_LENGTH:
        return name
    if len(name) > MAX_NAME_LENGTH:
        reason = f"it has {len(name)} characters"
    elif name.count("/") > 1:
        reason = "it has more than one '/'"
    else:
        reason = "only lower-case letters and digits, joined by '.', '_' or '-', are allowed"
    raise BadInputError(
        f"{shown(name)} cannot be the name of a package: {reason}.",
        remedy="Use a name such as 'ocean-2024' or 'team/ocean-2024', at most "
        f"{MAX_NAME_LENGTH} characters.",
    )


def check_version(version: str) -> str:
    """Return `version` when it may name a published version.

    A version is an OCI tag (distribution-spec 1.1: ``[A-Za-z0-9_][A-Za-z0-9._-]{0,127}``) that is
    not ``latest``, which always names the newest one, and does not begin with ``_``, which we keep
    for ourselves.

    Raises
    ------
    BadInputError
        With the rule that is broken.
    """
    if version == "latest":
        raise BadInputError(
            "'latest' always names the newest version and cannot be given to one.",
            remedy="Leave the version out, or give one such as '2' or '2024.1'.",
        )
    if not _VERSION.fullmatch(version) or version.startswith("_"):
        raise BadInputError(
            f"{shown(version)} cannot name a version.",
            remedy="Use letters, digits, '.', '_' and '-', beginning with a letter or digit, at "
            "most 128 characters, for example '2' or '2024.1'.",
        )
    return version


def check_path(path: str) -> str:
    """Return `path` when it may stand in a package.

    A path is relative, separated by ``/``, without empty, ``.`` or ``..`` segments, backslashes
    and control characters, at most 1,024 bytes of UTF-8, each segment at most 255.

    Raises
    ------
    BadInputError
        With the rule that is broken.
    """
    if is_plain_path(path):
        return path
    reason = _broken_rule(path)
    raise BadInputError(
        f"{shown(path)} cannot be a path in a package: {reason}.",
        remedy="Give a relative path such as 'images/one.tif'.",
    )


def is_plain_path(path: str) -> bool:
    """Return whether `path` keeps every rule of `check_path`."""
    if path.isascii() and path.isprintable():
        if "\\" in path:
            return False
        if len(path) <= MAX_SEGMENT_BYTES:
            framed = f"/{path}/"
            return not ("//" in framed or "/./" in framed or "/../" in framed)
    return _broken_rule(path) is None


def is_plain_name(name: str) -> bool:
    """Return whether `name`, one segment, is valid and `path_for_key` leaves it as it is."""
    if name.isascii() and name.isprintable() and len(name) <= MAX_SEGMENT_BYTES:
        if "\\" in name or "/" in name or name in _DOTS:
            return False
        return "~" not in name or _STAND_IN.search(name) is None
    return (
        "/" not in name
        and name not in _DOTS
        and _broken_rule(name) is None
        and _STAND_IN.search(name) is None
    )


def are_plain_names(names: Collection[str]) -> bool:
    """Return whether every one of many names is plain by `is_plain_name`."""
    joined = "".join(names)
    if not (joined.isascii() and joined.isprintable()) or "~" in joined:
        return all(map(is_plain_name, names))
    is_clean = "/" not in joined and "\\" not in joined and _DOTS.isdisjoint(names)
    return is_clean and max(map(len, names), default=0) <= MAX_SEGMENT_BYTES


def are_plain_paths(paths: Collection[str]) -> bool:
    """Return whether every one of many paths keeps the rules of `check_path`."""
    joined = "".join(paths)
    if not (joined.isascii() and joined.isprintable()):
        return all(map(is_plain_path, paths))
    if "\\" in joined or max(map(len, paths), default=0) > MAX_SEGMENT_BYTES:
        return all(map(is_plain_path, paths))
    framed = "/\n/".join(("", *paths, ""))
    return not ("//" in framed or "/./" in framed or "/../" in framed)


def each_is(texts: Sequence[str], start: str, ends: Sequence[str]) -> bool:
    """Return whether each text is `start` and its end, none with a line feed; raises `TypeError`.

    As one long text they are compared in a fifth of the time.
    """
    joined = "\n".join(texts)
    return joined == start + f"\n{start}".join(ends) and joined.count("\n") == len(texts) - 1


def folder_runs(paths: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield what lies in one folder and follows each other.

    Yields
    ------
    prefix : str
        The folder with its ``/``; empty for the root.
    names : list of str
        What follows it in the paths.
    """
    if not paths:
        return
    cut = paths[0].rfind("/") + 1
    prefix = paths[0][:cut]
    if paths[-1].startswith(prefix):
        names = [path[cut:] for path in paths]
        if "/" not in "".join(names) and each_is(paths, prefix, names):
            yield prefix, names
            return
    for prefix, same in groupby(paths, lambda path: path[: path.rfind("/") + 1]):
        cut = len(prefix)
        yield prefix, [path[cut:] for path in same]


def _broken_rule(path: str) -> str | None:
    """Say in words which rule `path` breaks, or return None."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "it is no valid Unicode text"
    segments = path.split("/")
    rules = (
        (not path, "it is empty"),
        (path.startswith("/"), "it begins with '/'"),
        (path.endswith("/"), "it ends with '/'"),
        (_CONTROL.search(path), "it holds a control character such as a line break"),
        ("\\" in path, "it holds a backslash"),
        (len(encoded) > MAX_PATH_BYTES, f"it has more than {MAX_PATH_BYTES:,} bytes"),
        ("" in segments, "it has an empty segment ('//')"),
        (not _DOTS.isdisjoint(segments), "it has a segment '.' or '..'"),
        (
            max(len(segment.encode()) for segment in segments) > MAX_SEGMENT_BYTES,
            f"one segment has more than {MAX_SEGMENT_BYTES} bytes",
        ),
    )
    return next((reason for is_broken, reason in rules if is_broken), None)


def path_for_key(key: str) -> str:
    """Return the package path that stands for a source key; see the module's text.

    Deterministic, and the identity on keys that are valid paths.

    Raises
    ------
    BadInputError
        The key is no valid Unicode text, so that no list or archive could name it.
    """
    encoded = check_text(key)
    path = map_segments(key)
    if len(path.encode()) <= MAX_PATH_BYTES:
        return path
    return f"_~{hashlib.sha256(encoded).hexdigest()[:32]}{_ending(key)}"


def check_text(key: str) -> bytes:
    """Return a key in UTF-8; raises `BadInputError` where it is no valid Unicode text."""
    try:
        return key.encode()
    except UnicodeEncodeError as error:
        raise BadInputError(
            f"The key {shown(key)} is no valid Unicode text.",
            remedy="Rename the file in the storage; until then it cannot be part of a package.",
        ) from error


def map_segments(key: str, *, is_folder: bool = False) -> str:
    """Return `path_for_key` of a key, or of a folder's, without its limit on the whole length."""
    *above, last = key.split("/")
    folders = [_segment(segment, is_folder=True) for segment in above]
    return "/".join([*folders, _segment(last, is_folder=is_folder)])


def join_path(folder: str, path: str) -> str:
    """Return `path` below `folder` (empty: the root), checked as a whole.

    Raises
    ------
    BadInputError
        The joined path breaks a rule of `check_path`, its length for example.
    """
    return check_path(f"{folder}/{path}" if folder else path)


def shown(text: str) -> str:
    """Return `text` quoted for a message: escaped, and cut when very long."""
    limit = 120
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return repr(text)


def _segment(segment: str, *, is_folder: bool) -> str:
    if is_plain_name(segment):
        return segment
    ending = _ending(segment)
    stem = segment[: len(segment) - len(ending)]
    safe = "_" * max(len(stem), 1) if stem in _DOTS else _BAD_CHARACTER.sub("_", stem)
    # Not the same for a file and a folder, so that '..' and '../x' do not meet.
    marked = f"{segment}/" if is_folder else segment
    mark = f"~{hashlib.sha256(marked.encode()).hexdigest()[:16]}{ending}"
    room = MAX_SEGMENT_BYTES - len(mark)
    return safe.encode()[:room].decode(errors="ignore") + mark


def _ending(name: str) -> str:
    found = _ENDING.search(name)
    return found[0] if found else ""

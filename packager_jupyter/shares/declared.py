"""Shares that the settings declare: there from the start of a server, as the settings say.

Each has a name in the settings and always the same id, so starting again makes none anew: its link
and the count of its uses stay, and only what was changed in the settings is changed. One that was
revoked stays revoked. One that is no longer declared stays as it is until somebody revokes it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import BadInputError, PackageNotFoundError, ShareNotFoundError
from packager_jupyter.packages.part import PathFilter
from packager_jupyter.shares.audience import KINDS, parse_audience

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.shares.model import ShareInfo
    from packager_jupyter.shares.shares import Shares

_log = logging.getLogger(__name__)
_OPTIONS = frozenset(
    {
        *("package", "version", "paths", "audience", "password_file", "not_before", "expires"),
        *("description", "slug", "max_downloads"),
    }
)
_LATEST = "latest"


def declare(shares: Shares, declared: Mapping[str, Any], *, owner: str) -> None:
    """Make or change the shares that the settings declare.

    A share of a package that is not published yet is left for the next start, with a warning.

    Parameters
    ----------
    shares : Shares
    declared : mapping
        Name to options: ``package``, and any of ``version``, ``paths``, ``audience``,
        ``password_file``, ``not_before``, ``expires``, ``description``, ``slug`` and
        ``max_downloads``.
    owner : str

    Raises
    ------
    BadInputError
        A declaration is wrong; says which.
    """
    for name, options in declared.items():
        try:
            _declare_one(shares, name, _checked(options), owner)
        except PackageNotFoundError as error:
            _log.warning("The share %r of the settings waits: %s", name, error.message)
        except BadInputError as error:
            raise BadInputError(
                f"The share {name!r} of the settings cannot be made: {error.message}",
                remedy=error.remedy,
            ) from error


def declared_id(name: str) -> str:
    """Return the id of the share that the settings call `name`."""
    return "sh_" + hashlib.sha256(f"declared\n{name}".encode()).hexdigest()[:24]


def _declare_one(shares: Shares, name: str, options: Mapping[str, Any], owner: str) -> None:
    share_id, now_s = declared_id(name), int(time.time())
    wanted, password = _wanted(options, now_s), _password(options.get("password_file"))
    try:
        info = shares.get(share_id, owner)
    except ShareNotFoundError:
        given = {key: value for key, value in wanted.items() if key not in _MOMENTS}
        given |= {key: at_s and at_s - now_s for key, at_s in _times(wanted)}
        if password is not None:
            given["password"] = password
        shares.create(options["package"], owner=owner, share_id=share_id, checkable=KINDS, **given)
        _log.info("made the share %r of the settings: %s", name, share_id)
        return
    if info.state == "revoked":
        _log.warning("The share %r of the settings was revoked and stays so.", name)
        return
    if info.package != options["package"]:
        raise BadInputError(
            f"It shares {info.package} already.",
            remedy="Give the share of another package another name in the settings.",
        )
    changes = _changes(info, wanted, now_s)
    if not shares.is_password(share_id, owner, password):
        changes["password"] = password
    if changes:
        shares.update(share_id, owner, checkable=KINDS, **changes)
        _log.info("changed the share %r as the settings say", name)


_MOMENTS = {"starts_s": "starts_in_s", "expires_s": "expires_in_s"}


def _times(wanted: Mapping[str, Any]) -> list[tuple[str, int | None]]:
    return [(_MOMENTS[key], wanted[key]) for key in _MOMENTS]


def _wanted(options: Mapping[str, Any], now_s: int) -> dict[str, Any]:
    """Return what the share shall be, by the names of `ShareInfo`."""
    version = options.get("version", _LATEST)
    paths = options.get("paths") or []
    starts_s = _moment(options.get("not_before"))
    return {
        "version": None if version == _LATEST else version,
        "paths": PathFilter(paths).paths if paths else (),
        "audience": parse_audience(options.get("audience") or []).texts(),
        "description": options.get("description", ""),
        "slug": options.get("slug"),
        "max_downloads": options.get("max_downloads"),
        "starts_s": starts_s if starts_s is not None and starts_s > now_s else None,
        "expires_s": _moment(options.get("expires")),
    }


def _changes(info: ShareInfo, wanted: Mapping[str, Any], now_s: int) -> dict[str, Any]:
    """Return what differs, by the names of `Shares.update`."""
    present = {name: getattr(info, name) for name in wanted}
    present["audience"] = info.audience.texts()
    if info.starts_s is not None and info.starts_s <= now_s:
        present["starts_s"] = None
    changed = {name: value for name, value in wanted.items() if value != present[name]}
    for column, option in _MOMENTS.items():
        if column in changed:
            at_s = changed.pop(column)
            changed[option] = None if at_s is None else at_s - now_s
    return changed


def _checked(options: object) -> dict[str, Any]:
    if not isinstance(options, dict) or not isinstance(options.get("package"), str):
        raise BadInputError(
            "It names no package.", remedy="Write for example {'package': 'ocean-2024'}."
        )
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise BadInputError(
            f"It has no option {unknown[0]!r}.",
            remedy=f"The options are: {', '.join(sorted(_OPTIONS))}.",
        )
    return options


def _moment(text: str | None) -> int | None:
    """Return the Unix second of a date, with or without a time; UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise BadInputError(
            f"{text!r} is no date.", remedy="Write 2027-01-31 or 2027-01-31T09:00."
        ) from error
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def _password(file: str | None) -> str | None:
    """Return the first line of a file; a password never stands in the settings themselves."""
    if file is None:
        return None
    try:
        with Path(file).open(encoding="utf-8") as lines:
            return lines.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"The password file {Path(file).name!r} cannot be read.",
            remedy="Name a text file whose first line is the password, and let this account read "
            "it.",
        ) from error

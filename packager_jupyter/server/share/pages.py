"""The templates of the share pages and the policies under which browsers show them."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

# Shown with what strangers wrote: no script, nothing from elsewhere, an origin of its own.
CONTENT_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; "
    "sandbox allow-downloads allow-forms allow-popups allow-popups-to-escape-sandbox "
    "allow-top-navigation"
)

# Shown with our own words only. No sandbox: from an origin of its own, the form's cookie would not
# come along.
PLAIN_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# For bytes that somebody attached, should a browser show them after all.
BYTES_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")
_STEP = 1000
_DAY_S = 86_400
_HOUR_S = 3600
_MINUTE_S = 60


def with_images_of(origin: str) -> str:
    """Return `CONTENT_POLICY` with images of `origin`, a storage, let in as well."""
    if not _ORIGIN.fullmatch(origin):
        return CONTENT_POLICY
    return CONTENT_POLICY.replace("img-src 'self'", f"img-src 'self' {origin}")


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """Return every static file by name: its bytes and the hash that stands in its address."""
    folder = files("packager_jupyter.server") / "static"
    found = {}
    for file in folder.iterdir():
        data = file.read_bytes()
        found[file.name] = (data, hashlib.sha256(data).hexdigest()[:12])
    return found


def render_page(template: str, **values: Any) -> bytes:
    """Return a page as UTF-8; every value is escaped unless it was made by `render`."""
    return _environment().get_template(template).render(**values).encode("utf-8", "replace")


def human_bytes(count: int) -> str:
    """Return a size as people read it, in decimal units: ``3.2 GB``."""
    if count < _STEP:
        return f"{count} byte{'' if count == 1 else 's'}"
    value = float(count)
    unit = 0
    while value >= _STEP - 0.5 and unit < len(_UNITS) - 1:
        value /= _STEP
        unit += 1
    digits = 1 if value < 99.95 else 0  # noqa: PLR2004
    return f"{value:.{digits}f} {_UNITS[unit]}"


def plural(count: int, noun: str) -> str:
    """Return an exact count with its noun: ``1,507 files``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def visible(name: str) -> str:
    """Return a name with its invisible direction marks spelled out.

    ``U+202E`` and its like make ``evil<U+202E>txt.exe`` look like ``evilexe.txt``.
    """
    return _DIRECTION.sub(lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", name)


def day(at_s: float) -> str:
    """Return the day of a Unix time, UTC: ``3 May 2026``."""
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{at.day} {at:%b %Y}"


def moment(at_s: float) -> str:
    """Return a Unix time to the minute, UTC: ``2026-05-03 14:07 UTC``."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"


def iso(at_s: float) -> str:
    """Return a Unix time for the ``datetime`` attribute of ``<time>``."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def remaining(seconds: float) -> str:
    """Return how long something still lasts: ``6 days``, never more than is true."""
    for unit_s, noun in ((_DAY_S, "day"), (_HOUR_S, "hour"), (_MINUTE_S, "minute")):
        if seconds >= unit_s:
            return plural(int(seconds // unit_s), noun)
    return "less than a minute"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("packager_jupyter.server", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        human_bytes=human_bytes,
        plural=plural,
        day=day,
        moment=moment,
        iso=iso,
        remaining=remaining,
        visible=visible,
    )
    return environment

"""Names of a feed in the OCI store: repositories of projects, tags of versions, files and events.

A name is a key, never the truth: the true name and version stand in the artifact. ``+`` becomes
``_`` in a tag and ``!`` ``__``, as Helm and OpenTofu do; what is no tag or component is hashed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

INDEX_TAG = "_index"
LATEST_TAG = "latest"
EVENT_PREFIX = "e."
FILE_PREFIX = "f."
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_PLAIN_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RESERVED_TAG = re.compile(r"_.*|[efx]\..*|x-.*|latest")
_EVENT_TAG = re.compile(r"e\.([0-9a-z]{9})\.[0-9a-f]+")
_MAX_COMPONENT = 128


def repository_for(project: str) -> str:
    """Return the repository path of a project; ``/`` in its name parts it into components."""
    return "/".join(component_for(part) for part in project.split("/"))


def component_for(name: str) -> str:
    """Return the repository component of a project name; never turned back into the name."""
    if len(name) <= _MAX_COMPONENT and _COMPONENT.fullmatch(name) and not name.startswith("x--"):
        return name
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "name"
    return f"x--{slug}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def version_tag(version: str) -> str:
    """Return the tag of a version: ``+`` as ``_``, ``!`` as ``__``, a hash where that is no tag."""
    tag = version.replace("!", "__").replace("+", "_")
    if _PLAIN_TAG.fullmatch(tag) and not _RESERVED_TAG.fullmatch(tag):
        return tag
    return f"x-{hashlib.sha256(version.encode()).hexdigest()[:40]}"


def file_tag(filename: str) -> str:
    """Return the immutable tag of one file of a project."""
    return FILE_PREFIX + hashlib.sha256(filename.encode()).hexdigest()[:32]


def is_truth(tag: str) -> bool:
    """Whether a tag of a project's repository stands for a release or an event."""
    # `_index` and `latest` are derived; `sha256-…` is the fallback list of referrers.
    return not tag.startswith(("_", "sha256-")) and tag != LATEST_TAG


def is_project_tag(project: str) -> bool:
    """Whether a project's name can be its own tag in the feed's list of projects."""
    return bool(_PLAIN_TAG.fullmatch(project)) and not project.startswith("x-")


def event_tag(after: Iterable[str] = ()) -> str:
    """Return ``e.<time>.<random>``: base-36 milliseconds, so that tag order is time order.

    Parameters
    ----------
    after : iterable of str
        Tags of events that are known: the new one sorts behind them, whatever the clock says.
    """
    known = filter(None, map(_EVENT_TAG.fullmatch, after))
    last = max((int(match[1], 36) for match in known), default=0)
    value, digits = max(int(time.time() * 1000), last + 1), ""
    while value:
        value, rest = divmod(value, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return f"{EVENT_PREFIX}{digits:0>9}.{secrets.token_hex(6)}"

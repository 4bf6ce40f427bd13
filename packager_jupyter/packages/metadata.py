"""What a package says about itself: ``package.yaml`` of a draft, and the same in a version.

The file is plain YAML that people edit by hand. It is read as text only: no tags, anchors or
aliases, every value as it is written (``title: 2024`` is the title "2024"). What we do not know is
kept when we write.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import yaml

from packager_jupyter.errors import BadInputError, TooLargeError
from packager_jupyter.packages.names import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE_NAME = "package.yaml"
MAX_FILE_BYTES = 256 * 1024
MAX_LENGTH = {"title": 300, "license": 100, "description": 20_000}
MAX_LIST = 200
MAX_ITEM_LENGTH = 300
_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a package says about itself; empty where nothing is said.

    Authors are written as people write them, for example "Jane Doe <jane@example.org>".
    """

    title: str = ""
    description: str = ""
    license: str = ""
    authors: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return all five fields."""
        return {
            "title": self.title,
            "description": self.description,
            "license": self.license,
            "authors": list(self.authors),
            "keywords": list(self.keywords),
        }

    def changed(self, values: Mapping[str, Any]) -> Metadata:
        """Return a copy with other values, checked.

        Raises
        ------
        BadInputError
            An unknown field, or a value of the wrong kind or length.
        """
        unknown = sorted(set(values) - set(FIELDS))
        if unknown:
            raise BadInputError(
                f"A package has no field {shown(unknown[0])}.",
                remedy=f"The fields are: {', '.join(FIELDS)}.",
            )
        return replace(self, **{name: _READERS[name](value) for name, value in values.items()})


FIELDS = tuple(field.name for field in fields(Metadata))


def metadata_from_record(record: Mapping[str, Any]) -> Metadata:
    """Return the metadata in a mapping that may hold more; raises `BadInputError`."""
    return Metadata().changed({name: record[name] for name in FIELDS if name in record})


def parse_metadata(data: bytes) -> Metadata:
    """Read ``package.yaml``.

    Raises
    ------
    BadInputError
        It is no YAML mapping of plain values.
    TooLargeError
        Over 256 KiB.
    """
    return metadata_from_record(load_yaml(data))


def update_yaml(data: bytes, metadata: Metadata) -> bytes:
    """Return ``package.yaml`` with new metadata; other entries of `data` are kept."""
    record = load_yaml(data)
    for name, value in metadata.to_json().items():
        if value or name in record:
            record[name] = value
    text = yaml.safe_dump(record, allow_unicode=True, sort_keys=False, width=88)
    return text.encode()


class _PlainLoader(yaml.SafeLoader):
    """Reads every scalar as text and refuses what makes YAML more than a tree."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise BadInputError(
                f"{FILE_NAME} uses anchors or aliases.", remedy="Write the values out."
            )
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise BadInputError(f"{FILE_NAME} is nested too deep.", remedy="Write it flat.")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_PlainLoader.yaml_implicit_resolvers = {}


def load_yaml(data: bytes) -> dict[str, Any]:
    """Return the mapping in a YAML file, scalars as text; empty for an empty file."""
    if len(data) > MAX_FILE_BYTES:
        raise TooLargeError(
            f"{FILE_NAME} has {len(data):,} bytes.",
            remedy=f"It may have {MAX_FILE_BYTES:,}; put longer texts into README.md.",
        )
    try:
        record = yaml.load(data.decode(), Loader=_PlainLoader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"{FILE_NAME} cannot be read.",
            remedy="Correct its YAML, for example in JupyterLab's editor.",
            details=str(error).split("\n", 1)[0],
        ) from error
    if record is None or record == "":
        return {}
    if not isinstance(record, dict) or not all(isinstance(name, str) for name in record):
        raise BadInputError(
            f"{FILE_NAME} is no list of fields.",
            remedy=f"Write lines such as 'title: My data'; the fields are: {', '.join(FIELDS)}.",
        )
    return record


def _bad_field(name: str, wanted: str) -> BadInputError:
    return BadInputError(
        f"The field {name!r} of the package must be {wanted}.",
        remedy="Correct it in package.yaml or in the package's settings.",
    )


def _text(name: str) -> Any:
    def read(value: object) -> str:
        limit = MAX_LENGTH[name]
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > limit or not _is_text(value):
            raise _bad_field(name, f"a text of at most {limit:,} characters")
        return value.strip()

    return read


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in value


def _items(name: str, value: object) -> Sequence[Any]:
    if value is None or value == "":
        return ()
    if not isinstance(value, (list, tuple)) or len(value) > MAX_LIST:
        raise _bad_field(name, f"a list of at most {MAX_LIST}")
    return value


def _short(name: str, value: object) -> str:
    is_short = isinstance(value, str) and len(value) <= MAX_ITEM_LENGTH
    if not is_short or not str(value).strip() or not _is_text(str(value)):
        raise _bad_field(name, f"made of texts of 1 to {MAX_ITEM_LENGTH} characters")
    return str(value).strip()


def _list(name: str) -> Any:
    def read(value: object) -> tuple[str, ...]:
        return tuple(_short(name, item) for item in _items(name, value))

    return read


_READERS: dict[str, Any] = {
    "title": _text("title"),
    "description": _text("description"),
    "license": _text("license"),
    "authors": _list("authors"),
    "keywords": _list("keywords"),
}

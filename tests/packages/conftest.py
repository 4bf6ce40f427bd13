"""A source made of a dictionary, and packages over it with a real store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from packager_jupyter.errors import ObjectNotFoundError, SourceNotFoundError
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.packages.catalog import Packages
from packager_jupyter.sources.base import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ATTACHMENT_BYTES = 64 * 1024


class DictSource:
    """Keys and what the storage says about them; `fail_after` batches the storage goes away."""

    kind = "s3"

    def __init__(self, name: str, root: str = "s3://bucket/raw/") -> None:
        self.name = name
        self.root = root
        self.entries: dict[str, Entry] = {}
        self.batch = 3
        self.fail_after: int | None = None
        self.error: Exception = RuntimeError("the storage went away")
        self.stats: list[str] = []

    def put(self, *keys: str, size: int = 1, **more: object) -> None:
        for key in keys:
            etag = more.get("etag", hashlib.md5(key.encode(errors="replace")).hexdigest())
            options = {"modified_s": 1_700_000_000, **more, "etag": etag}
            self.entries[key] = Entry(key, size_bytes=size, **options)  # type: ignore[arg-type]

    def uri(self, key: str) -> str:
        return self.root + key

    def stat(self, key: str, *, version_id: str | None = None) -> Entry:
        self.stats.append(key)
        if key not in self.entries:
            raise ObjectNotFoundError(f"{self.name} has no {key!r}.", remedy="Look again.")
        return self.entries[key]

    def read(self, key: str, *, version_id: str | None = None) -> Iterator[bytes]:
        entry = self.stat(key, version_id=version_id)
        yield (key.encode() * (entry.size_bytes or 0))[: entry.size_bytes]

    def walk(self, prefix: str = "") -> Iterator[list[Entry]]:
        found = [entry for key, entry in self.entries.items() if key.startswith(prefix)]
        found.sort(key=lambda entry: entry.key.encode(errors="surrogatepass"))
        for number, start in enumerate(range(0, len(found), self.batch)):
            if number == self.fail_after:
                raise self.error
            yield found[start : start + self.batch]


class Sources:
    def __init__(self, *sources: DictSource) -> None:
        self.sources = {source.name: source for source in sources}

    def open(self, name: str) -> DictSource:
        if name not in self.sources:
            raise SourceNotFoundError(f"No source {name!r}.", remedy="Connect it.")
        return self.sources[name]


@pytest.fixture
def source() -> DictSource:
    return DictSource("demo")


@pytest.fixture
def make_packages(tmp_path: Path, source: DictSource):
    """Return a function that opens packages; the same `data` folder gives the same store."""
    opened = []

    def make(root: str = "root", *, data: str = "data") -> Packages:
        packages = Packages(
            tmp_path / root,
            LayoutStore(tmp_path / data / "oci"),
            Sources(source, DictSource("other", "azure://account/box/")),  # type: ignore[arg-type]
            tmp_path / data / "cache",
            max_attachment_bytes=MAX_ATTACHMENT_BYTES,
        )
        opened.append(packages)
        return packages

    yield make
    for packages in opened:
        packages.close()


@pytest.fixture
def packages(make_packages):
    return make_packages()


@pytest.fixture
def draft(packages):
    return packages.create("ocean")

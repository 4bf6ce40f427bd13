"""The index against a dictionary: whatever is done, totals, pages and order must agree."""

import contextlib
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from packager_jupyter.errors import BadInputError, ConflictError, PathNotFoundError
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.pointer import Pointer

NAMES = st.sampled_from(["a", "a.b", "a0", "b", "é", "A", "a-"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
POINTERS = st.builds(
    lambda path, size, etag, key, sums: Pointer(
        path,
        "s",
        key or f"p/{path}",
        f"s3://b/{key or 'p/' + path}",
        size,
        etag=etag,
        checksums=sums,
    ),
    PATHS,
    st.integers(0, 9),
    st.none() | st.sampled_from(["aa" * 16, "x"]),
    st.none() | st.sampled_from(["k", "p/a/a", "q/b"]),
    st.sampled_from([{}, {}, {"md5": "aa" * 16}, {"sha256": "bb" * 32}]),
)


def parents(path):
    parts = path.split("/")
    return ["/".join(parts[:number]) for number in range(1, len(parts))]


class IndexMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.index = PointerIndex(Path(self.folder.name) / "x.sqlite")
        self.model = {}

    def teardown(self):
        self.index.close()
        self.folder.cleanup()

    def folders(self, files):
        return {folder for path in files for folder in parents(path)}

    @rule(given=st.lists(POINTERS, max_size=6))
    def add(self, given):
        wanted = dict(self.model)
        for one in given:
            old = wanted.get(one.path)
            if old and old.etag and (old.etag, old.size_bytes) == (one.etag, one.size_bytes):
                sums = {**old.checksums, **one.checksums}
                one = Pointer(  # noqa: PLW2901
                    one.path, "s", one.key, one.uri, one.size_bytes, None, one.etag, None, sums
                )
            wanted[one.path] = one
        if self.folders(wanted) & set(wanted):
            with contextlib.suppress(ConflictError):
                self.index.add(given)
                raise AssertionError
            return
        counts = self.index.add(given)
        assert counts.total == len(given)
        assert counts.added == len(wanted) - len(self.model)
        self.model = wanted

    @rule(path=PATHS)
    def remove(self, path):
        below = {one for one in self.model if one == path or one.startswith(f"{path}/")}
        try:
            removed = self.index.remove([path])
        except PathNotFoundError:
            assert not below
            return
        assert removed.files == len(below)
        assert removed.size_bytes == sum(self.model[one].size_bytes for one in below)
        for one in below:
            del self.model[one]

    @rule(old=PATHS, new=PATHS)
    def move(self, old, new):
        below = [one for one in self.model if one == old or one.startswith(f"{old}/")]
        rest = {path: one for path, one in self.model.items() if path not in below}
        moved = {
            new + path[len(old) :]: Pointer(
                new + path[len(old) :], *[getattr(self.model[path], n) for n in FIELDS]
            )
            for path in below
        }
        taken = set(self.model) | self.folders(self.model)
        blocked = new in taken or not set(parents(new)).isdisjoint(self.model)
        try:
            self.index.move(old, new)
        except PathNotFoundError:
            assert not below
        except ConflictError:
            assert blocked
        except BadInputError:
            assert new.startswith(f"{old}/")
        else:
            assert old == new or (below and not blocked)
            self.model = rest | moved

    @invariant()
    def agrees(self):
        expected = [self.model[path] for path in sorted(self.model, key=str.encode)]
        assert list(self.index.iter_sorted()) == expected
        unhashed = sum(not one.checksums for one in expected)
        assert self.index.unhashed_files() == unhashed
        for folder in {"", *self.folders(self.model)}:
            prefix = f"{folder}/" if folder else ""
            inside = [one for one in expected if one.path.startswith(prefix)]
            assert self.index.totals(folder) == (
                len(inside),
                sum(one.size_bytes for one in inside),
            )
            names = {one.path[len(prefix) :].split("/")[0] for one in inside}
            page = self.index.page(folder)
            assert sorted(row.name for row in page.rows) == sorted(names)
            assert page.total_rows == len(names)
            for row in page.rows:
                if row.is_folder:
                    assert self.index.totals(row.path) == (row.files, row.size_bytes)
                else:
                    assert row == self.model[row.path]


FIELDS = Pointer._fields[1:]
TestIndexMachine = IndexMachine.TestCase
TestIndexMachine.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)

"""Killed, refused or crowded: what was acknowledged is there, and nothing half is."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from faults.strace import MUTATING, calls, kill_at, needs_strace, refuse_at, run
from packager_jupyter.packages.hashing import hash_draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from packager_jupyter.packages.catalog import Packages

NAME = "ocean"


def contents(packages: Packages) -> tuple[Any, ...]:
    """Return all that a person can see of a package, having checked that it agrees with itself."""
    draft = packages.draft(NAME)
    pointers = list(draft.iter_pointers())
    assert draft.totals() == (len(pointers), sum(one.size_bytes for one in pointers))
    with closing(sqlite3.connect(draft.folder / ".packager" / "pointers.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    texts = [(one.path, draft.read_attachment(one.path)) for one in draft.attachments()]
    versions = []
    for info in packages.versions(NAME):
        version = packages.version(NAME, info.version)
        found = list(version.iter_pointers())
        assert len(found) == info.files == version.totals().files
        assert version.page().rows
        versions.append((info.version, info.digest, found, version.readme()))
    return pointers, texts, draft.metadata(), versions


def fill(packages: Packages, source: Any) -> None:
    source.put(*(f"data/{part}/{number}" for part in "ab" for number in range(5)), size=3)
    source.put(*(f"more/{number}" for number in range(20)), size=2)
    draft = packages.create(NAME, title="Ocean")
    draft.add("demo", ["data/"])
    draft.attach(b"# One", "README.md")
    draft.publish(now_s=1)
    draft.attach(b"# Two", "README.md")
    draft.remove(["data/a/0"])


OPERATIONS = {
    "add": lambda draft: draft.add("demo", ["more/"]),
    "replace": lambda draft: draft.add("demo", ["data/"], to=""),
    "remove": lambda draft: draft.remove(["data/a"]),
    "move": lambda draft: draft.move("data/a", "moved/here"),
    "publish": lambda draft: draft.publish(now_s=5),
    "attach": lambda draft: draft.attach(b"new", "notes/a.md"),
    "hash": lambda draft: hash_draft(draft, draft._open_source, jobs=1),
    "metadata": lambda draft: draft.set_metadata(title="New"),
}


@pytest.fixture
def world(tmp_path, source, make_packages) -> Iterator[Callable[[], Packages]]:
    """Return a function that puts everything back as it was at first and opens it."""
    fill(make_packages(), source)
    template = tmp_path / "template"
    template.mkdir()
    for part in ("root", "data"):
        shutil.copytree(tmp_path / part, template / part)

    def fresh() -> Packages:
        for part in ("root", "data"):
            shutil.rmtree(tmp_path / part)
            shutil.copytree(template / part, tmp_path / part)
        return make_packages()

    return fresh


def fault_points(
    work: Callable[[], object], *, without: frozenset[str] | None = None
) -> list[tuple[str, int]]:
    outcome = run(work, "-e", f"trace={','.join(MUTATING)}")
    assert outcome.is_acknowledged, outcome.said
    counted = sorted(calls(outcome.log).items())
    # Being killed at an open, a lock or a mode is being killed before the next call that matters.
    counted = [(call, count) for call, count in counted if without is None or call not in without]
    return [(call, number) for call, count in counted for number in range(1, count + 1)]


def states(world, make_packages, operation):
    """Return what is seen before and after the operation, and the work to be disturbed."""
    before = contents(world())
    packages = world()
    OPERATIONS[operation](packages.draft(NAME))
    packages.close()
    after = contents(make_packages())
    world()

    def work() -> None:
        opened = make_packages()
        OPERATIONS[operation](opened.draft(NAME))
        opened.close()

    return before, after, work


@needs_strace
@pytest.mark.timeout(900)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_any_call_the_state_is_the_old_or_the_new(operation, world, make_packages):
    before, after, work = states(world, make_packages, operation)
    world()
    tried = acknowledged = 0
    for call, number in fault_points(work, without=frozenset({"openat", "flock", "fchmod"})):
        world()
        outcome = kill_at(work, call, number)
        tried += 1
        packages = make_packages()
        seen = contents(packages)
        where = f"{operation} killed at {call} {number}"
        assert seen in (before, after), where
        if outcome.is_acknowledged:
            acknowledged += 1
            assert seen == after, where
        # No lock outlives its process, and doing it again ends where it should.
        draft = packages.draft(NAME)
        draft.attach(b"free", "free.txt")
        draft.remove(["free.txt"])
        if seen == before or operation == "publish":
            OPERATIONS[operation](draft)
        packages.close()
        assert contents(make_packages()) == after, where
        assert packages.version(NAME).digest == after[3][0][1]
    print(f"{operation}: {tried} points, {acknowledged} acknowledged")
    assert tried > 5


@needs_strace
@pytest.mark.timeout(900)
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("operation", ["add", "publish", "hash"])
def test_refused_at_any_call_nothing_is_half_done(operation, error, world, make_packages):
    before, after, work = states(world, make_packages, operation)
    world()
    messages = set()
    for call, number in fault_points(work):
        if call in {"unlink", "unlinkat", "flock"}:
            continue
        world()
        outcome = refuse_at(work, call, number, error)
        seen = contents(make_packages())
        where = f"{operation}: {call} {number} gave {error}, said {outcome.said}"
        assert seen in (before, after), where
        if outcome.is_acknowledged:
            assert seen == after, where
        elif outcome.said is not None:  # else the refused call was the saying
            messages.add(outcome.said)
    print(f"{operation} {error}: {sorted(map(str, messages))}")
    # SQLite opens what it may not write for reading, and so the writing is what is forbidden.
    assert messages <= {"DiskFullError", "StorageError", "ForbiddenError"}
    assert ("DiskFullError" if error == "ENOSPC" else "StorageError") in messages


def child(work: Callable[[int], None]) -> tuple[int, int]:
    """Run `work` in a forked process; return its id and a pipe to read what it acknowledges."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            work(writer)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    return pid, reader


def acknowledgements(reader: int) -> list[str]:
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read().decode().split("\n")[:-1]


def test_two_processes_that_edit_one_draft_lose_nothing(packages, source, make_packages):
    source.put(*(f"n/{who}-{number:02}" for who in "xy" for number in range(30)))
    packages.create(NAME)
    packages.close()

    def work_of(who: str) -> Callable[[int], None]:
        def work(writer: int) -> None:
            draft = make_packages().draft(NAME)
            for number in range(30):
                draft.add("demo", [f"n/{who}-{number:02}"])
                draft.attach(b"x", f"{who}/{number}.txt")
                os.write(writer, f"{number}\n".encode())

        return work

    children = [child(work_of(who)) for who in "xy"]
    for pid, reader in children:
        assert len(acknowledgements(reader)) == 30
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    draft = make_packages().draft(NAME)
    assert draft.totals().files == 60
    assert len(draft.attachments()) == 60


def test_killed_at_random_what_was_acknowledged_is_there(packages, source, make_packages):
    source.put(*(f"n/{number:05}" for number in range(20_000)))
    packages.create(NAME)
    packages.close()
    chance = random.Random(7)
    expected = 0
    published: dict[str, str] = {}

    def work(writer: int) -> None:
        draft = make_packages().draft(NAME)
        for number in range(expected, 20_000):
            draft.add("demo", [f"n/{number:05}"])
            os.write(writer, f"add {number}\n".encode())
            if number % 2 == 0:
                done = draft.publish(now_s=number + 1)
                os.write(writer, f"publish {done.version} {done.digest}\n".encode())

    for _ in range(25):
        pid, reader = child(work)
        time.sleep(chance.uniform(0.05, 0.3))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        said = [line.split() for line in acknowledgements(reader)]
        opened = make_packages()
        draft = opened.draft(NAME)
        keys = [pointer.key for pointer in draft.iter_pointers()]
        assert keys == [f"n/{number:05}" for number in range(len(keys))]
        assert draft.totals().files == len(keys)
        added = [int(word[1]) for word in said if word[0] == "add"]
        assert len(keys) >= max(added, default=-1) + 1
        expected = len(keys)
        published |= {word[1]: word[2] for word in said if word[0] == "publish"}
        found = {info.version: info for info in opened.versions(NAME)}
        for version, digest in published.items():
            assert found[version].digest == digest
        for version, info in found.items():
            assert sum(1 for _ in opened.version(NAME, version).iter_pointers()) == info.files
        opened.close()
    assert expected > 10
    assert published


def test_a_killed_writer_leaves_no_lock(packages, source, make_packages):
    source.put(*(f"n/{number:05}" for number in range(200_000)))
    source.batch = 5000
    packages.create(NAME)
    packages.close()

    def work(writer: int) -> None:
        opened = make_packages()

        def progress(files: int, _size: int) -> None:
            os.write(writer, b"adding\n")
            if files > 100_000:
                time.sleep(60)

        opened.draft(NAME).add("demo", ["n/"], progress=progress)

    pid, reader = child(work)
    for _ in range(21):
        assert os.read(reader, 7) == b"adding\n"
    draft = make_packages().draft(NAME)
    assert draft.totals() == (0, 0)  # reading does not wait for the writer
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reader)
    assert draft.add("demo", ["n/00001"]).files_added == 1
    assert draft.totals().files == 1

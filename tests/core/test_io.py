"""Atomic writes and locks: whole or not at all, and never held by the dead."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import stat
import time

import pytest

from packager_jupyter import io
from packager_jupyter.errors import BusyError, DiskFullError


def test_write_replaces_whole_and_private(tmp_path):
    target = tmp_path / "state"
    io.write_atomic(target, b"old")
    io.write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_a_failing_block_leaves_the_old_content_and_no_temporary_file(tmp_path):
    target = tmp_path / "state"
    io.write_atomic(target, b"old")

    def write():
        with io.atomic_writer(target) as file:
            file.write(b"half")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the test's own error
        write()
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_must_not_exist_keeps_the_first(tmp_path):
    target = tmp_path / "state"
    io.write_atomic(target, b"first", must_not_exist=True)
    with pytest.raises(FileExistsError):
        io.write_atomic(target, b"second", must_not_exist=True)
    assert target.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_nothing_changes(tmp_path, monkeypatch, number):
    target = tmp_path / "state"
    io.write_atomic(target, b"old")

    def full(_fd):
        raise OSError(number, "full")

    monkeypatch.setattr(io.os, "fsync", full)
    with pytest.raises(DiskFullError, match="state"):
        io.write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_sweep_takes_only_old_temporary_files(tmp_path):
    old, young = tmp_path / f"{io.TEMP_PREFIX}a", tmp_path / f"{io.TEMP_PREFIX}b"
    for file in (old, young, tmp_path / "data"):
        file.write_bytes(b"")
        os.utime(file, (1, 1))
    os.utime(young)
    assert io.sweep_temp(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [young.name, "data"]


def _hold(path, ready):
    with io.file_lock(path):
        ready.set()
        time.sleep(60)


def test_a_lock_excludes_and_dies_with_its_holder(tmp_path):
    lock = tmp_path / "lock"
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    holder = spawn.Process(target=_hold, args=(lock, ready))
    holder.start()
    assert ready.wait(30)
    with pytest.raises(BusyError), io.file_lock(lock, timeout_s=0.05):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with io.file_lock(lock, timeout_s=5):
        assert lock.exists()


def test_make_dirs_makes_private_folders(tmp_path):
    io.make_dirs(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_of_a_large_file_only_the_end_stays_in_memory(tmp_path, monkeypatch):
    step = 1024 * 1024
    monkeypatch.setattr(io, "WRITEBACK_BYTES", step)
    monkeypatch.setattr(io, "KEPT_BYTES", 4 * step)
    data = os.urandom(step)
    with (tmp_path / "probe").open("w+b", 0) as file:
        file.write(data)
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, step, os.POSIX_FADV_DONTNEED)
        if is_in_memory(file.fileno(), 0):
            pytest.skip("a file system in memory")
    with (tmp_path / "large").open("w+b", 0) as file:
        writeback = io.EarlyWriteback(file)
        for at in range(16):
            file.write(data)
            writeback.wrote(step)
            if at == 11:
                os.fsync(file.fileno())  # what is not on the disk yet cannot be forgotten
        is_known = [is_in_memory(file.fileno(), at * step) for at in range(16)]
        # Before the eighth it depends on how fast the disk is.
        assert (is_known[7:10], is_known[-2:]) == ([False] * 3, [True] * 2)
        file.seek(0)
        assert file.read() == data * 16


def is_in_memory(fd, at):
    """Whether a read there makes nobody wait."""
    try:
        os.preadv(fd, [bytearray(1)], at, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno not in {errno.EAGAIN, errno.EOPNOTSUPP}:
            raise
        return error.errno == errno.EOPNOTSUPP  # a file system in memory does not offer it
    return True

"""An operation on a folder, and fresh prepared copies of the folder to disturb it on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faults.power import record, states
from faults.strace import kill_at, points, refuse_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TEMPORARY = ".packager-tmp-*"


@dataclass(frozen=True)
class Operation:
    """A change: the work, what can be seen before and after it, and how to look.

    Attributes
    ----------
    prepare, work : callable
        Take the folder.
    view : callable
        Takes the folder; returns what anybody can see, and fails on what must never be.
    """

    prepare: Callable[[Path], object]
    work: Callable[[Path], object]
    view: Callable[[Path], Any]
    before: Any
    after: Any


class Bench:
    """Disturbs an operation and judges what is left with eyes that have not seen the work."""

    def __init__(self, operation: Operation, folder: Path) -> None:
        self.operation = operation
        self.pattern, self.root = folder / "pattern" / "oci", folder / "copy" / "oci"
        self.pattern.parent.mkdir()
        operation.prepare(self.pattern)
        self.reset()

    def reset(self) -> None:
        """Make the copy as it was before the work."""
        shutil.rmtree(self.root.parent, ignore_errors=True)
        shutil.copytree(self.pattern.parent, self.root.parent, copy_function=shutil.copy2)

    def work(self) -> None:
        """Do the work on the copy."""
        self.operation.work(self.root)

    def judge(self, *, is_acknowledged: bool, root: Path | None = None) -> None:
        """Check that nothing promised is lost, and that the work can be done again."""
        root = root or self.root
        found = self.operation.view(root)
        is_done = found == self.operation.after
        assert is_done or (found == self.operation.before and not is_acknowledged), found
        if not is_done:
            self.operation.work(root)
            assert self.operation.view(root) == self.operation.after

    def kill_everywhere(self) -> int:
        """Kill the work at each call that changes anything; return how often it died."""
        died = alive = 0
        for call, number in points(self.work):
            self.reset()
            outcome = kill_at(self.work, call, number)
            died += outcome.said is None
            alive += outcome.said is not None
            self.judge(is_acknowledged=outcome.is_acknowledged)
        # A re-read that happened to be needed in the first run may be missing in another.
        assert died > 5 * alive
        return died

    def refuse_everywhere(self, error: str, *, said: str) -> int:
        """Let each of these calls fail with `error`; return how often the work said so."""
        refused = 0
        for call, number in points(self.work):
            self.reset()
            outcome = refuse_at(self.work, call, number, error)
            self.judge(is_acknowledged=outcome.is_acknowledged)
            if outcome.is_acknowledged or outcome.said is None:
                continue
            refused += 1
            assert outcome.said == said, (outcome.said, call, number)
            if not call.startswith("unlink"):
                assert list(self.root.rglob(TEMPORARY)) == [], (call, number)
        return refused

    def fail_power_everywhere(self, after: Path, *, is_durable: bool = True) -> int:
        """Judge every state that a power loss can leave, made as the folder `after`."""
        events = record(self.work)
        count = 0
        for is_acknowledged in self._states(events, after, is_durable=is_durable):
            self.judge(is_acknowledged=is_acknowledged, root=after / "oci")
            count += 1
        return count

    def _states(self, events: Any, after: Path, *, is_durable: bool) -> Iterator[bool]:
        before, root = self.pattern.parent, self.root.parent
        return states(before, root, events, after, is_durable=is_durable)

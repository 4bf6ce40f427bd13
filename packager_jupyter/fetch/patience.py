"""When to try again, when to try only once, and when to stop asking: shared by all workers.

One file that fails is tried several times. When the storage does not answer even then, ten
thousand more files would each wait as long: they are tried once, and after a few in a row not at
all. A share that ended in the middle is not asked again.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    PasswordRequiredError,
    ShareNotFoundError,
    StorageDeniedError,
    StorageUnreachableError,
)

if TYPE_CHECKING:
    from packager_jupyter.errors import PackagerError

ATTEMPTS = 5
DENIED_ATTEMPTS = 2
MISSES_TO_STOP = 4
MAX_WAIT_S = 30.0
_FINAL = (ShareNotFoundError, PasswordRequiredError)


class Patience:
    """Decides after each failure what the workers still do; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._misses = 0
        self.stopped_by: PackagerError | None = None

    def is_worth(self, error: PackagerError, attempt: int) -> bool:
        """Whether a file is tried again after its attempt number `attempt`, counted from 0."""
        if self.stopped_by is not None or self._misses:
            return False
        allowed = DENIED_ATTEMPTS if isinstance(error, StorageDeniedError) else ATTEMPTS
        return attempt + 1 < allowed

    def succeeded(self) -> None:
        """Note that something came: the storage answers."""
        if self._misses:
            with self._lock:
                self._misses = 0

    def gave_up(self, error: PackagerError) -> None:
        """Note that a file was given up for `error`."""
        with self._lock:
            if isinstance(error, _FINAL):
                self.stopped_by = error
            elif isinstance(error, StorageUnreachableError):
                self._misses += 1
                if self._misses >= MISSES_TO_STOP:
                    self.stopped_by = error


def wait_before_retry(error: PackagerError, attempt: int) -> None:
    """Sleep as long as the server asked for, else longer with each attempt, 30 s at most."""
    time.sleep(min(error.retry_after_s or 0.5 * 2**attempt, MAX_WAIT_S))

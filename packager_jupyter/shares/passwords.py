"""Share passwords: argon2id in two threads of their own behind a bounded queue.

One check costs some 20 ms of CPU and 19 MiB, so it never runs on the caller's thread and only two
run at a time; when too many wait, the next one is refused instead of kept.
"""

from __future__ import annotations

import functools
import secrets
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from packager_jupyter.errors import BadInputError, BusyError, StoreCorruptError

if TYPE_CHECKING:
    from concurrent.futures import Future

# The OWASP minimum for argon2id, measured at 18 ms.
TIME_COST = 2
MEMORY_KIB = 19_456
PARALLELISM = 1
MIN_CHARS = 6
MAX_BYTES = 1024
WORKERS = 2
QUEUE = 32


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the password is right, and its hash with today's parameters when that differs."""

    is_right: bool
    new_hash: str | None = None


def check_new_password(password: str) -> str:
    """Return `password` when it may protect a share.

    Raises
    ------
    BadInputError
        When it is shorter than 6 characters or longer than 1,024 bytes.
    """
    if len(password) < MIN_CHARS:
        raise BadInputError(
            f"The password has fewer than {MIN_CHARS} characters.",
            remedy=f"Choose one with at least {MIN_CHARS}; several words are easy to tell on.",
        )
    if len(_normal(password)) > MAX_BYTES:
        raise BadInputError(
            f"The password is longer than {MAX_BYTES} bytes.",
            remedy="Choose a shorter one.",
        )
    return password


class Passwords:
    """The two-thread pool that makes and checks argon2id hashes.

    Parameters
    ----------
    workers : int, default 2
        Checks that run at the same time.
    queue : int, default 32
        Checks that may wait.
    time_cost, memory_kib, parallelism : int
        argon2 parameters of new hashes; older hashes stay valid and are renewed on use.
    """

    def __init__(
        self,
        *,
        workers: int = WORKERS,
        queue: int = QUEUE,
        time_cost: int = TIME_COST,
        memory_kib: int = MEMORY_KIB,
        parallelism: int = PARALLELISM,
    ) -> None:
        self._hasher = PasswordHasher(
            time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism, type=Type.ID
        )
        self._slots = threading.BoundedSemaphore(workers + queue)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="packager-argon2")

    @functools.cached_property
    def _dummy(self) -> str:
        return self._hasher.hash(secrets.token_bytes(16))

    def hash(self, password: str) -> str:
        """Return the argon2id hash of `password` in PHC format; blocks for one check's time."""
        return self._hasher.hash(_normal(password))

    def check(self, stored: str | None, password: str) -> Future[Verdict]:
        """Compare `password` with the `stored` hash in the pool.

        Without a stored hash the same work is done and the verdict is wrong, so that time does
        not tell whether there was one.

        Raises
        ------
        BusyError
            When the queue is full.
        """
        if not self._slots.acquire(blocking=False):
            raise BusyError(
                "Too many passwords are being checked right now.",
                remedy="Try again in some seconds.",
                retry_after_s=2,
            )
        try:
            future = self._pool.submit(self._check, stored, password)
        except RuntimeError:  # the pool was shut down
            self._slots.release()
            raise
        future.add_done_callback(lambda _: self._slots.release())
        return future

    def close(self) -> None:
        """Let running checks end and drop waiting ones."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _check(self, stored: str | None, password: str) -> Verdict:
        given = _normal(password)
        if len(given) > MAX_BYTES:
            stored, given = None, given[:MAX_BYTES]
        try:
            self._hasher.verify(stored or self._dummy, given)
        except VerifyMismatchError:
            return Verdict(is_right=False)
        except (InvalidHashError, VerificationError) as error:
            raise StoreCorruptError(
                "The stored password of this share cannot be read.",
                remedy="Set a new password for the share.",
                details=type(error).__name__,
            ) from error
        if stored is None:
            return Verdict(is_right=False)
        renew = self._hasher.check_needs_rehash(stored)
        return Verdict(is_right=True, new_hash=self._hasher.hash(given) if renew else None)


def _normal(password: str) -> bytes:
    """Encode as RFC 8265 4.2 (OpaqueString) wants: NFC, so that every keyboard's é is the same."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")

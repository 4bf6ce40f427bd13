"""What opens a locked share: a capability, a cookie, or its password.

Wrong passwords are counted per share and address and per share. A right one is remembered for some
minutes, so that a tool which sends it with each of ten thousand requests costs one argon2 check;
the limits are looked at before that memory, so it cannot be probed.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from packager_jupyter.errors import PackagerError, RateLimitedError
from packager_jupyter.keys import derive_key
from packager_jupyter.shares.limits import SlidingWindow, address_key
from packager_jupyter.signed import sign, verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from packager_jupyter.config import Settings
    from packager_jupyter.shares.model import Share
    from packager_jupyter.shares.passwords import Passwords, Verdict

COOKIE_PURPOSE = "share-cookie"
FORM_PURPOSE = "share-form"
IMAGES_PURPOSE = "share-images"
FORM_LIFE_S = 3600
AUDIENCE_TICKET_S = 60
"""A ticket does not ask again who is in the audience, so it lives as long as a page loads."""
MEMORY_S = 300
MAX_REMEMBERED = 4096
# An attacker with many addresses meets this one.
SHARE_ATTEMPTS_FACTOR = 10
_NOBODY = "-"


class Gate:
    """Decides whether a visitor may pass; safe to share between threads.

    Parameters
    ----------
    settings : Settings
        `password_attempts`, `password_window_s` and `share_cookie_s` are used.
    key : bytes
        Key of this installation for cookies and form tokens.
    passwords : Passwords
        The pool that checks.
    on_new_hash : callable
        Called with (share, new hash) when a hash should be renewed.
    clock : callable
        Returns Unix seconds.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        key: bytes,
        passwords: Passwords,
        on_new_hash: Callable[[Share, str], None],
        clock: Callable[[], float],
    ) -> None:
        self._cookie_key = derive_key(key, COOKIE_PURPOSE)
        self._form_key = derive_key(key, FORM_PURPOSE)
        self._images_key = derive_key(key, IMAGES_PURPOSE)
        self._memory_key = secrets.token_bytes(32)
        self._cookie_s = settings.share_cookie_s
        self._passwords = passwords
        self._on_new_hash = on_new_hash
        self._clock = clock
        window_s = settings.password_window_s
        self._by_address = SlidingWindow(settings.password_attempts, window_s)
        self._by_share = SlidingWindow(settings.password_attempts * SHARE_ATTEMPTS_FACTOR, window_s)
        # Re-entrant: a check that is done at once calls _finish inside _start.
        self._lock = threading.RLock()
        self._remembered: dict[bytes, float] = {}
        self._running: dict[bytes, Future[bool]] = {}

    def cookie(self, share: Share, *, now_s: float) -> tuple[str, int]:
        """Return the value and the life in seconds of the cookie that opens `share`."""
        return self._pass(share, COOKIE_PURPOSE, now_s=now_s, key=self._cookie_key)

    def cookie_opens(self, share: Share, value: str, *, now_s: float) -> bool:
        """Whether `value` is a living cookie of this share and of its present epoch."""
        return _is_pass(share, value, COOKIE_PURPOSE, now_s=now_s, key=self._cookie_key)

    def image_ticket(self, share: Share, *, now_s: float) -> str:
        """Return a path segment that opens the images of `share` and nothing else.

        The page on which they stand has an origin of its own, so browsers send no cookie for what
        is inside it.
        """
        longest_s = self._cookie_s if share.audience.is_anyone else AUDIENCE_TICKET_S
        return self._pass(
            share, IMAGES_PURPOSE, now_s=now_s, key=self._images_key, longest_s=longest_s
        )[0]

    def is_image_ticket(self, share: Share, value: str, *, now_s: float) -> bool:
        """Whether `value` is a living image ticket of this share and of its present epoch."""
        return _is_pass(share, value, IMAGES_PURPOSE, now_s=now_s, key=self._images_key)

    def form_token(self, share: Share, nonce: str, *, now_s: float) -> str:
        """Return the hidden field of the password form, bound to the cookie `nonce`."""
        now = int(now_s)
        return sign(
            {"share": share.id, "nonce": nonce},
            purpose=FORM_PURPOSE,
            iat_s=now,
            exp_s=now + FORM_LIFE_S,
            key=self._form_key,
        )

    def is_form_token(self, share: Share, nonce: str, value: str, *, now_s: float) -> bool:
        """Whether the password form was made by us, for this browser and this share."""
        claims = verify(value, purpose=FORM_PURPOSE, now_s=now_s, key=self._form_key)
        return (
            claims is not None
            and claims["share"] == share.id
            and hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode())
        )

    def try_password(self, share: Share | None, password: str, *, ip: str) -> Future[bool]:
        """Check `password` for `share`; ``None`` is a share that is gone and costs the same time.

        Raises
        ------
        RateLimitedError
            Too many wrong ones came for this share, from this address or from all.
        BusyError
            Too many checks wait.
        """
        now_s = self._clock()
        share_id, epoch = (share.id, share.epoch) if share else (_NOBODY, 0)
        address = f"{share_id} {address_key(ip)}"
        self._refuse(self._by_address.wait_s(address, now_s))
        if share is not None:
            self._refuse(self._by_share.wait_s(share_id, now_s))
        digest = self._digest(share_id, epoch, password)
        with self._lock:
            if self._remembered.get(digest, 0.0) > now_s:
                return _done()
            running = self._running.get(digest)
            if running is not None:
                return running
            outer: Future[bool] = Future()
            # Several callers may share this future: none of them can cancel it.
            outer.set_running_or_notify_cancel()
            self._start(share, password, address, now_s, (digest, outer))
            return outer

    def _pass(
        self,
        share: Share,
        purpose: str,
        *,
        now_s: float,
        key: bytes,
        longest_s: int | None = None,
    ) -> tuple[str, int]:
        life_s = self._cookie_s if longest_s is None else longest_s
        remaining_s = share.remaining_s(now_s)
        if remaining_s is not None:
            life_s = min(life_s, int(remaining_s))
        claims: dict[str, str | int] = {"share": share.id, "epoch": share.epoch}
        now = int(now_s)
        return sign(claims, purpose=purpose, iat_s=now, exp_s=now + life_s, key=key), life_s

    def _start(
        self,
        share: Share | None,
        password: str,
        address: str,
        now_s: float,
        flight: tuple[bytes, Future[bool]],
    ) -> None:
        # Counted before the check runs, so that parallel guesses cannot slip past the limit.
        self._refuse(self._by_address.take(address, now_s))
        try:
            if share is not None:
                self._refuse(self._by_share.take(share.id, now_s))
            inner = self._passwords.check(share.password_hash if share else None, password)
        except PackagerError:
            self._give_back(share, address, now_s)
            raise
        self._running[flight[0]] = flight[1]
        inner.add_done_callback(partial(self._finish, share, address, now_s, flight))

    def _finish(
        self,
        share: Share | None,
        address: str,
        taken_s: float,
        flight: tuple[bytes, Future[bool]],
        inner: Future[Verdict],
    ) -> None:
        digest, outer = flight
        error = None if inner.cancelled() else inner.exception()
        is_right = not inner.cancelled() and error is None and inner.result().is_right
        with self._lock:
            self._running.pop(digest, None)
            if is_right:
                self._remember(digest)
        if is_right:
            self._give_back(share, address, taken_s)
        if error is not None:
            outer.set_exception(error)
        else:
            outer.set_result(is_right)
        if is_right and share is not None:
            new_hash = inner.result().new_hash
            if new_hash is not None:
                self._on_new_hash(share, new_hash)

    def _give_back(self, share: Share | None, address: str, taken_s: float) -> None:
        self._by_address.give_back(address, taken_s)
        if share is not None:
            self._by_share.give_back(share.id, taken_s)

    def _remember(self, digest: bytes) -> None:
        now_s = self._clock()
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered = {k: v for k, v in self._remembered.items() if v > now_s}
        if len(self._remembered) < MAX_REMEMBERED:
            self._remembered[digest] = now_s + min(MEMORY_S, self._cookie_s)

    def _digest(self, share_id: str, epoch: int, password: str) -> bytes:
        # The key is random and dies with the process, so the memory is worth nothing elsewhere.
        text = json.dumps([share_id, epoch, password]).encode()
        return hmac.digest(self._memory_key, text, "sha256")

    def _refuse(self, wait_s: int | None) -> None:
        if wait_s is not None:
            raise RateLimitedError(
                "Too many wrong passwords for this share.",
                remedy=f"Wait {wait_s} seconds, then try again with the right one.",
                retry_after_s=wait_s,
            )


def _is_pass(share: Share, value: str, purpose: str, *, now_s: float, key: bytes) -> bool:
    claims = verify(value, purpose=purpose, now_s=now_s, key=key)
    return claims is not None and claims["share"] == share.id and claims["epoch"] == share.epoch


def _done() -> Future[bool]:
    future: Future[bool] = Future()
    future.set_result(True)
    return future

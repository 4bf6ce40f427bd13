"""The ground of all share routes: finding the share, the gate before it, and failures.

Nothing about a share (no title, name, size or key) leaves this server before `visit` has returned:
every handler calls it first. A share that is gone gets one answer whatever the reason.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import time
from http.client import responses
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from packager_jupyter.errors import (
    BadInputError,
    BusyError,
    PackagerError,
    PasswordRequiredError,
    ShareNotFoundError,
    SignInRequiredError,
)
from packager_jupyter.server.base import PackagerHandler
from packager_jupyter.server.share.faults import for_visitors
from packager_jupyter.server.share.pages import PLAIN_POLICY, render_page, static_files
from packager_jupyter.server.share.state import share_state
from packager_jupyter.shares.model import share_gone

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from packager_jupyter.packages.version import Version
    from packager_jupyter.server.auth import Principal
    from packager_jupyter.server.failures import Failure
    from packager_jupyter.server.share.state import ShareState
    from packager_jupyter.shares.model import Share

COOKIE = "packager_share"
FORM_COOKIE = "packager_form"
SHARE_HEADER = "X-Share-Token"
NO_TICKET = "-"
ALLOWED_HEADERS = f"Range, If-Range, If-None-Match, If-Modified-Since, Content-Type, {SHARE_HEADER}"
PREFLIGHT_S = 600
BAD_REQUEST = 400
PATIENCE_S = 2.0
"""How long a browser waits for an index that is being built before it is told so; tools wait."""

PREPARING_S = 3
_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]_")


class ShareHandler(PackagerHandler):
    """A route below ``s/<share>/``."""

    audit_action: ClassVar[str] = "share.read"
    share: Share | None = None
    visitor: Principal | None = None
    segment = ""
    was_wrong = False
    _is_noted = False
    _is_preparing = False

    # -- finding and opening ----------------------------------------------------------------------

    @property
    def state(self) -> ShareState:
        """What is remembered between requests."""
        return share_state(self.settings)

    async def visit(self, segment: str) -> Share:
        """Return the share of this path segment when the visitor may read it.

        Raises
        ------
        ShareNotFoundError
            Unknown, expired, revoked, used up, not started, or not for this person.
        PasswordRequiredError
            Locked, and nothing that opens it came along.
        SignInRequiredError
            For people who have signed in, and nobody has.
        RateLimitedError, BusyError
            See `shares.gate.Gate.try_password`.
        """
        share = await self.find(segment)
        if share.is_open:
            # Needs no cookie: whoever has the link may read it from any page.
            self._headers["Access-Control-Allow-Origin"] = "*"
            return share
        await self.check_audience(share)
        if share.needs_password and not self._has_cookie(share):
            password = self._sent_password()
            if password is None:
                raise _locked()
            if not await self.is_password(share, password):
                raise wrong_password()
        return share

    async def find(self, segment: str) -> Share:
        """Return the active share of this path segment, locked or not."""
        self.segment = segment
        shares, now_s = self.services.shares, time.time()
        share = shares.peek(segment, now_s=now_s)
        if share is None:
            try:
                share = await self._open(segment, now_s)
            except ShareNotFoundError:
                password = self._sent_password()
                if password is not None:
                    # Takes as long as it does where there is a share.
                    await self.is_password(None, password)
                raise
        self.share = share
        return share

    async def _open(self, segment: str, now_s: float) -> Share:
        """Look the share up, once for all who ask in the same second between the same commits.

        Every second the uses and accesses of busy shares are committed, and all their visitors
        have to ask anew.
        """
        shares = self.services.shares
        mark = shares.mark()
        if mark is None:
            return await self.call(shares.open, segment, now_s=now_s)
        return await self.state.opening.make(
            (segment, mark, int(now_s)), lambda: self.call(shares.open, segment, now_s=now_s)
        )

    async def check_audience(self, share: Share) -> None:
        """Let nobody pass who is not in the share's audience, as it is at this moment.

        Raises
        ------
        SignInRequiredError
            Nobody has said who asks.
        ShareNotFoundError
            Somebody else has: for them there is no such share.
        """
        if share.audience.is_anyone:
            return
        visitor = self.visitor = await self.authenticator.visitor(self)
        if visitor is None:
            raise _nobody()
        if not share.audience.admits(visitor.as_visitor):
            self.note("share.audience", "refused")
            raise share_gone()

    async def is_password(self, share: Share | None, password: str) -> bool:
        """Check a password off the event loop; a wrong one goes into the audit."""
        gate = self.services.shares.gate
        is_right = await asyncio.wrap_future(gate.try_password(share, password, ip=self.client_ip))
        if not is_right:
            self.was_wrong = True
            self.note("share.password", "wrong")
        return is_right

    def _has_cookie(self, share: Share) -> bool:
        value = self.get_cookie(COOKIE)
        gate = self.services.shares.gate
        return value is not None and gate.cookie_opens(share, value, now_s=time.time())

    def _sent_password(self) -> str | None:
        """Return the password in a header: ``X-Share-Token``, or Basic with any user name."""
        header = self.request.headers.get(SHARE_HEADER)
        if header is not None:
            # Header bytes reach us as Latin-1; people and tools mean UTF-8.
            return header.encode("latin-1", "replace").decode("utf-8", "replace")
        scheme, _, value = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            decoded = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            return None
        _, colon, password = decoded.partition(b":")
        return password.decode("utf-8", "replace") if colon else None

    async def options(self, share: str = "", **_path: str) -> None:
        """Tell a page of another origin what it may ask for; of a locked share: nothing.

        Open shares are read from anywhere without cookies (Fetch standard, CORS protocol).
        """
        self.set_status(204)
        self.set_header("Allow", self._allow())
        try:
            is_open = (await self.find(share)).is_open
        except ShareNotFoundError:
            is_open = False
        if is_open:
            self.set_header("Access-Control-Allow-Origin", "*")
            self.set_header("Access-Control-Allow-Methods", self._allow())
            self.set_header("Access-Control-Allow-Headers", ALLOWED_HEADERS)
            self.set_header("Access-Control-Max-Age", str(PREFLIGHT_S))

    # -- what is shared ---------------------------------------------------------------------------

    async def version(self, share: Share) -> Version:
        """Return the shared version, as far as the share's path filter lets it through.

        Share handlers get versions from here (or `version_of`) only, so none can forget the filter.
        """
        memory, key = self.state.versions_of(share)
        found = memory.get(key)
        if found is not None:
            return found
        loading = memory.load(key, lambda: self.version_of(share, share.version or "latest"))
        if not self.wants_page:
            return await loading
        try:
            return await asyncio.wait_for(loading, PATIENCE_S)
        except TimeoutError:
            self._is_preparing = True
            raise self._preparing(share) from None

    async def version_of(self, share: Share, ref: str) -> Version:
        """Return another version of what `share` shares, under the same path filter.

        Its index is there: one that comes from another host's registry gets it now, in one thread
        for all who wait.
        """
        packages = self.services.packages
        version = await self.call(packages.version, share.package, ref, paths=share.paths)
        if not version.is_ready:
            preparing, (_, key) = self.state.preparing, self.state.versions_of(share)
            preparing[key] = version
            try:
                await self.call(version.prepare)
            finally:
                preparing.pop(key, None)
        return version

    def _preparing(self, share: Share) -> BusyError:
        _, key = self.state.versions_of(share)
        version = self.state.preparing.get(key)
        done = "" if version is None else f", {version.progress:.0%} done"
        return BusyError(
            f"This share is being prepared{done}.",
            remedy="This page asks again by itself. It happens once for each version.",
            retry_after_s=PREPARING_S,
        )

    def count_use(self, share: Share) -> Awaitable[None] | None:
        """Count one hand-out; await what this returns when it returns something.

        Raises
        ------
        ShareNotFoundError
            On awaiting: the maximum is reached.
        """
        shares, now_s = self.services.shares, time.time()
        if shares.count_use(share, now_s=now_s):
            self.note(self.audit_action, "ok")
            return None
        return self._count_exactly(share, now_s)

    async def _count_exactly(self, share: Share, now_s: float) -> None:
        await self.call(self.services.shares.count_exactly, share, now_s=now_s)
        self.note(self.audit_action, "ok")

    async def count_uses(self, share: Share, count: int) -> int:
        """Count `count` hand-outs at once; return how many of them the share's maximum allows."""
        shares, now_s = self.services.shares, time.time()
        if not shares.count_use(share, now_s=now_s, count=count):
            count = await self.call(shares.count_at_most, share, count, now_s=now_s)
        self.note(self.audit_action, f"ok {count}")
        return count

    def image_prefix(self, share: Share) -> str:
        """Return what stands before an image's path in this visitor's pages."""
        if share.is_open:
            return f"images/{NO_TICKET}/"
        gate = self.services.shares.gate
        return f"images/{gate.image_ticket(share, now_s=time.time())}/"

    def note(self, action: str, result: str) -> None:
        """Write an access into the audit, a moment later."""
        self._is_noted = True
        what = self.share.id if self.share else "share"
        who = self.visitor.name if self.visitor else "visitor"
        self.services.audit.note(who, self.client_ip, action, what, result, self.request_id)

    def on_finish(self) -> None:
        """Write into the audit what no handler has written: no access to a share goes unnoted."""
        if self.share is not None and not self._is_noted:
            status = self.get_status()
            self.note(self.audit_action, "ok" if status < BAD_REQUEST else str(status))
        super().on_finish()

    # -- addresses --------------------------------------------------------------------------------

    @property
    def share_url(self) -> str:
        """The lasting address of this share as the visitor came by it, ending in ``/``.

        Raises
        ------
        BadInputError
            The request names a host that cannot be one.
        """
        if not self.services.settings.public_url and not _HOST.issuperset(self.request.host):
            raise BadInputError("The Host of the request is none.", remedy="Use a browser.")
        return f"{self.public_url}s/{self.segment}/"

    @property
    def up(self) -> str:
        """From this request's address to our root, as a relative reference: ``../../``.

        Relative references stay right behind a proxy that strips or adds a prefix.
        """
        below = self.request.path[len(self.context.prefix) :]
        return "../" * below.count("/")

    @property
    def share_up(self) -> str:
        """From this request's address to the share's root, as a relative reference."""
        return "../" * max(0, self.up.count("/") - 2)

    @property
    def cookie_path(self) -> str:
        """The share's root as the browser sees it."""
        public = urlsplit(self.services.settings.public_url)
        is_public = public.netloc and public.netloc == self.request.host
        return f"{public.path if is_public else self.context.prefix}s/{self.segment}/"

    @property
    def is_https(self) -> bool:
        """Whether the browser came by TLS, as far as we can know."""
        return self.public_url.startswith("https:")

    # -- pages and failures -----------------------------------------------------------------------

    @property
    def wants_page(self) -> bool:
        """Whether the client is a browser, going by what it accepts."""
        return "text/html" in self.request.headers.get("Accept", "")

    def send_page(
        self, template: str, *, policy: str, may_index: bool = False, **values: Any
    ) -> None:
        """Finish with a rendered page, which search engines list only if they may index it."""
        up = self.up
        page = render_page(
            template,
            up=up,
            style=f"{up}static/share.css?v={static_files()['share.css'][1]}",
            **values,
        )
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", policy)
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("X-Robots-Tag", "nofollow" if may_index else "noindex, nofollow")
        self.set_header("Vary", "Accept, Cookie")
        self.finish(page)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with a failure in words for visitors."""
        if "exc_info" in kwargs:
            typ, error, trace = kwargs["exc_info"]
            if isinstance(error, PackagerError):
                error = for_visitors(error, request_id=self.request_id)
            kwargs["exc_info"] = (typ, error, trace)
        super().write_error(status_code, **kwargs)

    def render_failure(self, failure: Failure) -> None:
        """Finish with a page for a browser, JSON for everybody else."""
        if self.share is not None and self.share.is_open:
            self.set_header("Access-Control-Allow-Origin", "*")
        code = failure.body["code"]
        if code == SignInRequiredError.code:
            # RFC 9110 11.6.1 wants a challenge; no browser asks anything for these two.
            self.set_header("WWW-Authenticate", 'Bearer realm="share"')
        if code == PasswordRequiredError.code:
            # A browser gets a form; Basic would make it pop up its own dialogue (RFC 9110 11.6.1
            # wants a challenge, and an unknown one is ignored).
            scheme = "Form" if self.wants_page else "Basic"
            charset = ', charset="UTF-8"' if scheme == "Basic" else ""
            self.set_header("WWW-Authenticate", f'{scheme} realm="share"{charset}')
        if self._is_preparing:
            self.set_header("Refresh", str(PREPARING_S))
        if not self.wants_page:
            super().render_failure(failure)
        elif code == PasswordRequiredError.code and self.share is not None:
            self._send_locked(self.share, failure)
        else:
            self.send_page(
                "failure.html",
                policy=PLAIN_POLICY,
                title=responses.get(failure.status, "Error"),
                failure=failure.body,
                is_gone=code == ShareNotFoundError.code,
                sign_in_url=self._sign_in_url(code),
            )

    def _sign_in_url(self, code: str) -> str | None:
        return self.authenticator.sign_in_url(self) if code == SignInRequiredError.code else None

    def _send_locked(self, share: Share, failure: Failure) -> None:
        nonce = secrets.token_urlsafe(16)
        self.set_cookie(
            FORM_COOKIE,
            nonce,
            path=self.cookie_path,
            httponly=True,
            samesite="Strict",
            secure=self.is_https,
        )
        form = self.services.shares.gate.form_token(share, nonce, now_s=time.time())
        self.send_page(
            "locked.html",
            policy=PLAIN_POLICY,
            form=form,
            action=f"{self.share_up}unlock",
            message=failure.body["message"] if self.was_wrong else "",
        )


def _locked() -> PasswordRequiredError:
    return PasswordRequiredError(
        "This share is protected by a password.",
        remedy="Open the link in a browser, or send the password with HTTP Basic (any user name) "
        f"or in the header {SHARE_HEADER}.",
    )


def _nobody() -> SignInRequiredError:
    return SignInRequiredError(
        "This share is for people who have signed in.",
        remedy="Sign in to this server and open the link again; tools send a token in the "
        "Authorization header.",
    )


def wrong_password() -> PasswordRequiredError:
    """Return the error for a password that is not the right one."""
    return PasswordRequiredError(
        "That is not the password of this share.",
        remedy="Check upper and lower case, or ask the person who sent you the link.",
    )

"""``unlock``: the password form's answer, a cookie for this one share."""

from __future__ import annotations

import time
from typing import ClassVar
from urllib.parse import parse_qs

from packager_jupyter.errors import ForbiddenError, ShareNotFoundError
from packager_jupyter.server.share.base import COOKIE, FORM_COOKIE, ShareHandler, wrong_password

MAX_FIELDS = 8


class UnlockHandler(ShareHandler):
    """Checks the password that somebody typed."""

    audit_action: ClassVar[str] = "share.password"

    async def get(self, share: str) -> None:
        """Lead whoever reloads this address back to the share."""
        await self.find(share)
        self._to_share()

    head = get

    async def post(self, share: str) -> None:
        """Set the cookie and lead to the share when the password is right."""
        fields = self._fields()
        try:
            opened = await self.find(share)
        except ShareNotFoundError:
            # Takes as long as it does where there is a share.
            await self.is_password(None, fields.get("password", ""))
            raise
        await self.check_audience(opened)
        now_s = time.time()
        gate = self.services.shares.gate
        nonce = self.get_cookie(FORM_COOKIE) or ""
        is_ours = self.request.headers.get("Sec-Fetch-Site", "same-origin") in {
            "same-origin",
            "none",
        } and gate.is_form_token(opened, nonce, fields.get("form", ""), now_s=now_s)
        if not is_ours:
            raise ForbiddenError(
                "The form is too old, or was not sent from the share's own page.",
                remedy="Open the link again and let your browser accept the share's cookie.",
            )
        if opened.has_password:
            if not await self.is_password(opened, fields.get("password", "")):
                raise wrong_password()
            value, life_s = gate.cookie(opened, now_s=now_s)
            self.set_cookie(
                COOKIE,
                value,
                path=self.cookie_path,
                max_age=life_s,
                httponly=True,
                samesite="Lax",
                secure=self.is_https,
            )
            self.note(self.audit_action, "ok")
        self._to_share()

    def check_xsrf_cookie(self) -> None:
        """Leave Tornado's own check out: strangers have no session, so the form carries a token.

        The token is signed for this share and bound to a cookie that only this browser has.
        """

    def _fields(self) -> dict[str, str]:
        try:
            text = self.body.decode()
            pairs = parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            return {}
        return {name: values[-1] for name, values in pairs.items()}

    def _to_share(self) -> None:
        self.set_status(303)
        self.set_header("Location", "./")
        self.finish()

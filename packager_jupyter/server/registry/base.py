"""The ground of all registry routes: which feed, who asks, and whether a token allows it.

Clients carry one and the same kind of token in different ways; all are read here and nowhere else.
Cookies and tokens in addresses are ignored, so no page of another site can act for anybody.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from packager_jupyter.errors import ForbiddenError, NotAuthenticatedError, PackagerError
from packager_jupyter.server.base import PackagerHandler
from packager_jupyter.server.registry.admission import Admission
from packager_jupyter.server.registry.intake import Intake
from packager_jupyter.server.registry.multipart import BareReceiver, FormReceiver, is_form
from packager_jupyter.shares.scopes import is_allowed, may_somewhere

if TYPE_CHECKING:
    from packager_jupyter.registries.feeds import Feeds
    from packager_jupyter.registries.spec import FeedSpec
    from packager_jupyter.server.failures import Failure
    from packager_jupyter.server.registry.multipart import ReceivedFile
    from packager_jupyter.shares.api_tokens import TokenInfo
    from packager_jupyter.shares.scopes import RegistryAction, RegistryScope

_ACTIONS: dict[str, RegistryAction] = {"GET": "read", "HEAD": "read", "DELETE": "delete"}
REALM = 'Basic realm="packager", charset="UTF-8"'


class RegistryHandler(PackagerHandler):
    """A route below ``<ecosystem>/<feed>/``."""

    ecosystem: ClassVar[str]
    spec: FeedSpec
    token: TokenInfo | None = None
    scopes: tuple[RegistryScope, ...] = ()

    @property
    def feeds(self) -> Feeds:
        """The feeds of this installation."""
        return self.services.feeds

    @property
    def feed_url(self) -> str:
        """Absolute address of the feed, ending in ``/``."""
        return f"{self.public_url}{self.ecosystem}/{self.spec.name}/"

    @property
    def cache_scope(self) -> str:
        """``public`` when everybody may read this feed, so shared caches may keep answers."""
        return "public" if self.spec.is_anonymous_read else "private"

    @property
    def actor(self) -> str:
        """Who publishes, as it is recorded."""
        return self.token.owner if self.token else "anonymous"

    async def prepare(self) -> None:
        """Find the feed and let in whoever may do something of this kind here.

        Raises
        ------
        FeedNotFoundError
            There is no such feed.
        NotAuthenticatedError
            Nobody, or a wrong or expired token: 401, so that clients ask for one and never fall
            through to another index.
        ForbiddenError
            A known token without the right.
        """
        await super().prepare()
        if self.request.method == "OPTIONS":
            return
        try:
            await self._admit()
        except PackagerError as error:
            self.refuse(error)

    async def _admit(self) -> None:
        actions = self.possible_actions()
        action = actions[0]
        carried = carried_token(self.request.headers)
        found = await self._admission(carried)
        self.spec, self.token, self.scopes = found.spec, found.token, found.scopes
        is_open = action == "read" and self.spec.is_anonymous_read
        if is_open and carried is None:
            self._start_body()
            return
        if self.token is None:
            raise NotAuthenticatedError(
                "This feed needs a token." if carried is None else "The token is wrong or expired.",
                remedy="Make one with `packager token create` and give it to the client as "
                "user __token__ and password, or as its token setting.",
            )
        if not is_open and not any(
            may_somewhere(self.scopes, ecosystem=self.ecosystem, feed=self.spec.name, action=each)
            for each in actions
        ):
            raise self._forbidden(action, None)
        self._start_body()

    def possible_actions(self) -> tuple[RegistryAction, ...]:
        """Return what this request may turn out to want, the likeliest first."""
        return (_ACTIONS.get(self.request.method or "", "publish"),)

    async def find_feed(self) -> FeedSpec:
        """Return the feed that this request is for; raises `FeedNotFoundError`."""
        found: FeedSpec = await self.call(self.feeds.spec, self.ecosystem, self.path_kwargs["feed"])
        return found

    async def _admission(self, carried: str | None) -> Admission:
        admissions = self.context.admissions
        feed = self.path_kwargs.get("feed", f"({type(self).__name__})")
        key = admissions.key(self.ecosystem, feed, carried)
        found = admissions.get(key, self.services.db)
        if found is None:
            mark = admissions.mark()
            spec = await self.find_feed()
            token = await self.call(self.services.tokens.verify, carried) if carried else None
            found = Admission(spec, token, token.registry_scopes if token else ())
            if token is not None or not carried:  # what is wrong is not worth remembering
                admissions.put(key, found, mark=mark)
        return found

    def _start_body(self) -> None:
        """Get ready for the body of a request that may be made."""

    def require(self, action: RegistryAction, project: str | None) -> None:
        """Refuse unless the request may do `action` to this very project.

        Raises
        ------
        ForbiddenError
        """
        if action == "read" and self.spec.is_anonymous_read:
            return
        if not is_allowed(
            self.scopes,
            ecosystem=self.ecosystem,
            feed=self.spec.name,
            project=project,
            action=action,
        ):
            raise self._forbidden(action, project)

    def _forbidden(self, action: str, project: str | None) -> ForbiddenError:
        place = f"{self.ecosystem}/{self.spec.name}" + (f"/{project}" if project else "")
        return ForbiddenError(
            f"The token may not {action} {place}.",
            remedy=f"Make one with --scope {place}:{action}",
        )

    def allow_any_origin(self) -> None:
        """Let pages of other sites read an open feed (JupyterLite's package installer)."""
        if self.spec.is_anonymous_read:
            self.set_header("Access-Control-Allow-Origin", "*")

    def render_failure(self, failure: Failure) -> None:
        """Answer as always, with the challenge that package clients understand."""
        if failure.status == NotAuthenticatedError.status:
            self.set_header("WWW-Authenticate", REALM)
        super().render_failure(failure)


class UploadHandler(RegistryHandler):
    """A registry route that takes a form with files; the form is complete when a verb runs."""

    takes_bare_file: ClassVar[bool] = False  # a body that is no form is itself the one file

    def initialize(self) -> None:
        """Start without a form."""
        super().initialize()
        self._receiver: FormReceiver | BareReceiver | None = None
        self._intake: Intake | None = None
        self._received = 0

    def body_limit(self) -> int:
        """Return the largest upload."""
        return self.services.settings.max_upload_bytes

    def _start_body(self) -> None:
        if self.request.method not in {"POST", "PUT"}:
            return
        folder = Path(self.services.settings.data_dir) / "incoming"
        kind = self.request.headers.get("Content-Type", "")
        is_bare = self.takes_bare_file and not is_form(kind)
        self._receiver = BareReceiver(folder) if is_bare else FormReceiver(kind, folder)
        self._intake = Intake(self, self._receiver.feed)

    async def data_received(self, chunk: bytes) -> None:  # type: ignore[override]  # Tornado waits
        """Hand the next bytes to the form; whoever was refused in `prepare` sends in vain."""
        self._received += len(chunk)
        if self._intake is None:
            return
        if self._received > self.body_limit():
            self._intake.fail(self._too_large())
        await self._intake.add(chunk)

    async def form(self) -> tuple[dict[str, str], list[ReceivedFile]]:
        """Return the fields and files.

        Raises
        ------
        BadInputError
            The form is damaged or not complete.
        DiskFullError
            A file does not fit on the disk.
        TooLargeError
            More came than `body_limit` allows.
        """
        await cast("Intake", self._intake).end()
        return cast("FormReceiver | BareReceiver", self._receiver).finish()

    def _let_go(self) -> None:
        if self._intake is not None:
            self._intake.abandon(cast("FormReceiver | BareReceiver", self._receiver).close)

    def on_finish(self) -> None:
        """Let go of temporary files."""
        self._let_go()
        super().on_finish()

    def on_connection_close(self) -> None:
        """Let go of temporary files when the client went away."""
        self._let_go()
        super().on_connection_close()


def carried_token(headers: Any) -> str | None:
    """Return the token that a client carries, in whichever way its kind of client does.

    ``Authorization: Basic`` (pip, uv, twine, poetry, bundler, NuGet reads: the password, or the
    user name where there is no password), ``Bearer`` and ``token`` (terraform, npm, OCI clients),
    a bare ``Authorization`` (gem), ``X-NuGet-ApiKey``.
    """
    api_key: str | None = headers.get("X-NuGet-ApiKey")
    if api_key:
        return api_key.strip()
    value = str(headers.get("Authorization", "")).strip()
    scheme, _, rest = value.partition(" ")
    if not rest:
        return value or None
    if scheme.lower() in ("bearer", "token"):
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return password or user
    return ""

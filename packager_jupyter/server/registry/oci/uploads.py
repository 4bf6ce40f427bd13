"""``/v2/<repository>/blobs/uploads/…``: sending blobs, whole, in chunks, or from next door.

Bodies are taken in pieces of 1 MiB (see `intake`). A chunk that breaks off leaves what has come:
the client asks where to go on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from tornado.ioloop import IOLoop

from packager_jupyter.errors import BadInputError, NameInvalidError, PackagerError
from packager_jupyter.oci.names import check_digest, check_repository
from packager_jupyter.server.registry.intake import Intake
from packager_jupyter.server.registry.oci.base import OciHandler
from packager_jupyter.server.registry.oci.errors import UploadRangeError

if TYPE_CHECKING:
    from packager_jupyter.server.failures import Failure
    from packager_jupyter.server.registry.oci.sessions import UploadSession, UploadTable
    from packager_jupyter.shares.scopes import RegistryAction

# The specification writes START-END; some clients write it as RFC 9110 14.4 does.
_RANGE = re.compile(r"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/(?:\d{1,18}|\*))?")


class SendingHandler(OciHandler):
    """A request that belongs to an upload, perhaps with bytes of it."""

    codes = {  # noqa: RUF012  # the base class says that it is a ClassVar
        "name_invalid": "DIGEST_INVALID",
        "bad_input": "BLOB_UPLOAD_INVALID",
        "conflict": "BLOB_UPLOAD_INVALID",
    }

    def initialize(self) -> None:
        """Start without bytes."""
        super().initialize()
        self._session: UploadSession | None = None
        self._is_holding = False
        self._intake: Intake | None = None

    @property
    def uploads(self) -> UploadTable:
        """All uploads of this server."""
        return cast("UploadTable", self.settings["packager_oci_uploads"])

    @property
    def owner(self) -> str:
        """Whose upload this is: the token's, as `admit` let nobody in without one."""
        return self.token.id if self.token else ""

    @property
    def session(self) -> UploadSession:
        """The upload that `prepare` found or began."""
        return cast("UploadSession", self._session)

    def action(self) -> RegistryAction:
        """Return that everything about uploads is publishing, also to ask and to cancel."""
        return "publish"

    def body_limit(self) -> int:
        """Return the largest blob."""
        return int(self.services.settings.max_upload_bytes)

    async def data_received(self, chunk: bytes) -> None:  # type: ignore[override]  # Tornado waits
        """Take the next bytes; once refused, the rest is sent in vain."""
        if self._intake is not None:
            await self._intake.add(chunk)

    async def take_body(self) -> None:
        """Wait until all bytes are written; raises what was wrong with this request's bytes."""
        await cast("Intake", self._intake).end()

    async def commit(self, repository: str, digest: str) -> None:
        """End the upload and say where the blob is."""
        try:
            await self.call(self.session.commit, digest)
        finally:
            await self.call(self.uploads.end, self.session)
        await self.audit("oci.push", f"{repository}@{digest}")
        self.answer_created(repository, digest)

    def answer_created(self, repository: str, digest: str) -> None:
        """Answer that the blob is here."""
        self.set_status(201)
        self.set_header("Location", f"/v2/{repository}/blobs/{digest}")
        self.set_header("Docker-Content-Digest", digest)

    def describe_session(self, repository: str) -> None:
        """Say where the upload goes on."""
        self.set_header("Location", f"/v2/{repository}/blobs/uploads/{self.session.id}")
        self.set_header("Range", f"0-{max(self.session.size_bytes - 1, 0)}")
        self.set_header("Docker-Upload-UUID", self.session.id)

    def hold(self, session: UploadSession, *, is_claimed: bool) -> None:
        """Work on `session`; `is_claimed` when this request has it for itself."""
        self._session = session
        if is_claimed:
            self._is_holding = True
            self._intake = Intake(self, session.write)

    def _let_go(self) -> None:
        if self._is_holding:
            self._is_holding = False
            # A thread may still write; the next request begins behind its bytes.
            cast("Intake", self._intake).abandon(self.session.release)

    def on_finish(self) -> None:
        """Let the next request of this upload begin."""
        self._let_go()
        super().on_finish()

    def on_connection_close(self) -> None:
        """Let the client come back and go on."""
        self._let_go()
        super().on_connection_close()


class UploadsHandler(SendingHandler):
    """``blobs/uploads/``: begins an upload, takes a whole blob, or mounts one."""

    async def prepare(self) -> None:
        """Begin an upload, unless the blob comes from another repository."""
        await super().prepare()
        if self.request.method != "POST" or self.is_refused:
            return
        parameters = self.parameters()
        self._digest = parameters.get("digest")
        if self._digest is not None:
            check_digest(self._digest)
        repository = self.path_kwargs["repository"]
        mounted = parameters.get("mount")
        self._mounted = mounted is not None and await self._mount(
            repository, check_digest(mounted), parameters.get("from")
        )
        if self._mounted:
            self._digest = mounted
        else:
            session = await self.call(self.uploads.begin, repository, self.owner)
            self.hold(session, is_claimed=True)

    async def _mount(self, repository: str, digest: str, from_repository: str | None) -> bool:
        """Take a blob from a repository that the caller may read; False leaves it to be sent."""
        if await self.call(self.store.has_blob, repository, digest) is not None:
            return True
        if from_repository is None:
            return False  # to look for it elsewhere would tell what other repositories hold
        try:
            check_repository(from_repository)
        except NameInvalidError:
            return False
        if not await self.may(from_repository, "read"):
            return False
        return await self.call(self.store.mount_blob, repository, digest, from_repo=from_repository)

    async def post(self, repository: str) -> None:
        """Answer with where to send the bytes, or that the blob is here."""
        if self._mounted:
            self.answer_created(repository, cast("str", self._digest))
            return
        if self._digest is None:
            self.describe_session(repository)
            self.set_status(202)
            return
        try:
            await self.take_body()
        except PackagerError:
            await self.call(self.uploads.end, self.session)
            raise
        await self.commit(repository, self._digest)

    def on_connection_close(self) -> None:
        """Drop an upload of which the client does not know the name."""
        if self._session is not None:
            # Not here: it would wait for a thread that still writes.
            IOLoop.current().spawn_callback(self.call, self.uploads.end, self._session)
        super().on_connection_close()


class UploadHandler(SendingHandler):
    """``blobs/uploads/<upload>``: one upload."""

    async def prepare(self) -> None:
        """Find the upload, and refuse bytes that do not belong behind those it has."""
        await super().prepare()
        if self.request.method == "OPTIONS" or self.is_refused:
            return
        session = await self.call(
            self.uploads.find,
            self.path_kwargs["upload"],
            self.path_kwargs["repository"],
            self.owner,
        )
        is_claimed = self.request.method in {"PATCH", "PUT"}
        if is_claimed:
            session.claim()
        self.hold(session, is_claimed=is_claimed)
        if self._intake is not None:
            self._check_range(session, self._intake)

    def _check_range(self, session: UploadSession, intake: Intake) -> None:
        """Note a chunk that is out of order (416), and go on until its bytes have passed."""
        text = self.request.headers.get("Content-Range")
        if text is None:
            return
        found = _RANGE.fullmatch(text.strip())
        length = self.request.headers.get("Content-Length", "")
        if found is None or (
            length.isdecimal() and int(length) != int(found[2]) - int(found[1]) + 1
        ):
            intake.fail(
                BadInputError(
                    "Content-Range does not say which bytes these are.",
                    remedy="Write it as START-END, both counted from 0, END included.",
                )
            )
        elif int(found[1]) != session.size_bytes:
            intake.fail(
                UploadRangeError(
                    f"The next byte of this upload is number {session.size_bytes}.",
                    remedy="Send the chunks in order; ask where the upload stands with GET.",
                )
            )

    def get(self, repository: str, upload: str) -> None:
        """Say how much has come."""
        self.describe_session(repository)
        self.set_status(204)

    async def patch(self, repository: str, upload: str) -> None:
        """Take a chunk, or as much as the client likes to stream."""
        await self.take_body()
        self.describe_session(repository)
        self.set_status(202)

    async def put(self, repository: str, upload: str) -> None:
        """Take the last bytes, if any, and end the upload."""
        digest = self.parameters().get("digest")
        if digest is None:
            raise NameInvalidError(
                "The end of the upload does not say the digest of the blob.",
                remedy="Add ?digest=sha256:… to the address.",
            )
        check_digest(digest)
        await self.take_body()
        await self.commit(repository, digest)

    def render_failure(self, failure: Failure) -> None:
        """Say to whom sent the wrong bytes which are the next ones."""
        if failure.status == UploadRangeError.status:
            self.describe_session(self.path_kwargs["repository"])
        super().render_failure(failure)

    async def delete(self, repository: str, upload: str) -> None:
        """Cancel the upload."""
        await self.call(self.uploads.end, self.session)
        self.set_status(204)

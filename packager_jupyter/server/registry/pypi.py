"""The Python package index: ``pypi/<feed>/…``."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from packager_jupyter.errors import BadInputError, PackagerError, PathNotFoundError
from packager_jupyter.registries.pypi.info import project_info
from packager_jupyter.registries.pypi.names import normalize_project
from packager_jupyter.registries.pypi.simple import JSON_TYPE, negotiate
from packager_jupyter.registries.pypi.upload import UploadGoneError, check_action, check_upload
from packager_jupyter.server.query import parse_query
from packager_jupyter.server.registry.base import RegistryHandler, UploadHandler
from packager_jupyter.server.registry.pages import (
    FILE_CACHE,
    send_document,
    send_json,
    send_rendered,
)
from packager_jupyter.server.rules import Route, Rule
from packager_jupyter.server.share.sending import Sending, sliced
from packager_jupyter.server.strict_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.registries.pypi.index import PypiIndex
    from packager_jupyter.server.failures import Failure
    from packager_jupyter.server.rules import Verb
    from packager_jupyter.shares.scopes import RegistryAction

METADATA_SUFFIX = ".metadata"
_PROVENANCE = "application/vnd.pypi.integrity.v1+json"
_XML = ("text/xml", "application/xml")


class NotAcceptableError(PackagerError):
    """None of the types that the client accepts is offered (RFC 9110 15.5.7)."""

    code = "not_acceptable"
    status = 406


class PypiHandler(RegistryHandler):
    """A reading route of a package index."""

    ecosystem = "pypi"

    @property
    def index(self) -> PypiIndex:
        """The feed's index."""
        return self.feeds.pypi(self.spec.name)

    def accepted(self) -> str:
        """Return the content type to answer with: what the address or ``Accept`` asks for."""
        wanted = parse_query(self.request.query).get("format")
        # A plus sign that nobody encoded arrives as a blank.
        asked = wanted.replace(" ", "+") if wanted else self.request.headers.get("Accept")
        kind = negotiate(asked)
        if kind is None:
            raise NotAcceptableError(
                "This page is offered as JSON and as HTML only.",
                remedy=f"Accept {JSON_TYPE} or text/html.",
            )
        return kind


class ProjectsHandler(PypiHandler):
    """``simple/``: the list of projects."""

    async def get(self, feed: str) -> None:
        """Answer with the list as JSON or HTML (PEP 691)."""
        content_type = self.accepted()
        kind = "json" if content_type == JSON_TYPE else "html"
        page = await self.call(self.index.rendered_list, kind)
        send_rendered(self, page, content_type=content_type)

    head = get


class ProjectHandler(PypiHandler):
    """``simple/<project>/``: the files of a project."""

    async def get(self, feed: str, project: str) -> None:
        """Answer with the files as JSON or HTML; another spelling of the name is redirected."""
        content_type = self.accepted()
        name = normalize_project(project)
        if name != project:
            self.redirect(f"{self.context.prefix}pypi/{quote(feed)}/simple/{name}/", status=308)
            return
        self.require("read", name)
        kind = "json" if content_type == JSON_TYPE else "html"
        base_url = self.feed_url
        page = self.index.fresh(name, kind, base_url=base_url)
        if page is None:
            page = await self.call(self.index.rendered, name, kind, base_url=base_url)
        if page is None:
            raise PathNotFoundError(
                f"This feed has no project {name!r}.", remedy="See its simple/ page."
            )
        send_rendered(self, page, content_type=content_type)

    head = get


class SlashHandler(PypiHandler):
    """An address whose last slash was forgotten."""

    def get(self, feed: str, project: str | None = None) -> None:
        """Redirect whoever may read what is there to the address with the slash."""
        self.require("read", None if project is None else normalize_project(project))
        query = f"?{self.request.query}" if self.request.query else ""
        self.redirect(f"{self.request.path}/{query}", status=308)

    head = get


class FileHandler(PypiHandler):
    """``files/<project>/<filename>`` and, with ``.metadata`` behind it, its core metadata."""

    async def get(self, feed: str, project: str, filename: str) -> None:
        """Answer with the file or a part of it."""
        self.require("read", normalize_project(project))
        if filename.endswith(METADATA_SUFFIX):
            await self._metadata(project, filename.removesuffix(METADATA_SUFFIX))
            return
        stored = await self.call(self.index.file, project, filename)
        sending = Sending(
            self,
            filename=filename,
            media_type=stored.content_type,
            etag=stored.digest,
        )
        self._cache_for_good()
        await sending.send(
            stored.size_bytes,
            lambda start, stop: self.index.read(project, stored, start=start, stop=stop),
        )

    head = get

    async def _metadata(self, project: str, filename: str) -> None:
        body = await self.call(self.index.metadata, project, filename)
        sending = Sending(
            self,
            filename=f"{filename}{METADATA_SUFFIX}",
            media_type="text/plain",
            etag=hashlib.sha256(body).hexdigest(),
        )
        self._cache_for_good()
        await sending.send(len(body), sliced(body))

    def _cache_for_good(self) -> None:
        self.set_header("Cache-Control", f"{self.cache_scope}, {FILE_CACHE}")
        self.allow_any_origin()


class ProvenanceHandler(PypiHandler):
    """``integrity/<project>/<version>/<filename>/provenance`` (PEP 740)."""

    async def get(self, feed: str, project: str, version: str, filename: str) -> None:
        """Answer with the attestations of a file."""
        self.require("read", normalize_project(project))
        body = await self.call(self.index.provenance, project, filename)
        send_document(self, body, content_type=_PROVENANCE)

    head = get


class InfoHandler(PypiHandler):
    """``pypi/<project>[/<version>]/json``: the JSON API."""

    async def get(self, feed: str, project: str, version: str | None = None) -> None:
        """Answer with the metadata of the newest or the named version."""
        name = normalize_project(project)
        self.require("read", name)
        base_url = self.feed_url
        body = await self.call(project_info, self.index, name, version, base_url=base_url)
        send_json(self, body)

    head = get


class PypiUploadHandler(UploadHandler):
    """``legacy/``: upload, as twine, uv, poetry, hatch and flit do it."""

    ecosystem = "pypi"

    async def prepare(self) -> None:
        """Let uploads in; raises `UploadGoneError` for the XML-RPC of ``pip search``."""
        if self.request.headers.get("Content-Type", "").lower().startswith(_XML):
            raise UploadGoneError(
                "This index has no XML-RPC, and so no pip search.",
                remedy="Look at its simple/ page.",
            )
        await super().prepare()

    async def post(self, feed: str) -> None:
        """Publish one distribution file."""
        fields, files = await self.form()
        check_action(fields)
        contents = [each for each in files if each.field == "content"]
        if len(contents) != 1:
            raise BadInputError(
                "The form has not exactly one file called content.",
                remedy="Use an upload tool such as twine or uv publish.",
            )
        [received] = contents
        upload = await self.call(
            check_upload,
            fields,
            filename=received.filename,
            file=received.file,
            sha256=received.sha256,
        )
        self.require("publish", upload.name.project)
        index = self.feeds.pypi(self.spec.name)
        is_new = await self.call(index.publish, upload, by=self.actor, now=datetime.now(UTC))
        await self.call(
            self.services.audit.record,
            principal=self.actor,
            ip=self.client_ip,
            action="registry.publish",
            object=f"pypi/{self.spec.name}/{upload.name.project}",
            result="ok" if is_new else "unchanged",
            request_id=self.request_id,
        )
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(b"OK\n")

    def render_failure(self, failure: Failure) -> None:
        """Say why in the status line too: it is all that upload tools show."""
        printable = (c if " " <= c <= "~" else "?" for c in failure.body["message"][:200])
        self.set_status(failure.status, reason="".join(printable))
        super().render_failure(failure)


class ManageHandler(RegistryHandler):
    """``manage/<project>``: yank, un-yank, delete, project status."""

    ecosystem = "pypi"

    def possible_actions(self) -> tuple[RegistryAction, ...]:
        """Return both that the body may ask for."""
        return ("publish", "delete")

    async def post(self, feed: str, project: str) -> None:
        """Do what the JSON body says: ``{"action": "yank", "filename": …, "reason": …}``."""
        name = normalize_project(project)
        body = parse_json(self.body)
        if not isinstance(body, dict):
            raise BadInputError("The body is no JSON object.", remedy='Send {"action": …}.')
        action = body.get("action")
        if action not in _MANAGE:
            raise BadInputError(
                f"{str(action)[:40]!r} is nothing that can be done to a project.",
                remedy=f"Use one of: {', '.join(_MANAGE)}.",
            )
        self.require("delete" if action == "delete" else "publish", name)
        await self.call(_MANAGE[action], self.feeds.pypi(self.spec.name), name, body, self.actor)
        self.set_status(204)


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BadInputError(f"The body has no {name}.", remedy=f'Send {{"{name}": "…"}} with it.')
    return value


def _reason(body: dict[str, Any]) -> str | None:
    value = body.get("reason")
    return None if value is None else _text(body, "reason")[:1000]


_MANAGE: dict[str, Any] = {
    "yank": lambda index, name, body, by: index.yank(
        name, _text(body, "filename"), reason=_reason(body), by=by
    ),
    "unyank": lambda index, name, body, by: index.unyank(name, _text(body, "filename"), by=by),
    "delete": lambda index, name, body, by: index.delete(name, _text(body, "filename"), by=by),
    "status": lambda index, name, body, by: index.set_status(
        name, _text(body, "status"), reason=_reason(body), by=by
    ),
}

_READ = Rule("registry", "packager:registry", "read")
_WRITE = Rule("registry", "packager:registry", "write")
_READS: Mapping[Verb, Rule] = {"GET": _READ, "HEAD": _READ}

PYPI_ROUTES: tuple[Route, ...] = (
    Route("pypi/{feed}/simple/{project}/", ProjectHandler, _READS, "Files of a project"),
    Route("pypi/{feed}/files/{project}/{filename}", FileHandler, _READS, "A distribution file"),
    Route("pypi/{feed}/simple/", ProjectsHandler, _READS, "Projects of a package index"),
    Route("pypi/{feed}/simple", SlashHandler, _READS, "Projects, without the slash"),
    Route("pypi/{feed}/simple/{project}", SlashHandler, _READS, "A project, without the slash"),
    Route("pypi/{feed}/legacy/", PypiUploadHandler, {"POST": _WRITE}, "Upload a distribution"),
    Route("pypi/{feed}/legacy", PypiUploadHandler, {"POST": _WRITE}, "Upload a distribution"),
    Route("pypi/{feed}/", PypiUploadHandler, {"POST": _WRITE}, "Upload a distribution"),
    Route("pypi/{feed}/pypi/{project}/json", InfoHandler, _READS, "JSON of a project"),
    Route(
        "pypi/{feed}/pypi/{project}/{version}/json",
        InfoHandler,
        _READS,
        "JSON of a version",
    ),
    Route(
        "pypi/{feed}/integrity/{project}/{version}/{filename}/provenance",
        ProvenanceHandler,
        _READS,
        "Attestations of a file",
    ),
    Route("pypi/{feed}/manage/{project}", ManageHandler, {"POST": _WRITE}, "Yank and the like"),
)

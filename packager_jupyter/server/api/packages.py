"""Packages over REST: begin, describe, attach, publish."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from packager_jupyter.api import packages as api
from packager_jupyter.api import recorded
from packager_jupyter.api.models import read
from packager_jupyter.api.shapes.common import JobShown
from packager_jupyter.api.shapes.packages import (
    AttachmentShown,
    DraftStatusShown,
    MetadataChange,
    NewPackage,
    PackageList,
    PackageWhole,
    Published,
    PublishRequest,
    VersionList,
)
from packager_jupyter.server.api.handler import ApiHandler
from packager_jupyter.server.rules import Operation, Query, Route, Rule
from packager_jupyter.server.share.state import share_state
from packager_jupyter.server.strict_json import parse_json

RESOURCE = "packager:packages"
VERSION = Query("version", "A version or `latest`; absent: the draft, else the latest version.")
BYTES = "application/octet-stream"


class PackageHandler(ApiHandler):
    """What the handlers of one package share."""

    async def whole(self, package: str) -> PackageWhole:
        """Return one package."""
        return await self.call(
            api.get_package, self.services, package, root_relative=self.context.root_relative
        )


class PackagesHandler(PackageHandler):
    """``api/v1/packages``."""

    async def get(self) -> None:
        """List drafts and published packages."""
        self.write_json(await self.call(api.list_packages, self.services))

    async def post(self) -> None:
        """Begin a package."""
        new = self.read_body(NewPackage)
        await self.call(
            recorded.create_package,
            self.services,
            self.actor,
            new.name,
            title=new.title,
            description=new.description,
        )
        self.write_json(await self.whole(new.name), status=201)


class OnePackageHandler(PackageHandler):
    """``api/v1/packages/<name>``."""

    async def get(self, package: str) -> None:
        """Show one package."""
        self.write_json(await self.whole(package))

    async def patch(self, package: str) -> None:
        """Change what it says about itself."""
        body = parse_json(self.body)
        change = asdict(read(MetadataChange, body))
        given = {name: change[name] for name in body}
        await self.call(lambda: self.services.packages.draft(package).set_metadata(**given))
        self.write_json(await self.whole(package))

    async def delete(self, package: str) -> None:
        """Delete the draft; published versions stay."""
        await self.call(recorded.delete_draft, self.services, self.actor, package)
        self.write_nothing()


class AttachmentsHandler(PackageHandler):
    """``api/v1/packages/<name>/attachments``."""

    def body_limit(self) -> int:
        """Return the limit of an attachment."""
        return self.services.settings.max_attachment_bytes

    async def get(self, package: str) -> None:
        """Return the bytes of one attachment, to be saved and never to be rendered."""
        query = self.query()
        data = await self.call(
            lambda: api.get_contents(self.services, package, query["version"]).read_attachment(
                query["path"]
            )
        )
        self.set_header("Content-Type", BYTES)
        self.set_header("Content-Disposition", "attachment")
        self.finish(data)

    async def put(self, package: str) -> None:
        """Create or replace one attachment."""
        path = self.query()["path"]
        self.write_json(await self.call(api.attach, self.services, package, path, self.body))

    async def delete(self, package: str) -> None:
        """Take one attachment out of the draft."""
        path = self.query()["path"]
        await self.call(lambda: self.services.packages.draft(package).remove([path]))
        self.write_nothing()


class DraftStatusHandler(PackageHandler):
    """``api/v1/packages/<name>/status``."""

    async def get(self, package: str) -> None:
        """Say what publishing now would freeze."""
        status = await self.call(lambda: self.services.packages.draft(package).status())
        self.write_json(asdict(status))


class VersionsHandler(PackageHandler):
    """``api/v1/packages/<name>/versions``."""

    async def get(self, package: str) -> None:
        """List what is published, newest first."""
        self.write_json(await self.call(api.list_versions, self.services, package))

    async def post(self, package: str) -> None:
        """Publish the draft."""
        wanted = read(PublishRequest, parse_json(self.body) if self.body else {})
        if wanted.async_:
            await self.call(self.services.packages.draft, package)  # 404 now, not in the job
            services, actor = self.services, self.actor
            job = self.context.jobs.start(
                "publish",
                subject=package,
                owner=actor.name,
                work=lambda _progress: {
                    **api.published(
                        recorded.publish_in_job(services, actor, package, wanted.version)
                    )
                },
            )
            self.write_json(job.to_json(), status=202)
            return
        done = await self.call(recorded.publish, self.services, self.actor, package, wanted.version)
        self.write_json(api.published(done), status=201 if done.is_new else 200)


class OneVersionHandler(PackageHandler):
    """``api/v1/packages/<name>/versions/<version>``."""

    async def delete(self, package: str, version: str) -> None:
        """Delete one version for good."""
        await self.call(recorded.delete_version, self.services, self.actor, package, version)
        share_state(self.settings).forget_version(package, version)
        self.write_nothing()


def _rule(action: Any, operation: Operation) -> Rule:
    return Rule("user", RESOURCE, action, operation)


_PATH = Query("path", "Path of the attachment.", is_required=True)

PACKAGE_ROUTES = [
    Route(
        "api/v1/packages",
        PackagesHandler,
        {
            "GET": _rule(
                "read",
                Operation(summary="Drafts and published packages", responses={200: PackageList}),
            ),
            "POST": _rule(
                "write",
                Operation(
                    summary="Begin a package", request=NewPackage, responses={201: PackageWhole}
                ),
            ),
        },
        "Packages",
    ),
    Route(
        "api/v1/packages/{package}/attachments",
        AttachmentsHandler,
        {
            "GET": _rule(
                "read",
                Operation(
                    summary="The bytes of an attachment",
                    response_media_type=BYTES,
                    query=(_PATH, VERSION),
                ),
            ),
            "PUT": _rule(
                "write",
                Operation(
                    summary="Create or replace an attachment of the draft",
                    request_media_type=BYTES,
                    responses={200: AttachmentShown},
                    query=(_PATH,),
                ),
            ),
            "DELETE": _rule(
                "write",
                Operation(
                    summary="Take an attachment out of the draft",
                    responses={204: None},
                    query=(_PATH,),
                ),
            ),
        },
        "Small files whose bytes are in the package",
    ),
    Route(
        "api/v1/packages/{package}/status",
        DraftStatusHandler,
        {
            "GET": _rule(
                "read",
                Operation(
                    summary="What publishing the draft now would freeze",
                    responses={200: DraftStatusShown},
                ),
            )
        },
        "State of the draft",
    ),
    Route(
        "api/v1/packages/{package}/versions",
        VersionsHandler,
        {
            "GET": _rule(
                "read",
                Operation(summary="Published versions, newest first", responses={200: VersionList}),
            ),
            "POST": _rule(
                "execute",
                Operation(
                    summary="Publish the draft; 200 when this very content was published already",
                    request=PublishRequest,
                    responses={201: Published, 200: Published, 202: JobShown},
                ),
            ),
        },
        "Versions",
    ),
    Route(
        "api/v1/packages/{package}/versions/{version}",
        OneVersionHandler,
        {
            "DELETE": _rule(
                "write",
                Operation(
                    summary="Delete a version for good; its name is never given again",
                    responses={204: None},
                ),
            )
        },
        "A version",
    ),
]
# Behind the routes of its parts: a package's name may hold a slash.
ONE_PACKAGE_ROUTE = Route(
    "api/v1/packages/{package}",
    OnePackageHandler,
    {
        "GET": _rule("read", Operation(summary="One package", responses={200: PackageWhole})),
        "PATCH": _rule(
            "write",
            Operation(
                summary="Change the metadata", request=MetadataChange, responses={200: PackageWhole}
            ),
        ),
        "DELETE": _rule(
            "write",
            Operation(summary="Delete the draft; versions stay", responses={204: None}),
        ),
    },
    "A package",
)

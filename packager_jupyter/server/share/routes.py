"""The share routes' part of the one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.exports.table import EXPORTS
from packager_jupyter.server.rules import Route, Rule
from packager_jupyter.server.share.addresses import AddressesHandler
from packager_jupyter.server.share.attachments import AttachmentHandler, ImageHandler
from packager_jupyter.server.share.exports import ZipHandler, list_handler
from packager_jupyter.server.share.files import FilesHandler
from packager_jupyter.server.share.git import (
    AnnexConfigHandler,
    HeadHandler,
    RefsHandler,
    UploadPackHandler,
)
from packager_jupyter.server.share.huggingface import HUB_ROUTES
from packager_jupyter.server.share.keys import AnnexObjectHandler, DvcObjectHandler
from packager_jupyter.server.share.lfs import BatchHandler
from packager_jupyter.server.share.local import LocalHandler
from packager_jupyter.server.share.page import EntranceHandler, PageHandler, ViewHandler
from packager_jupyter.server.share.preview import PreviewHandler
from packager_jupyter.server.share.redirect import redirect_from_memory
from packager_jupyter.server.share.static import StaticHandler
from packager_jupyter.server.share.unlock import UnlockHandler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.server.rules import PrincipalKind, Verb


def _read(principal: PrincipalKind) -> Mapping[Verb, Rule]:
    rule = Rule(principal, "packager:shares", "read")
    return {"GET": rule, "HEAD": rule}


_SHARE = Rule("share", "packager:shares", "read")
GIT_ROUTES = [
    Route(
        "s/{share}/repo.git/annex/objects/{path}",
        AnnexObjectHandler,
        _read("share"),
        "The bytes of a key of git-annex",
    ),
    Route("s/{share}/dvc/files/md5/{path}", DvcObjectHandler, _read("share"), "The remote of DVC"),
    Route(
        "s/{share}/lfs.git/info/lfs/objects/batch",
        BatchHandler,
        {"POST": _SHARE},
        "Where Git LFS finds the bytes of its objects",
    ),
    Route("s/{share}/repo.git/config", AnnexConfigHandler, _read("share"), "What git-annex asks"),
    Route("s/{share}/{repo}.git/HEAD", HeadHandler, _read("share"), "The branch of a repository"),
    Route("s/{share}/{repo}.git/info/refs", RefsHandler, {"GET": _SHARE}, "What git asks first"),
    Route(
        "s/{share}/{repo}.git/git-upload-pack",
        UploadPackHandler,
        {"POST": _SHARE},
        "What git clones and fetches",
    ),
]
SHARE_ROUTES = [
    # First the one that a download of ten thousand files asks ten thousand times.
    Route(
        "s/{share}/files/{path}",
        FilesHandler,
        _read("share"),
        "A file or folder of a share",
        shortcut=redirect_from_memory,
    ),
    Route(
        "s/{share}/addresses",
        AddressesHandler,
        {"POST": Rule("share", "packager:shares", "read")},
        "Signed addresses of many files in one answer",
    ),
    Route("local/{token}", LocalHandler, _read("signed"), "A signed file of a local source"),
    Route("s/{share}/", PageHandler, _read("share"), "The share page"),
    Route("s/{share}", EntranceHandler, _read("share"), "The share page, without its slash"),
    Route(
        "s/{share}/unlock",
        UnlockHandler,
        {**_read("share"), "POST": Rule("share", "packager:shares", "read")},
        "The password form",
    ),
    Route(
        "s/{share}/preview/{path}", PreviewHandler, _read("share"), "What a file is and looks like"
    ),
    Route("s/{share}/view/{path}", ViewHandler, _read("share"), "A rendered text or notebook"),
    Route(
        "s/{share}/images/{ticket}/{path}", ImageHandler, _read("share"), "An image inside a text"
    ),
    Route(
        "s/{share}/attachments/{path}", AttachmentHandler, _read("share"), "Bytes of an attachment"
    ),
    Route("s/{share}/package.zip", ZipHandler, _read("share"), "The package as ZIP"),
    *(
        Route(f"s/{{share}}/{row.name}", list_handler(row), _read("share"), row.summary)
        for row in EXPORTS
    ),
    *GIT_ROUTES,
    *HUB_ROUTES,
    Route("static/{name}", StaticHandler, _read("public"), "Style of the share pages"),
]

"""The share page: what a stranger sees of a package, complete without a script."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from markupsafe import Markup

from packager_jupyter.errors import BadInputError
from packager_jupyter.exports.schema_org import dataset, in_script
from packager_jupyter.packages.media import media_type_for
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.previews.registry import preview_kind
from packager_jupyter.server.query import parse_query
from packager_jupyter.server.render import Links, is_viewable, render, render_markdown
from packager_jupyter.server.share.attachments import not_attached
from packager_jupyter.server.share.base import ShareHandler
from packager_jupyter.server.share.pages import CONTENT_POLICY
from packager_jupyter.server.share.recipes import ShareFacts, recipes

if TYPE_CHECKING:
    from packager_jupyter.packages.index_query import PointerPage, SortName
    from packager_jupyter.packages.kept import Kept
    from packager_jupyter.packages.version import Version
    from packager_jupyter.server.share.recipes import RecipeGroup
    from packager_jupyter.shares.model import Share

PAGE_ROWS = 200
EXAMPLES = 500
LOOK_ON_S = 2.0
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
_SORTS: dict[str, SortName] = {"name": "name", "size": "size", "modified": "modified"}
_MAX_QUERY_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Listing:
    """What of the file table is asked for, as it stands in the page's query string."""

    path: str = ""
    sort: SortName = "name"
    is_descending: bool = False
    match: str = ""
    cursor: str | None = None

    def href(self, **changes: Any) -> str:
        """Return the query string of this listing with `changes`, beginning anew."""
        values = {
            "path": self.path,
            "sort": "" if self.sort == "name" else self.sort,
            "descending": "1" if self.is_descending else "",
            "match": self.match,
            **changes,
        }
        return "./?" + urlencode({name: v for name, v in values.items() if v}) + "#files"

    def sort_href(self, sort: str) -> str:
        """Return the query string that sorts by `sort`, turning round what is sorted so."""
        turned = self.sort == sort and not self.is_descending
        return self.href(sort="" if sort == "name" else sort, descending="1" if turned else "")

    def aria_sort(self, sort: str) -> str:
        """Return the value of ``aria-sort`` for the column `sort`."""
        if self.sort != sort:
            return "none"
        return "descending" if self.is_descending else "ascending"

    @property
    def crumbs(self) -> list[tuple[str, str]]:
        """The folders on the way to this one: names and paths."""
        names = self.path.split("/") if self.path else []
        return [(name, "/".join(names[: n + 1])) for n, name in enumerate(names)]


class PageHandler(ShareHandler):
    """``s/<share>/``."""

    async def get(self, share: str) -> None:
        """Show the package."""
        opened = await self.visit(share)
        listing = self._listing()
        version = await self.version(opened)
        # Before the thread: what it shows depends on the request.
        facts = await self.call(self._facts, opened, version, listing, self.share_url)
        if not (listing.path or listing.match or listing.cursor):
            facts["readme"] = await self._readme(opened, version)
        self.note("share.page", "ok")
        may_index = self.services.settings.index_open_shares and facts["about"] is not None
        self.send_page("page.html", policy=CONTENT_POLICY, may_index=may_index, **facts)

    head = get

    def _listing(self) -> Listing:
        found = parse_query(self.request.query)
        if sum(map(len, found.values())) > _MAX_QUERY_CHARS:
            raise BadInputError("The address is too long.", remedy="Open the share's first page.")
        return Listing(
            path=found.get("path", "").strip("/"),
            sort=_SORTS.get(found.get("sort", ""), "name"),
            is_descending=found.get("descending") == "1",
            match=found.get("match", ""),
            cursor=found.get("cursor") or None,
        )

    def _facts(
        self, share: Share, version: Version, listing: Listing, share_url: str
    ) -> dict[str, Any]:
        """Gather everything that the page shows; blocks."""
        metadata = version.metadata()
        attachments = version.attachments()
        page = _page(version, listing)
        totals = version.totals()
        created_s = self._created_s(version)
        now_s = time.time()
        remaining_s = share.remaining_s(now_s)
        return {
            "title": metadata.title or version.name,
            "metadata": metadata,
            "version": version,
            "totals": totals,
            "created_s": created_s,
            "authors": [author_of(text) for text in metadata.authors],
            "expires_s": share.expires_s,
            "remaining_s": remaining_s,
            "attachments": [
                {
                    "path": one.path,
                    "size_bytes": one.size_bytes,
                    "href": ("view/" if is_viewable(one.path) else "attachments/")
                    + quote(one.path),
                }
                for one in attachments
            ],
            "readme": None,
            "listing": listing,
            "page": page,
            "folder_totals": version.totals(listing.path) if listing.path else totals,
            "about": self._about(share, version, share_url, created_s),
            "recipes": _recipes(share, version, share_url, self.state.examples),
            "needs_password": share.needs_password,
            "needs_token": not share.audience.is_anyone,
            "quote": quote,
            "has_preview": _has_preview,
            "has_checksums": any(isinstance(row, Pointer) and row.checksums for row in page.rows),
        }

    def _about(
        self, share: Share, version: Version, share_url: str, created_s: int | None
    ) -> Markup | None:
        """Return JSON-LD for search engines, of shares whose plain link opens them to anyone."""
        if not share.is_open or share.has_capability:
            return None
        totals = version.totals()
        found = dataset(
            version, share_url, files=totals.files, size_bytes=totals.bytes, created_s=created_s
        )
        return Markup(in_script(found))  # noqa: S704  # `in_script` lets nothing out of its element

    def _created_s(self, version: Version) -> int | None:
        for info in self.services.packages.versions(version.name):
            if info.version == version.version:
                return info.created_s
        return None

    async def _readme(self, share: Share, version: Version) -> Markup | None:
        mark = self.state.images_mark
        key = ("README", version.digest)
        text = await self.state.texts.load(key, lambda: self.call(_rendered_readme, version, mark))
        # Safe: `render_markdown` lets nothing but harmless elements through.
        return Markup(text.replace(mark, self.image_prefix(share))) or None  # noqa: S704


class EntranceHandler(ShareHandler):
    """``s/<share>`` without its slash."""

    async def get(self, share: str) -> None:
        """Lead to the address with the slash, on which relative links stand."""
        await self.find(share)
        self.set_status(301)
        self.set_header("Location", f"./{quote(share, safe='~')}/")
        self.finish()

    head = get


class ViewHandler(ShareHandler):
    """``view/<path>``: an attached text or notebook, rendered."""

    audit_action: ClassVar[str] = "share.view"

    async def get(self, share: str, path: str) -> None:
        """Show one attachment."""
        opened = await self.visit(share)
        version = await self.version(opened)
        up = self.share_up
        key = (version.digest, path, up)
        texts = self.state.texts
        mark = self.state.images_mark
        body = await texts.load(key, lambda: self.call(_rendered, version, path, up, mark))
        self.note(self.audit_action, "ok")
        self.send_page(
            "view.html",
            policy=CONTENT_POLICY,
            title=path,
            package=(await self.call(version.metadata)).title or version.name,
            share_up=up,
            download=f"{up}attachments/{quote(path)}",
            body=Markup(body.replace(mark, self.image_prefix(opened))),  # noqa: S704  # see `render`
        )

    head = get


def _rendered_readme(version: Version, images: str) -> str:
    text = version.readme()
    if text is None:
        return ""
    links = Links("", {one.path for one in version.attachments()}, images=images)
    return render_markdown(text, links, without_title=version.metadata().title or version.name)


def _rendered(version: Version, path: str, up: str, images: str) -> str:
    attachments = {one.path for one in version.attachments()}
    if path not in attachments or not is_viewable(path):
        raise not_attached()
    links = Links(up, attachments, path.rpartition("/")[0], images)
    return render(path, version.read_attachment(path), links)


def author_of(text: str) -> tuple[str, str | None]:
    """Return name and ORCID iD of an author as people write them; mail addresses stay out."""
    found = _ORCID.search(text)
    name = re.sub(r"[<(\[]?(?:https?://orcid\.org/)?" + _ORCID.pattern + r"[>)\]]?", "", text)
    name = re.sub(r"<[^>]*>", "", name).strip(" ,;")
    return name or text, found[0] if found else None


def _recipes(
    share: Share, version: Version, share_url: str, known: Kept[tuple[str, ...]]
) -> list[RecipeGroup]:
    examples = known.get(f"{version.name} {version.digest}", lambda: _examples(version))
    if not examples:
        return []
    facts = ShareFacts(
        share_url=share_url,
        name=version.name,
        version=version.version,
        is_locked=share.needs_password,
        files=version.totals().files,
        examples=examples,
        wants_token=not share.audience.is_anyone,
    )
    return recipes(facts)


def _has_preview(row: Pointer) -> bool:
    return preview_kind(row.path, row.media_type or media_type_for(row.path)) is not None


def _page(version: Version, listing: Listing) -> PointerPage:
    """Return the rows that are asked for; a filter looks on for a while until it finds one."""
    ends_at = time.monotonic() + LOOK_ON_S
    cursor = listing.cursor
    while True:
        found = version.page(
            listing.path,
            cursor=cursor,
            limit=PAGE_ROWS,
            sort=listing.sort,
            descending=listing.is_descending,
            match=listing.match or None,
        )
        cursor = found.cursor
        if found.rows or cursor is None or time.monotonic() > ends_at:
            return found


def _examples(version: Version) -> tuple[str, ...]:
    """Return the paths of some files, data before attachments."""
    found = [pointer.path for pointer in islice(version.iter_pointers(), EXAMPLES)]
    return tuple(found or [one.path for one in version.attachments()])

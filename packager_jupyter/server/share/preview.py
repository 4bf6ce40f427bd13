"""``preview/<path>``: one file on a page of its own: what is known of it, and what it looks like.

Bytes are read by range and bounded (`previews`). After they were read the storage is asked once
more whether the object is still the one that was published: never is anything else shown under its
name.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

from markupsafe import Markup

from packager_jupyter.errors import NotPreviewableError, PathNotFoundError
from packager_jupyter.packages.media import media_type_for
from packager_jupyter.previews.base import ImageBlock, MarkdownBlock, NotebookBlock
from packager_jupyter.previews.ranged import RangedFile
from packager_jupyter.previews.registry import preview_kind
from packager_jupyter.server.render import Links, render_markdown, render_notebook
from packager_jupyter.server.share.objects import PointerHandler
from packager_jupyter.server.share.pages import CONTENT_POLICY, with_images_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.packages.base import Attachment
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.packages.version import Version
    from packager_jupyter.previews.base import Preview
    from packager_jupyter.previews.registry import PreviewKind
    from packager_jupyter.shares.model import Share


class PreviewHandler(PointerHandler):
    """A data file or an attachment, by its path."""

    audit_action: ClassVar[str] = "share.preview"

    async def get(self, share: str, path: str) -> None:
        """Show one file."""
        opened = await self.visit(share)
        version = await self.version(opened)
        pointer = await self.pointer(version, path) if path else None
        file = pointer or _attachment(version, path)
        if pointer is not None:
            await self.check(pointer)
        kind = preview_kind(path, file.media_type or media_type_for(path))
        if kind is not None and pointer is not None and self.request.method != "HEAD":
            counted = self.count_use(opened)
            if counted is not None:
                await counted
        else:
            self.note(self.audit_action, "ok")
        found, reason = await self._preview(version, file, pointer, kind)
        image, policy = await self._image(opened, path, pointer, found)
        blocks = await self._blocks(opened, version, path, found)
        self.send_page(
            "preview.html",
            policy=policy,
            path=path,
            name=path.rpartition("/")[2],
            folders=_folders(path),
            package=version.metadata().title or version.name,
            share_up=self.share_up,
            download=f"{self.share_up}{'files' if pointer else 'attachments'}/{quote(path)}",
            file=file,
            pointer=pointer,
            media_type=file.media_type or media_type_for(path),
            kind=kind,
            blocks=blocks,
            notes=found.notes if found else (),
            reason=reason,
            image=image,
        )

    head = get

    async def _preview(
        self,
        version: Version,
        file: Pointer | Attachment,
        pointer: Pointer | None,
        kind: PreviewKind | None,
    ) -> tuple[Preview | None, NotPreviewableError | None]:
        """Return the preview, or why there is none; nothing of either when none is asked for."""
        if kind is None:
            return None, None
        key = (version.digest, file.path)
        previews = self.state.previews
        found = previews.get(key)
        if found is None:
            make = partial(self._make, version, file.path, pointer, kind)
            try:
                found = await previews.load(
                    key, lambda: self.state.previewing.run(lambda: self.call(make))
                )
            except NotPreviewableError as error:
                return None, error
            finally:
                if pointer is not None:
                    await self.check_again(pointer)
        return found, None

    def _make(
        self, version: Version, path: str, pointer: Pointer | None, kind: PreviewKind
    ) -> Preview:
        """Read what is needed of the file; blocks."""
        name = path.rpartition("/")[2]
        if pointer is None:
            data = version.read_attachment(path)
            return kind.make(RangedFile(name, len(data), lambda start, stop: [data[start:stop]]))
        source = self.services.sources.open(pointer.source)

        def read(start: int, stop: int) -> Iterator[bytes]:
            return source.read(pointer.key, start=start, stop=stop, version_id=pointer.version_id)

        return kind.make(RangedFile(name, pointer.size_bytes, read))

    async def _image(
        self, share: Share, path: str, pointer: Pointer | None, found: Preview | None
    ) -> tuple[str, str]:
        """Return where the bytes of an image are, if it is one, and the policy that lets them in.

        The browser fetches them from the storage, like every other file.
        """
        if found is None or not any(isinstance(block, ImageBlock) for block in found.blocks):
            return "", CONTENT_POLICY
        if pointer is None:
            return f"{self.share_up}{self.image_prefix(share)}{quote(path)}", CONTENT_POLICY
        url = await self.signed_url(share, pointer)
        parts = urlsplit(url)
        return url, with_images_of(f"{parts.scheme}://{parts.netloc}")

    async def _blocks(
        self, share: Share, version: Version, path: str, found: Preview | None
    ) -> list[Any]:
        """Return the blocks, what is rich text rendered."""
        blocks: list[Any] = []
        for block in found.blocks if found else ():
            if isinstance(block, MarkdownBlock | NotebookBlock):
                key = ("preview", version.digest, path, self.share_up)
                render = partial(_rendered, version, path, block, self.share_up)
                mark = self.state.images_mark
                call = partial(self.call, render, mark)
                text = await self.state.texts.load(key, call)
                shown = text.replace(mark, self.image_prefix(share))
                # Safe: `render` lets nothing but harmless elements through.
                blocks.append({"kind": "rendered", "body": Markup(shown)})  # noqa: S704
            else:
                blocks.append(block)
        return blocks


def _rendered(
    version: Version, path: str, block: MarkdownBlock | NotebookBlock, up: str, images: str
) -> str:
    attachments = {one.path for one in version.attachments()}
    links = Links(up, attachments, path.rpartition("/")[0], images)
    if isinstance(block, NotebookBlock):
        return render_notebook(block.data, links)
    return render_markdown(block.text, links)


def _attachment(version: Version, path: str) -> Attachment:
    for attachment in version.attachments():
        if attachment.path == path:
            return attachment
    raise PathNotFoundError(
        "This package has no such file.", remedy="Look at the share's page for what it holds."
    )


def _folders(path: str) -> list[tuple[str, str]]:
    """Return the folders on the way to `path`: names and paths."""
    names = path.split("/")[:-1]
    return [(name, "/".join(names[: n + 1])) for n, name in enumerate(names)]

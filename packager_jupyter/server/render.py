"""Rendering what people attach: Markdown, notebooks and text become HTML that cannot do anything.

Two walls stand one behind the other. Here: Markdown without raw HTML, nbconvert with sanitising,
and after either a cleaner that lets through only harmless elements, without ``id``, ``name``,
``data-*`` or ``style``, and rewrites every address. In the page: a policy under which no script
runs and nothing is loaded from elsewhere (see `share.page`).

Addresses inside the package lead to the share's own routes, images only to attachments; addresses
elsewhere stay when they are web or mail addresses. All functions block: some take a second.
"""

from __future__ import annotations

import html
import posixpath
import re
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_MARKDOWN_BYTES = 256 * 1024
MAX_NOTEBOOK_BYTES = 8 * 1024 * 1024
MAX_HTML_BYTES = 16 * 1024 * 1024
MAX_TEXT_CHARS = 256 * 1024
# Beyond these the parsers' time grows with the square of the input.
MAX_DELIMITERS = 20_000
MAX_DEPTH = 1000

RASTER_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
MARKDOWN_SUFFIXES = (".md", ".markdown")
NOTEBOOK_SUFFIX = ".ipynb"

_TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt"),
    *("em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark"),
    *("ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "table"),
    *("tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var"),
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
}
_CLASSES = {
    "div": {"cell", "input", "inner_cell", "input_area", "output", "output_area", "prompt"}
    | {"highlight", "input_prompt", "output_prompt", "output_stderr", "text_cell"},
    "span": {"c", "c1", "cm", "cp", "k", "kc", "kd", "kn", "kr", "kt", "m", "mf", "mh", "mi"}
    | {"n", "na", "nb", "nc", "nd", "nf", "nn", "nt", "nv", "o", "ow", "p", "s", "s1", "s2"}
    | {"sa", "sb", "sd", "se", "sf", "si", "ss"},
}
_SCHEMES = {"http", "https", "mailto", "data"}
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
_SIZE = re.compile(r"[0-9]{1,4}%?")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_exporting = threading.Lock()
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"})


@dataclass(frozen=True, slots=True)
class Links:
    """Where addresses in an attached text lead.

    Attributes
    ----------
    up : str
        From the page on which the text stands to the share's root: empty or ``../../``.
    attachments : collection of str
        Paths of the attachments.
    folder : str
        Folder of the text in the package, without a slash at its end; relative addresses start
        there.
    images : str
        What stands before an image's path, ``images/`` or more.
    """

    up: str
    attachments: Collection[str]
    folder: str = ""
    images: str = "images/"

    def page(self, address: str) -> str | None:
        """Return where a link leads; ``None`` takes the link away and leaves its text."""
        if _has_scheme(address):
            scheme = urlsplit(address).scheme.lower()
            return address if scheme in {"http", "https", "mailto"} else None
        path = self._inside(address)
        if path is None:
            return None
        if path.endswith("/"):
            return f"{self.up}?path={quote(path.rstrip('/'), safe='')}#files"
        kind = "view" if path in self.attachments and is_viewable(path) else "files"
        return f"{self.up}{kind}/{quote(path, safe='/')}"

    def image(self, address: str) -> str | None:
        """Return where an image's bytes are: an attachment or the text itself, never elsewhere."""
        if _DATA_IMAGE.fullmatch(address):
            return address
        path = None if _has_scheme(address) else self._inside(address)
        if path is None or path not in self.attachments or raster_type(path) is None:
            return None
        return f"{self.up}{self.images}{quote(path, safe='/')}"

    def _inside(self, address: str) -> str | None:
        try:
            path = unquote(urlsplit(address).path, errors="strict")
        except ValueError:
            return None
        if not path or "\\" in path or path.startswith("//"):
            return None
        joined = path.lstrip("/") if path.startswith("/") else posixpath.join(self.folder, path)
        normal = posixpath.normpath(joined)
        if normal in {".", ".."} or normal.startswith("../"):
            return None
        return normal + "/" if path.endswith("/") else normal


class OutwardLinks(Links):
    """Links of a text that stands alone: they lead to other sites or nowhere."""

    def __init__(self) -> None:
        super().__init__(up="", attachments=())

    def page(self, address: str) -> str | None:
        """Return where a link leads; ``None`` takes the link away and leaves its text."""
        return super().page(address) if _has_scheme(address) else None


def raster_type(path: str) -> str | None:
    """Return the media type under which `path` may be shown as an image, ``None`` for all else.

    SVG is not among them: it is a document that can hold scripts.
    """
    return RASTER_TYPES.get(posixpath.splitext(path)[1].lower())


def is_raster(path: str, data: bytes) -> bool:
    """Whether `data` begins as the raster type that the name `path` promises."""
    kind = raster_type(path)
    return (
        (kind == "image/png" and data.startswith(b"\x89PNG\r\n\x1a\n"))
        or (kind == "image/jpeg" and data.startswith(b"\xff\xd8\xff"))
        or (kind == "image/gif" and data.startswith((b"GIF87a", b"GIF89a")))
        or (kind == "image/webp" and data.startswith(b"RIFF") and data[8:12] == b"WEBP")
    )


def is_viewable(path: str) -> bool:
    """Whether `view` shows the attachment `path` instead of handing it out."""
    return path.lower().endswith((*MARKDOWN_SUFFIXES, NOTEBOOK_SUFFIX))


def render(path: str, data: bytes, links: Links) -> str:
    """Return the attachment `path` as safe HTML, by the kind that its name says.

    What cannot be read as its kind is shown as the plain text that it is.
    """
    lower = path.lower()
    if lower.endswith(NOTEBOOK_SUFFIX):
        return render_notebook(data, links)
    if lower.endswith(MARKDOWN_SUFFIXES):
        return render_markdown(data.decode("utf-8", "replace"), links)
    return render_text(data.decode("utf-8", "replace"))


def render_text(text: str) -> str:
    """Return `text` escaped and preformatted, cut after 262,144 characters with a note."""
    note = ""
    if len(text) > MAX_TEXT_CHARS:
        note = f"<p>Only the first {MAX_TEXT_CHARS:,} characters are shown.</p>"
    return f"<pre>{html.escape(text[:MAX_TEXT_CHARS])}</pre>{note}"


def render_markdown(text: str, links: Links, *, without_title: str | None = None) -> str:
    """Return Markdown (CommonMark with tables and strikethrough) as safe HTML.

    Parameters
    ----------
    text : str
        A YAML front matter is left out.
    links : Links
    without_title : str, optional
        Leave out a first heading of exactly this text: the page shows it already.
    """
    is_long = len(text.encode("utf-8", "replace")) > MAX_MARKDOWN_BYTES
    if is_long or sum(map(text.count, "[*_`~<")) > MAX_DELIMITERS:
        return render_text(text)
    parser = _markdown()
    tokens = [token for token in parser.parse(text) if token.type != "front_matter"]
    if (
        without_title is not None
        and len(tokens) > 2  # noqa: PLR2004  # heading_open, inline, heading_close
        and tokens[0].type == "heading_open"
        and tokens[0].tag == "h1"
        and tokens[1].content.strip() == without_title
    ):
        tokens = tokens[3:]
    return sanitise(parser.renderer.render(tokens, parser.options, {}), links)


def render_notebook(data: bytes, links: Links) -> str:
    """Return a Jupyter notebook as safe HTML, its code, its text and its static outputs."""
    if len(data) > MAX_NOTEBOOK_BYTES:
        return f"<p>This notebook has {len(data):,} bytes, too many to be shown here.</p>"
    try:
        body = _convert(data.decode())
    except Exception:  # noqa: BLE001  # nbformat and nbconvert raise anything for a hostile file
        return "<p>This file cannot be read as a notebook; it is shown as text.</p>" + render_text(
            data.decode("utf-8", "replace")
        )
    return sanitise(body, links)


def sanitise(text: str, links: Links) -> str:
    """Return only the harmless part of the HTML `text`, with every address rewritten."""
    if len(text) > MAX_HTML_BYTES or _is_too_deep(text):
        return "<p>This text is nested too deeply or too long to be shown here.</p>"

    def check(tag: str, attribute: str, value: str) -> str | None:
        if (tag, attribute) == ("a", "href"):
            return links.page(value)
        if (tag, attribute) == ("img", "src"):
            return links.image(value)
        if attribute in {"width", "height", "colspan", "rowspan", "start"}:
            return value if _SIZE.fullmatch(value) else None
        return value

    return nh3.clean(
        text,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        attribute_filter=check,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow ugc",
        generic_attribute_prefixes=set(),
    )


@cache
def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False})
    return parser.enable(["table", "strikethrough"]).use(front_matter_plugin)


def _convert(text: str) -> str:
    from nbformat import converter, reader

    # Not nbformat.reads: it warns about every small fault of a file that is only to be shown.
    notebook = converter.convert(reader.reads(text), 4)  # type: ignore[no-untyped-call]
    for number, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{number}")
    with _exporting:
        body, _ = _notebook_exporter().from_notebook_node(notebook)
    return str(body)


@cache
def _notebook_exporter() -> Any:
    from nbconvert.exporters import HTMLExporter

    # embed_images would read files of this server (CVE-2026-39378).
    exporter: Any = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic", sanitize_html=True, exclude_anchor_links=True, embed_images=False
    )
    # nbconvert's own cleaner escapes headings and lists; ours takes out the same and more.
    exporter.register_filter("clean_html", _clean_inner)
    return exporter


def _clean_inner(text: str) -> str:
    if _is_too_deep(text):
        return html.escape(text[:MAX_TEXT_CHARS])
    return nh3.clean(
        text,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes=_SCHEMES,
        link_rel=None,
    )


def _has_scheme(address: str) -> bool:
    """Whether `address` names a scheme or a host: anything that is not a path of ours."""
    head = re.split("[/?#]", address, maxsplit=1)[0]
    return ":" in head or address.lstrip().startswith(("//", "\\\\", "/\\", "\\/"))


def _is_too_deep(text: str) -> bool:
    depth = 0
    for found in _TAG.finditer(text):
        if found[2].lower() not in _VOID:
            depth += -1 if found[1] else 1
            if depth > MAX_DEPTH:
                return True
    return False

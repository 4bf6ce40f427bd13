"""Hostile texts, everything into which they can be put, and what must never come out of them."""

from __future__ import annotations

import io
import json
import re

import html5lib

PAYLOADS = [
    "<script>window.__xss=1</script>",
    "<img src=x onerror=window.__xss=1>",
    "<svg onload=window.__xss=1><use xlink:href='data:image/svg+xml;base64,PHN2Zy8+#x'/></svg>",
    "<svg><animate onbegin=window.__xss=1 attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.__xss=1</script>'></iframe>",
    "<object data='data:text/html,<script>window.__xss=1</script>'></object>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.__xss=1></style></mglyph>",
    "<a href='javascript:window.__xss=1'>x</a>",
    "<a href='jAvAsCrIpT&colon;window.__xss=1'>x</a>",
    "<a href='java\tscript:window.__xss=1'>x</a>",
    '<a href="data:text/html,<script>window.__xss=1</script>">x</a>',
    "[x](javascript:window.__xss=1) ![x](javascript:window.__xss=1)",
    "[x](data:text/html;base64,PHNjcmlwdD4xPC9zY3JpcHQ+) <javascript:window.__xss=1>",
    '![x](x"onerror="window.__xss=1) [x](x \'onclick="window.__xss=1\')',
    "<form action=//evil.example.org><input name=password><button formaction=javascript:1>x</form>",
    "<form id=getElementById name=location><img name=cookie><input id=attributes></form>",
    "<div data-commandlinker-command='terminal:create-new' onclick=window.__xss=1>x</div>",
    "<style>@import '//evil.example.org'; body{background:url(//evil.example.org)}</style>",
    "<link rel=stylesheet href=//evil.example.org><base href=//evil.example.org>",
    "<meta http-equiv=refresh content='0;url=javascript:window.__xss=1'>",
    "<noscript><p title='</noscript><img src=x onerror=window.__xss=1>'></noscript>",
    "<details open ontoggle=window.__xss=1><summary>x</summary></details>",
    "<p style='background:url(javascript:window.__xss=1)' class='button' id=files>x</p>",
    "<![CDATA[<script>window.__xss=1</script>]]><!--<script>--><script>window.__xss=1</script>",
    "\"'><script>window.__xss=1</script>{{7*7}}{% raw %}",
    "</title></textarea></style></script></article><script>window.__xss=1</script>",
]
HARMLESS = {
    *("html", "head", "body", "title", "header", "main", "section", "article", "nav", "time"),
    *("form", "input", "button", "label", "details", "summary", "bdi", "meta", "link"),
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt"),
    *("em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark"),
    *("ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "table"),
    *("tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var", "figure", "figcaption"),
}
OURS_ONLY = {"form", "input", "button", "label", "details", "summary", "meta", "link", "section"}
IN_TEXT = {"href", "src", "alt", "title", "rel", "class", "width", "height", "colspan", "rowspan"}
IN_TEXT |= {"scope", "start"}
_ADDRESS = re.compile(
    r"https?://|mailto:|[a-z]+/|\.{1,2}/|\?|#|$|(?:package\.zip|urls\.txt|manifest\.jsonl)$"
)
_IMAGE = re.compile(r"(?:\.\./)*images/|data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*$")


def notebook(payload):
    """Return a notebook with `payload` in every place that is shown."""

    def output(data):
        return {"output_type": "display_data", "metadata": {}, "data": data}

    outputs = [
        output({"text/html": payload}),
        output({"text/html": [payload, payload]}),
        output({"image/svg+xml": payload}),
        output({"text/markdown": payload}),
        output({"text/latex": f"$$ {payload} $$"}),
        output({"text/plain": payload}),
        output({"application/javascript": payload, "text/plain": payload}),
        output({"image/png": f'"{payload}'}),
        {
            **output({"image/png": "iVBORw0KGgo=", "text/html": payload}),
            "metadata": {"image/png": {"width": f'"{payload}', "alt": f'"{payload}'}},
        },
        {
            **output({"text/html": payload}),
            "metadata": {"text/html": {"isolated": True}},
        },
        {"output_type": "stream", "name": "stdout", "text": f"\x1b[31m{payload}"},
        {"output_type": "error", "ename": payload, "evalue": payload, "traceback": [payload]},
    ]
    code = {
        "id": "code",
        "cell_type": "code",
        "execution_count": 1,
        "metadata": {"tags": [payload.replace(",", "")]},
        "source": payload,
        "outputs": outputs,
    }
    cells = [
        {"id": "markdown", "cell_type": "markdown", "metadata": {}, "source": payload},
        {
            "id": "raw",
            "cell_type": "raw",
            "metadata": {"raw_mimetype": "text/html"},
            "source": payload,
        },
        code,
    ]
    cells[0]["attachments"] = {payload: {"image/png": payload}}
    return json.dumps(
        {"cells": cells, "metadata": {"title": payload}, "nbformat": 4, "nbformat_minor": 5}
    ).encode()


def preview_files(payload, names=("x",)):
    """Return files of every kind that has a preview, `payload` in each of their places."""
    import numpy as np
    import pyarrow as pa
    import tifffile
    from pyarrow import parquet

    quoted = payload.replace('"', '""')
    columns = pa.table({payload: [payload], "list": [[payload]]})
    columns = columns.replace_schema_metadata({payload: payload})
    table, tiff = io.BytesIO(), io.BytesIO()
    parquet.write_table(columns, table)
    ascii_text = payload.encode("ascii", "replace").decode()
    with tifffile.TiffWriter(tiff) as writer:
        writer.write(
            np.zeros((8, 8), "uint8"),
            description=ascii_text,
            software=ascii_text,
            extratags=[(42113, 2, 0, ascii_text, True)],
        )
    found = {
        "csv": f'"{quoted}","{quoted}"\n"{quoted}",{payload}\n'.encode(),
        "jsonl": json.dumps({payload: payload, "b": [payload]}).encode(),
        "json": json.dumps({payload: [payload]}).encode(),
        "md": payload.encode(),
        "ipynb": notebook(payload),
        "txt": payload.encode(),
        "svg": payload.encode(),
        "html": payload.encode(),
        "parquet": table.getvalue(),
        "tif": tiff.getvalue(),
        "png": payload.encode(),
    }
    return {f"{name}.{ending}": data for name in names for ending, data in found.items()}


def faults(page: bytes | str) -> list[str]:
    """Return everything in a page, as a browser parses it, that could do something."""
    tree = html5lib.parse(page, namespaceHTMLElements=True)
    found = []
    article = next((e for e in tree.iter() if str(e.tag).endswith("}article")), None)
    inside = set(article.iter()) - {article} if article is not None else set()
    for element in tree.iter():
        if not isinstance(element.tag, str):
            continue
        space, _, tag = element.tag.rpartition("}")
        if tag == "script" and element not in inside and _is_data(element):
            continue
        if space != "{http://www.w3.org/1999/xhtml" or tag not in HARMLESS:
            found.append(f"<{tag}> of {space}")
        if element in inside and tag in OURS_ONLY:
            found.append(f"<{tag}> in the text")
        found += _attribute_faults(element, tag, is_inside=element in inside)
    return found


def _is_data(element):
    """Whether a script element is one JSON document that could not be anything else."""
    text = element.text or ""
    is_plain = dict(element.attrib) == {"type": "application/ld+json"} and "<" not in text
    return is_plain and json.loads(text)["@type"] == "Dataset" and len(element) == 0


def _attribute_faults(element, tag, *, is_inside):
    found = []
    for name, value in element.attrib.items():
        if name.startswith("on") or name in {"style", "srcdoc", "formaction", "http-equiv"}:
            found.append(f"{tag} {name}={value!r}")
        if is_inside and name not in IN_TEXT:
            found.append(f"{tag} {name} in the text")
        if name in {"href", "action"} and not _ADDRESS.match(value):
            found.append(f"{tag} {name}={value!r}")
        if name == "src" and not _IMAGE.match(value):
            found.append(f"{tag} {name}={value!r}")
    return found

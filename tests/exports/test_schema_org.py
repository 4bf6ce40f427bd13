"""JSON-LD in a page: data that no text of a package can turn into anything else."""

from __future__ import annotations

import json

import html5lib
import pytest

from packager_jupyter.exports.schema_org import in_script
from server.share.corpus import PAYLOADS


@pytest.mark.parametrize("payload", [*PAYLOADS, "</script><!--", "<!--<script>", "\u2028\u2029&"])
def test_nothing_leaves_the_element(payload):
    text = in_script({"name": payload, payload: [payload]})
    assert json.loads(text) == {"name": payload, payload: [payload]}
    page = f'<!doctype html><head><script type="application/ld+json">{text}</script></head><body>'
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    (script,) = [e for e in tree.iter() if e.tag == "script"]
    assert json.loads(script.text) == json.loads(text)
    assert [e.tag for e in tree.iter()] == ["html", "head", "script", "body"]

"""Manifests: the same bytes for the same content, and no hostile one passes the parser."""

from __future__ import annotations

import json

import pytest

from packager_jupyter.errors import ManifestInvalidError, TooLargeError
from packager_jupyter.oci import manifest as m
from packager_jupyter.oci.base import MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST, Descriptor

LAYER = m.describe(b"abc", media_type="text/plain", annotations={"b": "2", "a": "ä"})
KIND = "application/vnd.example.thing.v1"


def test_image_manifest_is_canonical():
    body = m.image_manifest(
        layers=[LAYER], artifact_type=KIND, annotations={"y": "1", "x": "2"}, subject=LAYER
    )
    digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert body.decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        '"artifactType":"application/vnd.example.thing.v1",'
        '"config":{"mediaType":"application/vnd.oci.empty.v1+json",'
        f'"digest":"{empty}","size":2,"data":"e30="}},'
        f'"layers":[{{"mediaType":"text/plain","digest":"{digest}","size":3,'
        '"annotations":{"a":"ä","b":"2"}}],'
        f'"subject":{{"mediaType":"text/plain","digest":"{digest}","size":3}},'
        '"annotations":{"x":"2","y":"1"}}'
    )


def test_what_was_built_is_read_back():
    body = m.image_manifest(layers=[LAYER], artifact_type=KIND, annotations={"k": "v"})
    content = m.parse_manifest(body, media_type=MEDIA_TYPE_MANIFEST)
    assert (content.artifact_type, content.is_index) == (KIND, False)
    assert content.blobs() == (m.EMPTY, LAYER)
    assert content.annotations == {"k": "v"}
    child = Descriptor(
        MEDIA_TYPE_MANIFEST, m.describe(body).digest, len(body), platform={"os": "linux"}
    )
    index = m.parse_manifest(m.image_index([child], artifact_type=KIND, subject=LAYER))
    assert (index.is_index, index.manifests, index.blobs()) == (True, (child,), ())
    assert index.subject
    assert index.subject.digest == LAYER.digest


def test_layer_is_found_by_type_and_title():
    titled = m.describe(b"x", annotations={"org.opencontainers.image.title": "README.md"})
    content = m.parse_manifest(m.image_manifest(layers=[LAYER, titled], artifact_type=KIND))
    assert content.layer(media_type="text/plain") == LAYER
    assert content.layer(title="README.md") == titled
    with pytest.raises(ManifestInvalidError, match=r"LICENSE"):
        content.layer(title="LICENSE")


def test_builders_refuse_what_the_specification_forbids():
    with pytest.raises(ManifestInvalidError, match="artifact type"):
        m.image_manifest(layers=[LAYER])
    with pytest.raises(ManifestInvalidError, match="at least one layer"):
        m.image_manifest(layers=[], artifact_type=KIND)
    with pytest.raises(TooLargeError):
        m.image_index([], annotations={"a": "x" * (4 * 1024 * 1024)})


GOOD = json.loads(m.image_manifest(layers=[LAYER], artifact_type=KIND))
GOOD_INDEX = json.loads(m.image_index([LAYER]))


def _with(value, path, new):
    copy = json.loads(json.dumps(value))
    *folders, last = path
    target = copy
    for folder in folders:
        target = target[folder]
    if new is ...:
        del target[last]
    else:
        target[last] = new
    return json.dumps(copy).encode()


HOSTILE = {
    "layers and manifests": (_with(GOOD, ["manifests"], []), "never both"),
    "index with layers": (_with(GOOD_INDEX, ["layers"], []), "never both"),
    "index with config": (_with(GOOD_INDEX, ["config"], GOOD["config"]), "never both"),
    "schema 1": (_with(GOOD, ["schemaVersion"], 1), "schemaVersion"),
    "schema true": (_with(GOOD, ["schemaVersion"], True), "schemaVersion"),
    "schema text": (_with(GOOD, ["schemaVersion"], "2"), "schemaVersion"),
    "other media type": (_with(GOOD, ["mediaType"], "text/html"), "mediaType"),
    "media type list": (_with(GOOD, ["mediaType"], []), "mediaType"),
    "no config": (_with(GOOD, ["config"], ...), "config"),
    "no layers": (_with(GOOD, ["layers"], ...), "layers"),
    "layers object": (_with(GOOD, ["layers"], {}), "layers"),
    "layer text": (_with(GOOD, ["layers", 0], "x"), r"layers\[0\]"),
    "unknown algorithm": (_with(GOOD, ["layers", 0, "digest"], "md5:" + "a" * 32), "not known"),
    "short digest": (_with(GOOD, ["layers", 0, "digest"], "sha256:ab"), "64"),
    "path digest": (_with(GOOD, ["layers", 0, "digest"], "sha256:../x"), "no digest"),
    "no digest": (_with(GOOD, ["layers", 0, "digest"], ...), "no digest"),
    "negative size": (_with(GOOD, ["layers", 0, "size"], -1), "size"),
    "true size": (_with(GOOD, ["layers", 0, "size"], True), "size"),
    "float size": (_with(GOOD, ["layers", 0, "size"], 3.0), "size"),
    "huge size": (_with(GOOD, ["layers", 0, "size"], 2**60), "size"),
    "no layer type": (_with(GOOD, ["layers", 0, "mediaType"], ...), "mediaType"),
    "header in type": (_with(GOOD, ["layers", 0, "mediaType"], "a/b\r\nX: y"), "media type"),
    "annotation number": (_with(GOOD, ["layers", 0, "annotations", "n"], 1), "text"),
    "annotations list": (_with(GOOD, ["annotations"], []), "text"),
    "subject text": (_with(GOOD, ["subject"], "x"), "subject"),
    "platform text": (_with(GOOD_INDEX, ["manifests", 0, "platform"], "x"), "platform"),
    "data not base64": (_with(GOOD, ["config", "data"], "*"), "base64"),
    "data not text": (_with(GOOD, ["config", "data"], 5), "base64"),
    "data of other content": (_with(GOOD, ["config", "data"], "W10="), "digest"),
    "artifact type list": (_with(GOOD, ["artifactType"], []), "artifactType"),
    "a list": (b"[]", "object"),
    "nothing": (b"", "JSON"),
    "not UTF-8": (b'{"a":"\xff"}', "JSON"),
    "lone surrogate": (b'{"schemaVersion":2,"a":"\\ud800"}', "JSON"),
    "NaN": (b'{"schemaVersion":NaN}', "JSON"),
    "deep": (b"[" * 100_000, "JSON"),
    "deep objects": (b'{"a":' * 100_000, "JSON"),
    "long integer": (b'{"schemaVersion":' + b"9" * 100_000 + b"}", "JSON|schemaVersion"),
    "repeated member": (b'{"schemaVersion":2,"layers":[],"layers":[]}', "repeats"),
}


@pytest.mark.parametrize(("body", "part"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_manifests_are_refused_with_a_reason(body, part):
    with pytest.raises(ManifestInvalidError, match=part) as caught:
        m.parse_manifest(body)
    assert caught.value.remedy


def test_the_sender_s_media_type_must_agree():
    body = m.image_manifest(layers=[LAYER], artifact_type=KIND)
    with pytest.raises(ManifestInvalidError, match="was sent as"):
        m.parse_manifest(body, media_type=MEDIA_TYPE_INDEX)
    with pytest.raises(ManifestInvalidError, match="no media type of a manifest"):
        m.parse_manifest(body, media_type="application/json")
    silent = _with(GOOD, ["mediaType"], ...)
    with pytest.raises(ManifestInvalidError, match="never both"):
        m.parse_manifest(silent, media_type=MEDIA_TYPE_INDEX)
    assert m.parse_manifest(silent).media_type == MEDIA_TYPE_MANIFEST


def test_too_long_is_refused_before_it_is_parsed():
    with pytest.raises(TooLargeError):
        m.parse_manifest(b"[" * (4 * 1024 * 1024 + 1))


def test_artifact_type_falls_back_to_the_config():
    config = m.describe(b"{}", media_type="application/vnd.example.config+json")
    content = m.parse_manifest(m.image_manifest(config=config, layers=[LAYER]))
    assert content.artifact_type == "application/vnd.example.config+json"

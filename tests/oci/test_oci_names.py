"""The grammar of the distribution specification, and what hostile names cost."""

from __future__ import annotations

import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.errors import NameInvalidError
from packager_jupyter.oci import names

SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    "name", ["a", "packages/my-data", "a.b/c_d/e__f/g---h", "0/1/2", "x" * 255, "blobs/index.json"]
)
def test_repositories(name):
    assert names.check_repository(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", "A", "a/", "/a", "a//b", "a/../b", "..", ".", ".a", "_a", "-a", "a-", "a..b", "a___b",
        "a b", "a\n", "a\x00", "ä", "a/b:c", "a@b", "x" * 256, "a.-b",
    ],
)  # fmt: skip
def test_no_repositories(name):
    with pytest.raises(NameInvalidError):
        names.check_repository(name)


@pytest.mark.parametrize("tag", ["1", "_index", "v1.0-rc_1", "A" * 128])
def test_tags(tag):
    assert names.check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a+b", "a!", "a/b", "a\n", "é", "a:b", "A" * 129])
def test_no_tags(tag):
    with pytest.raises(NameInvalidError):
        names.check_tag(tag)


@pytest.mark.parametrize("digest", [SHA, "sha512:" + "0" * 128])
def test_digests(digest):
    assert names.check_digest(digest) == digest


@pytest.mark.parametrize(
    ("digest", "part"),
    [
        ("sha256:" + "A" * 64, "no digest"),
        ("sha256:" + "a" * 63, "64 hexadecimal"),
        ("sha256:../../../etc/passwd", "no digest"),
        ("md5:" + "a" * 32, "not known"),
        ("sha256", "no digest"),
        (SHA + "\n", "no digest"),
        ("", "no digest"),
    ],
)
def test_no_digests(digest, part):
    with pytest.raises(NameInvalidError, match=part):
        names.check_digest(digest)


@pytest.mark.parametrize(
    "check", [names.check_repository, names.check_tag, names.check_digest, names.check_reference]
)
@pytest.mark.parametrize("unit", ["a-", "a", "-", "sha256:", "a/"])
def test_a_megabyte_is_refused_at_once_and_shown_short(check, unit):
    began = time.process_time()
    with pytest.raises(NameInvalidError) as caught:
        check(unit * (2**20 // len(unit)))
    assert time.process_time() - began < 0.05
    assert len(str(caught.value)) < 400


@given(st.binary())
def test_digest_of_bytes(data):
    assert names.digest_bytes(data) == "sha256:" + hashlib.sha256(data).hexdigest()
    assert names.is_digest(names.check_reference(names.digest_bytes(data)))


@given(st.text(max_size=300))
def test_whatever_passes_stays_inside_its_folder(text):
    for check in (names.check_repository, names.check_tag, names.check_digest):
        try:
            check(text)
        except NameInvalidError:
            continue
        assert not {"", ".", ".."} & set(text.split("/"))
        assert text.isascii()
        assert "\\" not in text
        assert text.isprintable()

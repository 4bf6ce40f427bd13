"""Adding remotes to the text of a DVC configuration."""

from __future__ import annotations

import pytest

from packager_jupyter.errors import BadInputError
from packager_jupyter.fetch.dvc_config import DvcConfig

THERE = """# a remark
[core]
    remote = "own"   # another
['remote "own"']
    url = s3://bucket/own
['remote "share"']
    URL = 'https://host/s/a/dvc'
    verify = True
"""
SHARE = {"url": "https://host/s/a/dvc", "verify": "true"}


@pytest.mark.parametrize("text", ["", THERE, THERE.rstrip("\n"), THERE.replace("\n", "\r\n")])
def test_everything_else_stays(text):
    config = DvcConfig(text)
    assert config.put_remote("new", SHARE) == "new"
    assert config.text.startswith(text)
    assert config.remote("new") == SHARE
    assert config.remote("own") == DvcConfig(text).remote("own")


def test_options_are_read_without_quotes_and_comments():
    assert DvcConfig(THERE).section("core") == {"remote": "own"}
    assert DvcConfig(THERE).remote("share") == {"url": "https://host/s/a/dvc", "verify": "True"}
    assert DvcConfig(THERE).remote("other") is None


def test_the_same_remote_is_taken_again():
    config = DvcConfig(THERE)
    assert config.put_remote("share", SHARE) == "share"
    assert config.text == THERE


def test_a_name_that_is_taken_is_left_alone():
    config = DvcConfig(THERE)
    assert config.put_remote("own", SHARE) == "own-2"
    assert config.put_remote("own", SHARE) == "own-2"
    assert config.put_remote("own", {"url": "https://host/s/b/dvc"}) == "own-3"
    assert config.remote("own") == {"url": "s3://bucket/own"}


def test_an_address_is_put_in_place_of_another():
    config = DvcConfig('[\'remote "a"\']\n    password = x\n    url = "old"\n[\'remote "b"\']\n')
    config.put_url("a", "https://new")
    config.put_url("b", "https://b")
    config.put_url("c", "https://c")
    assert config.text == (
        '[\'remote "a"\']\n    url = "https://new"\n    password = x\n'
        '[\'remote "b"\']\n    url = "https://b"\n'
        '[\'remote "c"\']\n    url = "https://c"\n'
    )


@pytest.mark.parametrize("value", ["", "a b", 'a"b', "a'b", "a\nb", "é", "a\\b"])
def test_a_value_that_would_be_read_otherwise_is_refused(value):
    with pytest.raises(BadInputError):
        DvcConfig("").put_remote("new", {"url": value})

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.cli.values import (
    ADDRESS,
    DURATION,
    PACKAGE_REF,
    SOURCE_OR_ADDRESS,
    Address,
    PackageRef,
    duration_text,
    parse_duration_s,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("12h", 43200), ("7d", 604800), ("1s", 1)]
)
def test_duration_is_read(text, seconds):
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0s", "-5m", "7", "7D", "1w", "1.5h", "1h30m", " 7d", "7d ", "٣d", "1" * 12 + "s"]
)
def test_what_is_no_duration_is_wrong_usage(text):
    with pytest.raises(ValueError, match=r".*"):
        parse_duration_s(text)
    with pytest.raises(click.BadParameter, match="90s, 15m, 12h or 7d"):
        DURATION.convert(text, None, None)


@given(st.integers(1, 10**8))
def test_duration_text_reads_back(seconds):
    assert parse_duration_s(duration_text(seconds)) == seconds


def test_first_colon_divides_source_from_key():
    assert ADDRESS.convert("lake:raw/a:b", None, None) == Address("lake", "raw/a:b")
    assert ADDRESS.convert("lake:", None, None) == Address("lake", "")
    assert SOURCE_OR_ADDRESS.convert("lake", None, None) == Address("lake", None)


@pytest.mark.parametrize("text", ["lake", "", ":key"])
def test_address_without_source_or_key_is_wrong_usage(text):
    with pytest.raises(click.BadParameter, match="SOURCE:KEY"):
        ADDRESS.convert(text, None, None)


def test_package_reference():
    assert PACKAGE_REF.convert("ocean", None, None) == PackageRef("ocean", None)
    assert PACKAGE_REF.convert("team/ocean@2", None, None) == PackageRef("team/ocean", "2")
    digest = "sha256:" + "0" * 64
    assert PACKAGE_REF.convert(f"ocean@{digest}", None, None).version == digest


@pytest.mark.parametrize("text", ["", "@2", "ocean@"])
def test_package_reference_with_a_missing_half_is_wrong_usage(text):
    with pytest.raises(click.BadParameter, match="NAME@VERSION"):
        PACKAGE_REF.convert(text, None, None)

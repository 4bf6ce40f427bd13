"""Link secrets: their strength, their look, their sealed copy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.errors import BadInputError, ConflictError
from packager_jupyter.shares import tokens

KEY = bytes(32)


def test_tokens_have_192_and_capabilities_256_bits():
    assert len(tokens.new_token()) == tokens.TOKEN_CHARS == 24 * 8 // 6
    assert len(tokens.new_capability()) == 43
    assert len({tokens.new_token() for _ in range(1000)}) == 1000


@given(
    slug=st.none() | st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?\Z"),
    token=st.from_regex(r"\A[A-Za-z0-9_-]{32}\Z"),
    capability=st.none() | st.from_regex(r"\A[A-Za-z0-9_-]{43}\Z"),
)
def test_segments_round_trip(slug, token, capability):
    text = tokens.format_segment(token, slug=slug, capability=capability)
    assert tokens.parse_segment(text) == tokens.Segment(token, capability, slug)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a" * 31,
        "A-" + "a" * 32,
        "a" * 32 + "~",
        "a" * 32 + "\n",
    ],
)
def test_other_texts_are_no_segments(text):
    assert tokens.parse_segment(text) is None


def test_secrets_do_not_show_in_reprs():
    token, capability = tokens.new_token(), tokens.new_capability()
    shown = repr(tokens.parse_segment(f"ocean-{token}~{capability}"))
    assert token not in shown
    assert capability not in shown
    assert "ocean" in shown


def test_a_sealed_token_opens_only_for_its_share_and_key():
    token = tokens.new_token()
    sealed = tokens.seal(token, share_id="sh_a", key=KEY)
    assert token.encode() not in sealed
    assert tokens.unseal(sealed, share_id="sh_a", key=KEY) == token
    for share_id, key, data in [
        ("sh_b", KEY, sealed),
        ("sh_a", bytes([1] * 32), sealed),
        ("sh_a", KEY, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("sh_a", KEY, b""),
    ]:
        with pytest.raises(ConflictError, match="cannot be shown again"):
            tokens.unseal(data, share_id=share_id, key=key)


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a b", "a/b", "é", "a" * 65, "a\n", ".."])
def test_slugs_that_may_not_stand_in_a_link(slug):
    with pytest.raises(BadInputError):
        tokens.check_slug(slug)

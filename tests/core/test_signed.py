"""Claims with a MAC: nothing but what we signed, for its purpose and in its time, is accepted."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.signed import canonical, sign, verify

KEY = b"k" * 32
claim_sets = st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers(), max_size=4)


def make(**over):
    arguments = {"purpose": "cookie", "iat_s": 1000, "exp_s": 2000, "key": KEY} | over
    return sign({"share": "sh_a", "epoch": 1}, **arguments)


def test_claims_come_back():
    claims = verify(make(), purpose="cookie", now_s=1500, key=KEY)
    assert claims == {"share": "sh_a", "epoch": 1, "purpose": "cookie", "iat": 1000, "exp": 2000}


@pytest.mark.parametrize(
    ("purpose", "now_s", "key"),
    [
        ("form", 1500, KEY),
        ("cookie", 2000, KEY),
        ("cookie", 939, KEY),
        ("cookie", 1500, b"other" * 8),
    ],
)
def test_another_purpose_time_or_key_is_refused(purpose, now_s, key):
    assert verify(make(), purpose=purpose, now_s=now_s, key=key) is None


def test_every_change_of_one_character_is_refused():
    text = make()
    for at in range(len(text)):
        for other in "A_9.":
            if text[at] != other:
                changed = text[:at] + other + text[at + 1 :]
                assert verify(changed, purpose="cookie", now_s=1500, key=KEY) is None


def test_claims_cannot_name_another_purpose_or_time():
    text = sign({"purpose": "cookie", "exp": 9999}, purpose="form", iat_s=1000, exp_s=2000, key=KEY)
    assert verify(text, purpose="cookie", now_s=1500, key=KEY) is None
    assert verify(text, purpose="form", now_s=3000, key=KEY) is None


@given(st.text(max_size=300))
def test_any_text_is_answered_with_none(text):
    assert verify(text, purpose="cookie", now_s=1500, key=KEY) is None


def test_an_unsigned_body_is_never_parsed():
    body = base64.urlsafe_b64encode(json.dumps({"purpose": "cookie"}).encode()).decode().rstrip("=")
    assert verify(f"{body}.{body}", purpose="cookie", now_s=1500, key=KEY) is None


@given(claim_sets, claim_sets)
def test_no_two_claim_sets_give_the_same_bytes(one, other):
    assert (canonical(one) == canonical(other)) == (one == other)


@given(claim_sets)
def test_the_bytes_are_those_of_pythons_own_json(claims):
    own = json.dumps(claims, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert canonical(claims) == own.encode()

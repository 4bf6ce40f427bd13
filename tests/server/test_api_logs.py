"""Nothing secret reaches a handler of any logger, and what people need to read stays."""

from __future__ import annotations

import io
import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.server import logs

TOKEN = "Qm9va0tva2VuLXdpdGgtMTkyLXJhbmRv"
CAPABILITY = "x" * 43

SECRETS = {
    "aws signature": ("https://h/b/k?X-Amz-Date=1&X-Amz-Signature=CANARY01&x=1", "CANARY01"),
    "aws token": ("GET /k?X-Amz-Security-Token=CANARY02%2F/x HTTP/1.1", "CANARY02"),
    "aws credential": ("k?a=b&X-Amz-Credential=CANARY03%2F2026", "CANARY03"),
    "aws v2": ("k?Signature=CANARY04%3D&Expires=1", "CANARY04"),
    "azure": ("https://a/c/b?se=2026&sig=CANARY05%3D&sp=r", "CANARY05"),
    "wrapped": ("next=https%3A%2F%2Fh%2Fk%3FX-Amz-Signature%3DCANARY06", "CANARY06"),
    "password": ("POST /unlock?password=CANARY07", "CANARY07"),
    "share": (f"GET /a%40b/packager/s/{TOKEN}/files/x", TOKEN),
    "share with slug": (f"GET /s/ocean-{TOKEN}/", TOKEN),
    "capability": (f"GET /s/{TOKEN}~{CAPABILITY}/urls.txt", CAPABILITY),
    "capability encoded": (f"GET /s/{TOKEN}%7E{CAPABILITY}/urls.txt", CAPABILITY),
    "local": ("GET /local/eyJhIjoxfQabcdef.CANARY08-hmac_x", "CANARY08"),
    "api token": ("token pkgr_api_0123456789ab_CANARY09-_ refused", "CANARY09"),
    "start token": ("pkgr_start_CANARY10abc", "CANARY10"),
    "basic": ("Authorization: Basic Q0FOQVJZMTE6eA==", "Q0FOQVJZMTE6eA=="),
    "bearer": ("{'Authorization': 'Bearer CANARY12.abc'}", "CANARY12"),
    "share header": ("X-Share-Token: CANARY13", "CANARY13"),
    "userinfo": ("proxy http://me:CANARY14@proxy:3128/", "CANARY14"),
    "repr": ("{'aws_secret_access_key': 'CANARY15/+x', 'b': 1}", "CANARY15"),
    "env": ("AWS_SESSION_TOKEN=CANARY16 set", "CANARY16"),
    "connection string": ("AccountName=a;AccountKey=CANARY17==;EndpointSuffix=x", "CANARY17"),
    "json": ('{"password": "CANARY18 with blanks", "x": 1}', "CANARY18 with"),
}
HARMLESS = [
    "http://localhost:8888/lab?token=abcdef0123456789",  # printed by Jupyter to be clicked
    "/usr/local/lib/python3.11/site-packages/x.py",
    "token bucket is full",
    "wrong password for share abc",
    "s3://bucket/local/data.csv",
]


@pytest.fixture
def written():
    """A logger with a handler of its own, as a library has, scrubbed by the host."""
    stream = io.StringIO()
    logger = logging.getLogger("somebody.elses.library")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    logs.install()
    yield logger, stream
    logger.removeHandler(handler)


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_cut_from_message_arguments_and_traceback(kind, written):
    text, secret = SECRETS[kind]
    _logger, stream = written
    child = logging.getLogger("somebody.elses.library.deep.inside")
    child.warning(text)
    child.warning("with %s and %d", text, 3)
    try:
        int(text)
    except ValueError:
        child.exception("failed")
    assert secret not in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert "and 3" in stream.getvalue()


@pytest.mark.parametrize("text", HARMLESS)
def test_what_people_need_stays(text):
    assert logs.scrub(text) == text


def test_six_characters_of_a_share_remain():
    assert logs.scrub(f"/s/{TOKEN}/files/a.csv") == f"/s/{TOKEN[:6]}…/files/a.csv"


def test_installing_twice_is_installing_once(written):
    logger, _ = written
    logs.install([logger])
    logs.install([logger])
    assert len(logger.handlers[0].filters) == 1


@st.composite
def lines(draw):
    """Lines in which secrets stand next to each other, in upper and lower case, and cut in half."""
    pieces = st.sampled_from([text for text, _ in SECRETS.values()] + HARMLESS)
    text = draw(st.sampled_from(["", " ", "&", ";", "\n"])).join(draw(st.lists(pieces, max_size=4)))
    rng = random.Random(draw(st.integers(0, 999)))
    text = "".join(rng.choice([c, c, c.upper(), c.lower()]) for c in text)
    return text[draw(st.integers(0, 20)) :]


@given(lines())
def test_looking_for_words_first_misses_nothing(text):
    whole = text
    for _, pattern, replacement in logs._RULES:
        whole = pattern.sub(replacement, whole)
    assert logs.scrub(text) == whole

"""Log records of the libraries below us hold no working signature."""

from __future__ import annotations

import logging

import pytest

from packager_jupyter.sources.redaction import hide_signatures, redact


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("GET /b/k?X-Amz-Signature=CANARY&x=1", "x=1"),
        ("X-Amz-Credential=CANARY%2F2026&X-Amz-Security-Token=CANARY", "X-Amz-Credential=[secret]"),
        ("https://a.test/c/b?sv=2024&sig=CANARY%3D&sp=r", "&sp=r"),
        ("?AWSAccessKeyId=CANARY&Signature=CANARY", "Signature=[secret]"),
    ],
)
def test_values_of_signing_parameters_go(text, kept):
    assert "CANARY" not in redact(text)
    assert kept in redact(text)


def test_other_text_stays():
    text = "a design: signal=5, config=7"
    assert redact(text) == text


def test_records_are_scrubbed_or_dropped(caplog):
    caplog.set_level(logging.DEBUG)
    hide_signatures()
    hide_signatures()
    logging.getLogger("urllib3.connectionpool").debug(
        '%s "GET %s HTTP/1.1" %s', "http://h", "/b/k?X-Amz-Signature=CANARY&y=1", 200
    )
    logging.getLogger("botocore.auth").debug("StringToSign:\n%s", "CANARY")
    logging.getLogger("botocore.auth").warning("something is odd")
    assert "CANARY" not in caplog.text
    assert "/b/k?X-Amz-Signature=[secret]&y=1" in caplog.text
    assert "something is odd" in caplog.text
    assert len(logging.getLogger("botocore.auth").filters) == 1

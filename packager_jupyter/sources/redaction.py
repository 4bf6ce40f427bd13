"""Keeps signatures out of the log records of the libraries that send or sign our requests.

botocore and urllib3 write whole URLs, canonical requests and signatures at DEBUG. Whoever turns
DEBUG on to look for a fault must not thereby write working credentials into a file.
"""

from __future__ import annotations

import logging
import re

HIDDEN = "[secret]"  # what the hosts' own log filter writes too
_SECRET_PARAMETER = re.compile(
    r"(?i)\b(X-Amz-Signature|X-Amz-Security-Token|X-Amz-Credential|Signature|sig|AWSAccessKeyId)"
    r"(=|:|%3D)[^&\s\"']+"
)
# Their DEBUG records are nothing but what must stay secret.
_MUTED = ("botocore.auth", "botocore.signers", "botocore.hooks", "botocore.endpoint")
_SCRUBBED = ("urllib3.connectionpool", "urllib3.util.retry", "azure.core", "azure.identity")


def redact(text: str) -> str:
    """Replace the values of signing parameters in `text` by `HIDDEN`."""
    return _SECRET_PARAMETER.sub(rf"\1\2{HIDDEN}", text)


class _Mute(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


class _Scrub(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        clean = redact(text)
        if clean != text:
            record.msg, record.args = clean, ()
        return True


_MUTE = _Mute()
_SCRUB = _Scrub()


def hide_signatures() -> None:
    """Attach the filters; calling it again changes nothing (``addFilter`` ignores repeats)."""
    for name in _MUTED:
        logging.getLogger(name).addFilter(_MUTE)
    for name in _SCRUBBED:
        logging.getLogger(name).addFilter(_SCRUB)

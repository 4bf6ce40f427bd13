"""What may stand in a log: the scrubber that every host installs, and our own access line.

Presigned parameters, share tokens, signed local URLs, API tokens, passwords and authorization
headers are cut out of every record that reaches a handler, tracebacks included, whoever logged it:
libraries log URLs too. Of a share token its first six characters remain, enough to find the share.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornado.web import RequestHandler

ACCESS_LOG = "packager_jupyter.access"
SHOWN_CHARS = 6
HIDDEN = "[secret]"
_SCRUBBED = {"is_scrubbed": True}

# For jupyter_server's own access line, which scrubs by parts of parameter names.
SCRUB_KEYS = ["ignature", "redential", "ecurity-Token", "sig", "password", "Token", "secret"]

_PARAMETERS = (
    r"X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId|sig"
    r"|access_token|password|[\w-]*secret"  # not Jupyter's ?token=, which it prints to be clicked
)
_NAMES = (
    r"(?:[a-z]+_)*(?:secret_access_key|secret_key|session_token|account_key|sas_token"
    r"|connection_string|password|passwd)|AccountKey|SharedAccessSignature|SharedAccessKey"
)
# s/<token>[~<secret>] and local/<token>; what is shorter is no token but a folder's name
_TOKEN_IN_PATH = re.compile(rf"(/(?:s|local)/)([\w.-]{{{SHOWN_CHARS}}})[\w.~%-]{{10,}}")
_SIX_REMAIN = r"\1\2…"
# What each rule can match holds one of the words before it: looking for those costs a tenth of
# trying the patterns, and this runs for every line that any library logs.
_RULES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    # ?name=value of an address, also percent-encoded inside another address
    (
        ("=", "%3d"),
        re.compile(rf"(?i)((?:[?&;]|%3f|%26)(?:{_PARAMETERS})(?:=|%3d))[^&;\s\"'<>]+"),
        rf"\1{HIDDEN}",
    ),
    (("/s/", "/local/"), _TOKEN_IN_PATH, _SIX_REMAIN),
    (("pkgr_",), re.compile(r"\b(pkgr_[a-z]+_)[\w-]+"), rf"\1{HIDDEN}"),
    (
        ("basic", "bearer", "token"),
        re.compile(r"(?i)\b(basic|bearer|token)\s+[\w.~+/=-]{8,}"),
        rf"\1 {HIDDEN}",
    ),
    (
        ("x-share-token",),
        re.compile(r"(?i)\b(x-share-token['\"]?\s*[:=]\s*['\"]?)[^\s,'\"]+"),
        rf"\1{HIDDEN}",
    ),
    # https://user:password@host
    (("://",), re.compile(r"(\w://[^/\s:@]*:)[^/\s@]+(@)"), rf"\1{HIDDEN}\2"),
    # name=value, 'name': 'value' of settings, connection strings and reprs
    (
        ("key", "token", "string", "passw", "signature"),
        re.compile(rf"(?i)\b({_NAMES})(['\"]?\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s,;&'\"<>]+)"),
        rf"\1\2{HIDDEN}",
    ),
)


def scrub(text: str) -> str:
    """Return `text` without the secrets that can be recognised by their form."""
    folded = text.casefold()
    for words, pattern, replacement in _RULES:
        if any(word in folded for word in words):
            text = pattern.sub(replacement, text)
    return text


class ScrubFilter(logging.Filter):
    """Scrubs a record in place: message, arguments and traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite `record`; every record passes."""
        if record.__dict__.get("is_scrubbed"):
            return True
        record.msg = scrub(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = scrub(record.exc_text)
        if record.stack_info:
            record.stack_info = scrub(record.stack_info)
        record.__dict__["is_scrubbed"] = True
        return True


_FILTER = ScrubFilter()


def install(loggers: Iterable[logging.Logger] = ()) -> None:
    """Put the scrubber before every handler of `loggers` and of all loggers known so far.

    A filter on a logger does not see what its children log, one on a handler does; so it goes to
    the handlers. Installing twice changes nothing.
    """
    known = [logging.getLogger(), *loggers]
    known += [
        logger
        for logger in logging.Logger.manager.loggerDict.values()
        if isinstance(logger, logging.Logger)
    ]
    handlers: set[logging.Handler] = {handler for logger in known for handler in logger.handlers}
    if logging.lastResort is not None:
        handlers.add(logging.lastResort)
    for handler in handlers:
        if _FILTER not in handler.filters:
            handler.addFilter(_FILTER)


def log_access(handler: RequestHandler) -> None:
    """Log one finished request: Tornado's ``log_function`` of our own server.

    The query string never appears: it may hold keys and names that are nobody else's business. Of
    the path only what may be a token is cut, as this runs for every file of a download.
    """
    status = handler.get_status()
    level = logging.ERROR if status >= 500 else logging.INFO  # noqa: PLR2004  # RFC 9110 15.6
    logger = logging.getLogger(ACCESS_LOG)
    if not logger.isEnabledFor(level):
        return
    request = handler.request
    path, mark, _query = (request.uri or "").partition("?")
    if "pkgr_" in path:
        path = scrub(path)
    elif "/s/" in path or "/local/" in path:
        path = _cut_tokens(path)
    query = "?…" if mark else ""
    text = (
        f"{status} {request.method} {path}{query} {request.remote_ip} "
        f"{1000 * request.request_time():.1f}ms {getattr(handler, 'request_id', '-')}"
    )
    # Made here, a record is spared the walk up the stack for the line that logs, which is always
    # this one.
    record = logging.LogRecord(ACCESS_LOG, level, __file__, 0, text, None, None)
    record.__dict__.update(_SCRUBBED)
    logger.handle(record)


def _cut_tokens(path: str) -> str:
    """Return what `_TOKEN_IN_PATH.sub(_SIX_REMAIN, path)` returns, in a fifth of its time."""
    kept, at = "", 0
    while (found := _TOKEN_IN_PATH.search(path, at)) is not None:
        kept += f"{path[at : found.end(2)]}…"
        at = found.end()
    return kept + path[at:]

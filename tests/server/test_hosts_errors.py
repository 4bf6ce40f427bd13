"""Every failure has one shape, the right status and a remedy, and shows nothing of the inside."""

from __future__ import annotations

import json
import logging
import re

import pytest
from tornado import web

from packager_jupyter import errors
from packager_jupyter.errors import PackagerError
from packager_jupyter.server.api.handler import ApiHandler
from packager_jupyter.server.base import PackagerHandler
from packager_jupyter.server.failures import failure_of
from packager_jupyter.server.jupyter import jupyter_class
from packager_jupyter.server.mount import mount, plain_class
from packager_jupyter.server.routes import Route, Rule


def subclasses(cls: type[PackagerError]) -> set[type[PackagerError]]:
    return {cls}.union(*(subclasses(child) for child in cls.__subclasses__()))


KINDS = sorted(
    (kind for kind in subclasses(PackagerError) if kind.__module__ == errors.__name__),
    key=lambda kind: kind.__name__,
)
SECRET = "hunter2hunter2"
PAGE = Rule("public", "packager:status", "read")
API = Rule("user", "packager:status", "read")


def raised(name: str) -> Exception:
    kind = getattr(errors, name, None)
    if kind is not None:
        return kind("It went wrong.", remedy="Do it better.", retry_after_s=7, details="Why: so.")
    return {
        "hostile": errors.BadInputError("<svg onload=x>", remedy="<b>&"),
        "defect": RuntimeError(f"inside: {SECRET}"),
        "http404": web.HTTPError(404, f"log only: {SECRET}"),
        "http418": web.HTTPError(418, reason=SECRET),
        "http502": web.HTTPError(502, f"log only: {SECRET}"),
    }[name]


class RaisingApi(ApiHandler):
    """Raises what the address names."""

    def get(self, rest: str) -> None:
        raise raised(rest)


class RaisingPage(PackagerHandler):
    """Raises what the address names."""

    async def get(self, rest: str) -> None:
        raise raised(rest)


RAISING = [
    Route("test-api/{rest}", RaisingApi, {"GET": API}, ""),
    Route("test-page/{rest}", RaisingPage, {"GET": PAGE}, ""),
]


@pytest.fixture
def raising(host, request):
    if host.kind == "jupyter":
        app = request.getfixturevalue("jp_web_app")
        base = request.getfixturevalue("jp_base_url") + "packager/"
        app.add_handlers(".*$", mount(RAISING, prefix=base, make_class=jupyter_class))
    else:
        server = request.getfixturevalue("standalone_server")
        server.app.add_handlers(".*$", mount(RAISING, prefix="/", make_class=plain_class))
    return host


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_a_stable_code_and_an_error_status(kind):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert 400 <= kind.status <= 599
    body = failure_of(kind("M.", remedy="R."), status=500, request_id="id").body
    assert set(body) == {"code", "message", "remedy"}
    if kind.code != PackagerError.code:
        assert body == {"code": kind.code, "message": "M.", "remedy": "R."}


def test_no_two_unrelated_kinds_share_a_code():
    by_code: dict[str, type[PackagerError]] = {}
    for kind in KINDS:
        other = by_code.setdefault(kind.code, kind)
        assert issubclass(kind, other) or issubclass(other, kind)
        assert kind.status == other.status


async def test_the_api_answers_with_the_shape_and_the_status(raising):
    for kind in KINDS:
        if kind.code == PackagerError.code:
            continue
        response = await raising.fetch("GET", f"test-api/{kind.__name__}")
        assert response.code == kind.status
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Retry-After"] == "7"
        assert json.loads(response.body) == {
            "code": kind.code,
            "message": "It went wrong.",
            "remedy": "Do it better.",
            "details": "Why: so.",
        }
        assert ("WWW-Authenticate" in response.headers) == (kind.code == "not_authenticated")


@pytest.mark.parametrize("where", ["test-api", "test-page"])
async def test_a_defect_says_nothing_but_its_number(raising, where, caplog):
    with caplog.at_level(logging.INFO):
        response = await raising.fetch(
            "GET", f"{where}/defect?password=CANARY&X-Amz-Signature=CANARY"
        )
    assert response.code == 500
    body = json.loads(response.body)
    assert body["code"] == "internal_error"
    assert response.headers["X-Request-Id"] in body["remedy"]
    assert SECRET not in response.body.decode()
    assert "Traceback" not in response.body.decode()
    assert "RuntimeError" in caplog.text
    assert response.headers["X-Request-Id"] in caplog.text
    assert "CANARY" not in caplog.text


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("http404", 404, "not_found"),
        ("http418", 418, "bad_input"),
        ("http502", 502, "internal_error"),
    ],
)
async def test_what_tornado_raises_is_translated(raising, name, status, code):
    for where in ("test-api", "test-page"):
        response = await raising.fetch("GET", f"{where}/{name}")
        assert response.code == status
        body = json.loads(response.body)
        assert body["code"] == code
        assert body["message"]
        assert body["remedy"]
        assert SECRET not in str(response.body) + str(response.reason)


async def test_a_browser_gets_a_page_with_everything_escaped(raising, anonymous):
    response = await anonymous("GET", "test-page/hostile", headers={"Accept": "text/html,*/*"})
    assert response.code == 400
    assert response.headers["Content-Type"].startswith("text/html")
    text = response.body.decode()
    assert "&lt;svg onload=x&gt;" in text
    assert "&lt;b&gt;&amp;" in text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_the_api_never_answers_with_a_page(host):
    for path in ("api/v1/nothing<svg>", "api/v1/jobs/%3Csvg%20onload%3Dx%3E"):
        response = await host.fetch("GET", path, headers={"Accept": "text/html"})
        assert response.code == 404
        assert response.headers["Content-Type"] == "application/json"
        assert b"<svg" not in response.body

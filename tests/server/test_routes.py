"""The table is the truth: what it lists is answered, what it does not list is not there."""

from __future__ import annotations

import re
import warnings
from typing import get_args

import pytest
from jupyter_server.utils import JupyterServerAuthWarning
from tornado import web

from packager_jupyter.server.base import PackagerHandler
from packager_jupyter.server.jupyter import jupyter_class
from packager_jupyter.server.mount import plain_class
from packager_jupyter.server.routes import Route, Rule, routes
from packager_jupyter.server.rules import Action

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
RESOURCES = {"status", "jobs", "sources", "packages", "shares", "registry"}
# What stands for a parameter of a path; none of them names anything that exists.
SAMPLES = {
    "job": "0000",
    "source": "nosource",
    "package": "nopackage",
    "share": "n" * 32,
    "token": "nothing.nothing",
    "path": "no/file.txt",
    "ticket": "noticket",
    "name": "share.css",  # public files exist
    "rest": "v1/nothing",
}
UNIMPLEMENTED = web.RequestHandler.get  # Tornado's one method behind every verb
TABLE = [(route, verb) for route in routes() for verb in route.verbs]


def name_of(case) -> str:
    route, verb = case
    return f"{verb} {route.path}"


def implemented(route: Route) -> set[str]:
    return {verb for verb in VERBS if getattr(route.handler, verb.lower()) is not UNIMPLEMENTED}


def address(route: Route) -> str:
    return re.sub(r"\{([a-z_]+)\}", lambda match: SAMPLES.get(match[1], "none"), route.path)


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.path)
def test_every_verb_of_a_handler_is_listed_and_no_other(route):
    assert implemented(route) == set(route.verbs)


@pytest.mark.parametrize("case", TABLE, ids=name_of)
def test_every_verb_has_a_rule_with_a_known_resource(case):
    route, verb = case
    rule = route.verbs[verb]
    assert rule.principal in {"user", "share", "signed", "registry", "public"}
    assert rule.action in get_args(Action)
    prefix, _, resource = rule.resource.partition(":")
    assert prefix == "packager"
    assert resource in RESOURCES
    if verb in {"GET", "HEAD"}:
        assert rule.action != "write"
    if rule.principal == "user" and verb in {"POST", "PUT", "PATCH", "DELETE"}:
        assert rule.action != "read" or "{rest}" in route.path


def test_an_unlisted_verb_is_noticed():
    class Careless(PackagerHandler):
        def get(self):
            """Listed."""

        def delete(self):
            """Forgotten."""

    route = Route("careless", Careless, {"GET": Rule("public", "packager:status", "read")}, "")
    assert implemented(route) - set(route.verbs) == {"DELETE"}


def test_paths_are_unique_and_no_route_hides_another():
    seen: list[Route] = []
    for route in routes():
        hidden_by = [other.path for other in seen if re.fullmatch(other.pattern, address(route))]
        assert not hidden_by, f"{route.path} is hidden by {hidden_by}"
        seen.append(route)


EXPECTED = {
    "user": {401},
    "share": {404},  # an unknown share, whatever is asked of it
    "signed": {403},
    "registry": {401, 404},  # an unknown feed; the challenge is that of its clients
    "public": {200},
}


def faults_of(response, principal: str, *, is_jupyter: bool) -> list[str]:
    """Say what is wrong with an answer to a stranger."""
    headers = response.headers
    challenge = headers.get("WWW-Authenticate")
    is_user = principal == "user"
    checks = {
        f"answers {response.code}": response.code in EXPECTED[principal],
        "has no challenge": response.code != 401 or challenge,
        f"challenges with {challenge}": not is_user or challenge == 'Bearer realm="packager"',
        "may be stored": response.code == 200 or "no-store" in headers["Cache-Control"],
        "may be sniffed": headers.get("X-Content-Type-Options") == "nosniff",
        "tells where it was": headers.get("Referrer-Policy") == "no-referrer",
        "has no policy": headers.get("Content-Security-Policy"),
        "says what runs it": is_jupyter or "Server" not in headers,
        "sets a cookie": is_jupyter or "Set-Cookie" not in headers,
    }
    return [fault for fault, is_right in checks.items() if not is_right]


async def test_a_stranger_gets_what_the_rule_says(host, anonymous):
    wrong = []
    for route, verb in TABLE:
        body = b"" if verb in {"POST", "PUT", "PATCH"} else None
        response = await anonymous(verb, address(route), body)
        principal = route.verbs[verb].principal
        faults = faults_of(response, principal, is_jupyter=host.kind == "jupyter")
        wrong += [f"{verb} {route.path} {fault}" for fault in faults]
    assert not wrong, "\n".join(wrong)


async def test_an_unlisted_verb_is_not_allowed(host, anonymous):
    wrong = []
    for route in routes():
        allowed = {*route.verbs, "OPTIONS"}
        for verb in (*VERBS, "OPTIONS"):
            if verb in route.verbs:
                continue
            response = await anonymous(verb, address(route), b"" if verb != "GET" else None)
            told = set(response.headers.get("Allow", "").split(", "))
            if response.code != (204 if verb == "OPTIONS" else 405) or told != allowed:
                wrong.append(f"{verb} {route.path} answers {response.code}, Allow {told}")
    assert not wrong, "\n".join(wrong)


async def test_what_is_not_in_the_table_is_404(host, anonymous):
    known = await host.fetch("GET", "api/v1/nothing/here")
    assert known.code == 404
    elsewhere = await anonymous("GET", "nothing/here")
    # Inside Jupyter what is not ours is Jupyter's, which asks strangers to log in.
    assert elsewhere.code == (404 if host.kind == "standalone" else 302)


def test_jupyter_finds_every_verb_decorated(jp_serverapp):
    """With strict authentication jupyter_server warns about each open verb of an extension."""
    specs = [(f"/again/{route.pattern}", jupyter_class(route)) for route in routes()]
    with warnings.catch_warnings():
        warnings.simplefilter("error", JupyterServerAuthWarning)
        jp_serverapp.web_app.add_handlers(".*$", specs)


def test_jupyter_would_have_warned(jp_serverapp):
    specs = [(f"/again/{route.pattern}", plain_class(route)) for route in routes()]
    with pytest.warns(JupyterServerAuthWarning):
        jp_serverapp.web_app.add_handlers(".*$", specs)

"""Every scope against every route of a registry: what it names is let in, all else is refused.

The rows stand for the route table: a route that has none here fails. What is expected is worked out
here once more, from the text of a scope alone.
"""

from __future__ import annotations

import base64
import fnmatch
from dataclasses import dataclass

import httpx
import pytest

from packager_jupyter.server.routes import root_routes, routes
from registries.pypi.distributions import wheel
from registries.terraform.archives import provider_zips, zipped_module

EMPTY = "sha256:" + "0" * 64
PYPI, MODULE, PROVIDER = ("pypi", "main", "demo"), "acme/net/aws", "acme/lab"
SCOPES = (
    *(f"pypi/main{project}:{action}" for project in ("", "/demo", "/de*", "/other")
      for action in ("read", "publish", "delete")),
    *(f"terraform/main{project}:{action}" for project in ("", "/acme/*", "/other/*")
      for action in ("read", "publish", "delete")),
    *(f"{place}:{action}" for place in ("oci/lab/*", "oci/other/*", "oci/*", "pypi/other", "*/*")
      for action in ("read", "publish", "delete")),
    "oci/pypi/main/*:publish",
    "api",
    "api:write",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One verb of one route: an address, what it does to what, and a body that gets so far.

    `place` is (ecosystem, feed, project); None as the project is the feed as a whole, None as the
    place asks for a token of any kind.
    """

    path: str
    action: str
    place: tuple[str, str, str | None] | None
    body: dict | None = None


def form(files, **fields):
    parts = [(key, (None, text)) for key, text in fields.items()]
    return {"files": [*parts, *(("content", each) for each in files.items())]}


def pypi(path, project="demo", action="read", **more):
    return Row(f"pypi/main/{path}", action, ("pypi", "main", project), **more)


def terraform(path, project, action="read", **more):
    return Row(f"terraform/main/{path}", action, ("terraform", "main", project), **more)


def oci(path, action="read", **more):
    return Row(f"v2/lab/thing/{path}", action, ("oci", "", "lab/thing"), **more)


def manage(action):
    return {"json": {"action": action, "filename": "gone.whl"}}


NAME, DATA = wheel()
UPLOAD = form(
    {NAME: DATA},
    **{":action": "file_upload", "protocol_version": "1", "name": "demo", "version": "1.0"},
    filetype="bdist_wheel",
    pyversion="py3",
    metadata_version="2.1",
)
ZIPS = form(provider_zips())
NAMED_ZIPS = form(provider_zips(), namespace="acme", type="lab", version="1.0.0")
TAR = form({"module.zip": zipped_module("#\n")})
P, M = "terraform/{feed}/v1/providers/{ns}/{provider}", "terraform/{feed}/v1/modules/{ns}/{name}"
MIRROR = "terraform/{feed}/mirror/{host}/{ns}/{provider}"
READS = ("GET", "HEAD")
ROWS: dict[tuple[str, str], list[Row]] = {
    **{("pypi/{feed}/simple/{project}/", v): [pypi("simple/demo/")] for v in READS},
    **{("pypi/{feed}/simple/{project}", v): [pypi("simple/demo")] for v in READS},
    **{("pypi/{feed}/simple/", v): [pypi("simple/", None)] for v in READS},
    **{("pypi/{feed}/simple", v): [pypi("simple", None)] for v in READS},
    **{("pypi/{feed}/files/{project}/{filename}", v): [pypi(f"files/demo/{NAME}")] for v in READS},
    **{("pypi/{feed}/pypi/{project}/json", v): [pypi("pypi/demo/json")] for v in READS},
    **{
        ("pypi/{feed}/pypi/{project}/{version}/json", v): [pypi("pypi/demo/1.0/json")]
        for v in READS
    },
    **{
        ("pypi/{feed}/integrity/{project}/{version}/{filename}/provenance", v): [
            pypi(f"integrity/demo/1.0/{NAME}/provenance")
        ]
        for v in READS
    },
    **{
        (f"pypi/{{feed}}/{path}", "POST"): [pypi(path, action="publish", body=UPLOAD)]
        for path in ("legacy/", "legacy", "")
    },
    ("pypi/{feed}/manage/{project}", "POST"): [
        pypi("manage/demo", action="publish", body=manage("yank")),
        pypi("manage/demo", action="publish", body=manage("unyank")),
        pypi("manage/demo", action="delete", body=manage("delete")),
    ],
    (f"{P}/versions", "GET"): [terraform(f"v1/providers/{PROVIDER}/versions", PROVIDER)],
    (f"{P}/{{version}}/download/{{os}}/{{arch}}", "GET"): [
        terraform(f"v1/providers/{PROVIDER}/1.0.0/download/linux/amd64", PROVIDER)
    ],
    **{
        (f"{P}/{{version}}", v): [
            terraform(f"v1/providers/{PROVIDER}/1.0.0", PROVIDER, "publish", body=ZIPS)
        ]
        for v in ("POST", "PUT")
    },
    **{
        ("terraform/{feed}/upload", v): [terraform("upload", PROVIDER, "publish", body=NAMED_ZIPS)]
        for v in ("POST", "PUT")
    },
    **{
        ("terraform/upload", v): [
            Row("terraform/upload", "publish", ("terraform", "main", PROVIDER), NAMED_ZIPS)
        ]
        for v in ("POST", "PUT")
    },
    (f"{M}/{{system}}/versions", "GET"): [terraform(f"v1/modules/{MODULE}/versions", MODULE)],
    (f"{M}/{{system}}/{{version}}/download", "GET"): [
        terraform(f"v1/modules/{MODULE}/1.0.0/download", MODULE)
    ],
    **{
        (f"{M}/{{system}}/{{version}}", v): [terraform(f"v1/modules/{MODULE}/1.0.0", MODULE)]
        for v in READS
    },
    **{
        (f"{M}/{{system}}/{{version}}", v): [
            terraform(f"v1/modules/{MODULE}/1.0.0", MODULE, "publish", body=TAR)
        ]
        for v in ("POST", "PUT")
    },
    **{(f"{M}/{{system}}", v): [terraform(f"v1/modules/{MODULE}", MODULE)] for v in READS},
    (f"{MIRROR}/index.json", "GET"): [terraform(f"mirror/a.test/{PROVIDER}/index.json", PROVIDER)],
    (f"{MIRROR}/{{version}}.json", "GET"): [
        terraform(f"mirror/a.test/{PROVIDER}/1.0.0.json", PROVIDER)
    ],
    **{("v2/", v): [Row("v2/", "read", None)] for v in READS},
    **{("v2/_catalog", v): [Row("v2/_catalog", "read", None)] for v in READS},
    **{("v2/{repository}/manifests/{reference}", v): [oci("manifests/v1")] for v in READS},
    ("v2/{repository}/manifests/{reference}", "PUT"): [
        oci("manifests/v1", "publish", body={"content": b"{}"})
    ],
    ("v2/{repository}/manifests/{reference}", "DELETE"): [oci("manifests/v1", "delete")],
    ("v2/{repository}/blobs/uploads/", "POST"): [
        oci(f"blobs/uploads/?digest={EMPTY}", "publish", body={"content": b""})
    ],
    **{
        ("v2/{repository}/blobs/uploads/{upload}", v): [oci("blobs/uploads/none", "publish")]
        for v in ("GET", "PATCH", "PUT", "DELETE")
    },
    **{("v2/{repository}/blobs/{digest}", v): [oci(f"blobs/{EMPTY}")] for v in READS},
    ("v2/{repository}/blobs/{digest}", "DELETE"): [oci(f"blobs/{EMPTY}", "delete")],
    **{("v2/{repository}/tags/list", v): [oci("tags/list")] for v in READS},
    **{("v2/{repository}/referrers/{digest}", v): [oci(f"referrers/{EMPTY}")] for v in READS},
}
CASES = [(verb, row) for (_, verb), rows in ROWS.items() for row in rows]


def test_every_route_of_a_registry_has_a_row():
    table = {
        (route.path, verb)
        for route in (*root_routes(), *routes())
        for verb, rule in route.verbs.items()
        if rule.principal == "registry"
    }
    assert set(ROWS) == table


def is_let_in(scope: str, row: Row) -> bool:
    """Whether a scope allows a row: from its text, by the rules of the documentation."""
    if row.place is None:
        return True
    left, _, action = scope.rpartition(":")
    ecosystem, _, rest = left.partition("/")
    if action != row.action and (action, row.action) != ("publish", "read"):
        return False
    if "oci" in (ecosystem, row.place[0]):
        return ecosystem == row.place[0] and fnmatch.fnmatchcase(row.place[2], rest)
    feed, _, project = rest.partition("/")
    if ecosystem not in (row.place[0], "*") or feed not in (row.place[1], "*"):
        return False
    return row.place[2] is None or not project or fnmatch.fnmatchcase(row.place[2], project)


@pytest.fixture
def packager_config():
    return {"feeds": {"pypi/main": {}, "pypi/other": {}, "terraform/main": {}}}


@pytest.fixture
def ask(standalone_host):
    client = httpx.AsyncClient(base_url=standalone_host.root, timeout=60)

    async def send(verb, row, headers):
        answer = await client.request(verb, row.path, headers=headers, **(row.body or {}))
        return answer.status_code

    return send


@pytest.fixture
def token(standalone_host):
    def make(*scopes):
        return standalone_host.services.tokens.create("alice", scopes=scopes).secret

    return make


async def test_a_scope_opens_what_it_names_and_nothing_else(ask, token):
    wrong = []
    for scope in SCOPES:
        headers = {"Authorization": f"Bearer {token(scope)}"}
        for verb, row in CASES:
            status = await ask(verb, row, headers)
            is_right = status not in {401, 403, 500} if is_let_in(scope, row) else status == 403
            if not is_right:
                wrong.append(f"{scope}: {verb} {row.path} ({row.action}) answers {status}")
    assert not wrong, "\n".join(wrong)


async def test_nobody_and_a_dead_token_are_strangers(ask, standalone_host, token):
    tokens = standalone_host.services.tokens
    everything = ("*/*:publish", "*/*:delete", "oci/*:publish", "oci/*:delete")
    ended = tokens.create("alice", scopes=everything)
    tokens.revoke(ended.info.id, owner="alice")
    altered = token(*everything)
    altered = altered[:-1] + ("A" if altered[-1] != "A" else "B")
    bearers = [{"Authorization": f"Bearer {text}"} for text in (ended.secret, altered, "x")]
    wrong = [
        f"{verb} {row.path} answers {status}"
        for headers in ({}, *bearers)
        for verb, row in CASES
        if (status := await ask(verb, row, headers)) != 401
    ]
    assert not wrong, "\n".join(wrong)


def carriers(text):
    """Return a token in every way in which some client carries it."""
    logins = [f"__token__:{text}", f"alice:{text}", f"{text}:"]
    basics = [base64.b64encode(login.encode()).decode() for login in logins]
    return [
        *({"Authorization": f"Basic {basic}"} for basic in basics),
        *({"Authorization": f"{scheme} {text}"} for scheme in ("Bearer", "bearer", "token")),
        {"Authorization": text},
        {"X-NuGet-ApiKey": text},
    ]


async def test_a_token_may_be_carried_in_every_way_of_a_client(ask, token):
    everything = ("*/*:publish", "*/*:delete", "oci/*:publish", "oci/*:delete")
    wrong = [
        f"{headers}: {verb} {row.path} answers {status}"
        for headers in carriers(token(*everything))
        for verb, row in CASES
        if (status := await ask(verb, row, headers)) in {401, 403, 500}
    ]
    assert not wrong, "\n".join(wrong)


async def test_a_token_in_an_address_or_a_cookie_is_none(ask, token):
    secret = token("*/*:publish", "oci/*:publish")
    row = Row(f"pypi/main/simple/?token={secret}", "read", ("pypi", "main", None))
    assert await ask("GET", row, {}) == 401
    assert await ask("GET", pypi("simple/", None), {"Cookie": f"token={secret}"}) == 401

"""Deleting versions over REST: gone for the API and for whoever has a link."""

from __future__ import annotations

import json


async def test_a_deleted_version_is_gone_for_its_shares(host):
    await host.api("POST", "packages", {"name": "lab/gone"}, status=201)
    links = {}
    for version in ("1", "2"):
        await host.fetch(
            "PUT", "api/v1/packages/lab%2Fgone/attachments?path=README.md", f"# {version}".encode()
        )
        await host.api("POST", "packages/lab%2Fgone/versions", {}, status=201)
        made = await host.api(
            "POST", "shares", {"package": "lab/gone", "version": version}, status=201
        )
        links[version] = made["url"].partition("/s/")[2]
    made = await host.api(
        "POST", "shares", {"package": "lab/gone", "version": "latest"}, status=201
    )
    latest = made["url"].partition("/s/")[2]
    made = await host.api(
        "POST",
        "shares",
        {"package": "lab/gone", "version": "2", "paths": ["README.md"]},
        status=201,
    )
    part = made["url"].partition("/s/")[2]

    async def visit(link):
        return await host.fetch("GET", f"s/{link}manifest.jsonl", is_anonymous=True)

    assert (await visit(links["2"])).code == 200
    assert (await visit(latest)).code == 200
    assert (await visit(part)).code == 200

    gone = await host.fetch("DELETE", "api/v1/packages/lab%2Fgone/versions/2")
    assert gone.code == 204
    for link in (links["2"], part):
        answer = await visit(link)
        assert answer.code in {404, 410}
        assert b"lab/gone" not in answer.body
        assert b"sha256" not in answer.body
    assert (await visit(links["1"])).code == 200
    assert (await visit(latest)).code == 200
    listed = await host.api("GET", "packages/lab%2Fgone/versions")
    assert [item["version"] for item in listed["items"]] == ["1"]

    answer = await host.fetch("POST", "api/v1/packages/lab%2Fgone/versions", {"version": "2"})
    assert answer.code == 409
    assert "was deleted" in json.loads(answer.body)["message"]
    published = await host.api("POST", "packages/lab%2Fgone/versions", {}, status=201)
    assert published["version"] == "3"


async def test_what_is_no_version_cannot_be_deleted(host):
    await host.api("POST", "packages", {"name": "some"}, status=201)
    for version, status in (("7", 404), ("latest", 400), ("a%20b", 400)):
        answer = await host.fetch("DELETE", f"api/v1/packages/some/versions/{version}")
        assert answer.code == status, answer.body


async def test_the_audit_says_how_a_publishing_job_ended(host):
    await host.api("POST", "packages", {"name": "p"}, status=201)
    readme = "api/v1/packages/p/attachments?path=README.md"
    await host.fetch("PUT", readme, b"# one")
    wanted = {"version": "1", "async": True}
    assert (await host.job("POST", "packages/p/versions", wanted))["state"] == "done"
    await host.fetch("PUT", readme, b"# other")
    failed = await host.job("POST", "packages/p/versions", wanted)
    assert failed["state"] == "failed"

    def rows(subject):
        found = [row for _, row in reversed(host.services.audit.rows(object=subject))]
        assert all(row.principal and row.ip == "127.0.0.1" and row.request_id for row in found)
        return [(row.action, row.result) for row in found if row.action == "package.publish"]

    assert rows("p@1") == [("package.publish", "ok")]
    assert rows("p") == [
        ("package.publish", "started"),
        ("package.publish", "started"),
        ("package.publish", f"failed {failed['error']['code']}"),
    ]

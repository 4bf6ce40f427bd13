"""The routes below ``hf/``: what they refuse, and what they never tell."""

from __future__ import annotations

import json

import pytest

from server.share.ocean import FILES, PASSWORD, encoded, secrets_of

API = "hf/api/datasets/ocean-2024"


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("hf/api/datasets/else", "RepoNotFound"),
        ("hf/api/spaces/ocean-2024", "RepoNotFound"),
        ("hf/api/datasets/x/ocean-2024/revision/main", "RepoNotFound"),
        ("hf/api/datasets/share/else", "RepoNotFound"),
        (f"{API}/revision/v9", "RevisionNotFound"),
        (f"{API}/tree/refs%2Fpr%2F1", "RevisionNotFound"),
        (f"{API}/tree/main/nothing", "EntryNotFound"),
        ("hf/datasets/ocean-2024/resolve/main/nothing", "EntryNotFound"),
        ("hf/datasets/ocean-2024/resolve/main/obs", "EntryNotFound"),
        ("hf/datasets/ocean-2024/resolve/main/", "EntryNotFound"),
        ("hf/datasets/ocean-2024/resolve/main/..%2f..%2fetc/passwd", "EntryNotFound"),
        ("hf/else/resolve/main/top.bin", "RepoNotFound"),
    ],
)
async def test_what_is_missing_has_the_code_that_clients_look_for(ocean, path, missing):
    segment = ocean.share().segment
    for method in ("GET", "HEAD"):
        answer = await ocean.get(segment, path, method=method)
        assert (answer.code, answer.headers["X-Error-Code"]) == (404, missing)


async def test_every_answer_about_a_file_carries_commit_tag_and_size(ocean):
    segment = ocean.share().segment
    commit = json.loads((await ocean.get(segment, API)).body)["sha"]
    for kind in ("datasets/", ""):
        for path, data in FILES.items():
            address = f"hf/{kind}ocean-2024/resolve/{commit}/{encoded(path)}"
            head = await ocean.get(segment, address, method="HEAD")
            answer = await ocean.get(segment, address)
            assert (head.code, answer.code) == (200, 307), path
            for one in (head, answer):
                assert one.headers["X-Repo-Commit"] == commit
                assert one.headers["X-Linked-Size"] == str(len(data))
            assert head.headers["X-Linked-Etag"] == answer.headers["X-Linked-Etag"]
            assert (await ocean.follow(answer)).body == data


async def test_a_package_without_a_group_is_in_one_for_clients_that_want_it(ocean):
    segment = ocean.share().segment
    for below in ("", "/revision/main", "/tree/main/obs"):
        found = [
            (await ocean.get(segment, f"hf/api/datasets/{name}ocean-2024{below}"))
            for name in ("", "share/")
        ]
        assert [answer.code for answer in found] == [200, 200]
        assert found[0].body == found[1].body
    answer = await ocean.get(segment, "hf/datasets/share/ocean-2024/resolve/main/top.bin")
    assert (await ocean.follow(answer)).body == FILES["top.bin"]


async def paths_info(ocean, segment, body, media_type):
    return await ocean.get(
        segment, f"{API}/paths-info/main", method="POST", body=body, Content_Type=media_type
    )


async def test_facts_of_some_paths(ocean):
    segment = ocean.share().segment
    form = b"paths=top.bin&paths=obs&paths=nothing&paths=README.md&paths=..&expand=False"
    as_json = json.dumps({"paths": ["top.bin", "obs", "nothing", "README.md", ".."]}).encode()
    for body, media_type in (
        (form, "application/x-www-form-urlencoded"),
        (as_json, "application/json"),
    ):
        answer = await paths_info(ocean, segment, body, media_type)
        found = {one["path"]: one["type"] for one in json.loads(answer.body)}
        assert found == {"top.bin": "file", "obs": "directory", "README.md": "file"}


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"paths": 1}', b'{"paths": [1]}', b"nonsense",
     json.dumps({"paths": ["x"] * 1001}).encode()],
)  # fmt: skip
async def test_a_bad_list_of_paths_is_an_error(ocean, body):
    answer = await paths_info(ocean, ocean.share().segment, body, "application/json")
    assert (answer.code, json.loads(answer.body)["code"]) == (400, "bad_input")


async def test_nothing_is_told_before_the_gate(ocean):
    segment = ocean.share(password=PASSWORD).segment
    addresses = [
        API,
        f"{API}/revision/main",
        f"{API}/tree/main?recursive=1",
        "hf/datasets/ocean-2024/resolve/main/top.bin",
        "hf/ocean-2024/resolve/main/top.bin",
    ]
    for address in addresses:
        answer = await ocean.get(segment, address)
        assert answer.code == 401, address
        text = answer.body.decode() + str(dict(answer.headers))
        assert not [secret for secret in secrets_of() if secret in text]
    answer = await paths_info(ocean, segment, b"paths=top.bin", "application/x-www-form-urlencoded")
    assert answer.code == 401


async def test_a_share_of_a_part_is_a_repository_of_that_part(ocean):
    segment = ocean.share(paths=["obs/day 1"]).segment
    entries = json.loads((await ocean.get(segment, f"{API}/tree/main?recursive=1")).body)
    files = {one["path"] for one in entries if one["type"] == "file"}
    assert files == {path for path in FILES if path.startswith("obs/day 1/")}
    gone = await ocean.get(segment, "hf/datasets/ocean-2024/resolve/main/top.bin", method="HEAD")
    assert gone.code == 404

"""The remote of DVC and the batch endpoint of Git LFS over HTTP: bad input, and nothing foreign."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest

from server.share.ocean import FILES, PASSWORD, fill

BATCH = "lfs.git/info/lfs/objects/batch"
LFS = {"Content_Type": "application/vnd.git-lfs+json", "Accept": "application/vnd.git-lfs+json"}


@pytest.fixture
def hashed(alone):
    """Publish the package once more, with checksums."""
    packages = alone.host.services.packages
    draft = packages.draft("ocean-2024")
    draft.set_checksums(
        [
            (one, {name: hashlib.new(name, FILES[one.path]).hexdigest() for name in NAMES})
            for one in draft.iter_pointers()
        ]
    )
    draft.publish("3", now_s=2_000_000_000)
    return alone


NAMES = ("md5", "sha256")


def oid(path, algorithm="sha256"):
    return hashlib.new(algorithm, FILES[path]).hexdigest()


async def batch(published, segment, body, **headers):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await published.get(segment, BATCH, method="POST", body=sent, **{**LFS, **headers})


def wanted(*oids):
    return {"operation": "download", "objects": [{"oid": one, "size": 1} for one in oids]}


async def test_lfs_gets_an_address_or_a_reason_for_each_object(hashed):
    created = hashed.share(max_downloads=9)
    answer = await batch(hashed, created.segment, wanted(oid("top.bin"), "0" * 64))
    assert answer.headers["Content-Type"] == "application/vnd.git-lfs+json"
    one, none = json.loads(answer.body)["objects"]
    assert one["authenticated"] is True
    href = one["actions"]["download"]["href"].removeprefix(hashed.host.root)
    assert (await hashed.host.fetch("GET", href, is_anonymous=True)).body == FILES["top.bin"]
    assert (none["error"]["code"], "actions" in none) == (404, False)
    assert hashed.shares.get(created.share.id, "ann").uses == 1
    fill(hashed.folder, {"empty.dat": b"other"})
    changed = await batch(hashed, created.segment, wanted(oid("empty.dat")))
    assert json.loads(changed.body)["objects"][0]["error"]["code"] == 409


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        ({"operation": "upload", "objects": []}, 403),
        ({"operation": "verify", "objects": []}, 400),
        ({"operation": "download"}, 400),
        ({**wanted(), "transfers": ["ssh"]}, 400),
        ({**wanted(), "hash_algo": "sha512"}, 400),
        (wanted("../../etc/passwd"), 400),
        (wanted("0" * 63), 400),
        ({"operation": "download", "objects": [{"oid": "0" * 64, "size": True}]}, 400),
        ({"operation": "download", "objects": [7]}, 400),
        (wanted(*["0" * 64] * 1001), 413),
        (b" " * (1024 * 1024 + 1), 413),
    ],
)
async def test_what_lfs_may_not_ask(alone, body, code):
    answer = await batch(alone, alone.share().segment, body)
    assert answer.code == code
    assert json.loads(answer.body)["message"]


async def test_lfs_is_asked_for_the_password(hashed):
    segment = hashed.share(password=PASSWORD).segment
    answer = await batch(hashed, segment, wanted(oid("top.bin")))
    assert (answer.code, answer.headers["LFS-Authenticate"]) == (401, 'Basic realm="share"')
    assert b"top.bin" not in answer.body
    opened = await batch(hashed, segment, wanted(oid("top.bin")), X_Share_Token=PASSWORD)
    assert "actions" in json.loads(opened.body)["objects"][0]


async def test_no_more_downloads_than_allowed_in_one_request(hashed):
    segment = hashed.share(max_downloads=2).segment
    answer = await batch(hashed, segment, wanted(*[oid(path) for path in list(FILES)[:4]]))
    assert answer.code == 404


async def test_dvc_finds_files_and_lists_and_nothing_else(hashed):
    segment = hashed.share().segment
    md5 = oid("top.bin", "md5")
    answer = await hashed.get(segment, f"dvc/files/md5/{md5[:2]}/{md5[2:]}")
    assert (answer.code, (await hashed.follow(answer)).body) == (307, FILES["top.bin"])
    head = await hashed.get(segment, f"dvc/files/md5/{md5[:2]}/{md5[2:]}", method="HEAD")
    assert (head.code, head.headers["Content-Length"]) == (200, str(len(FILES["top.bin"])))
    entries = [{"md5": oid(path, "md5"), "relpath": path} for path in sorted(FILES)]
    text = json.dumps(entries, sort_keys=True).encode()
    name = hashlib.md5(text).hexdigest()
    listed = await hashed.get(segment, f"dvc/files/md5/{name[:2]}/{name[2:]}.dir")
    assert listed.body == text
    part = await hashed.get(segment, f"dvc/files/md5/{name[:2]}/{name[2:]}.dir", Range="bytes=0-9")
    assert (part.code, part.body) == (206, text[:10])
    for below in ("", "ab", f"ab/{'0' * 30}", f"ab/{'0' * 30}.dir", f"{md5[:2]}/{md5[2:]}.dir"):
        assert (await hashed.get(segment, f"dvc/files/md5/{below}")).code == 404, below
    for below in ("../../keys.sqlite", "..%2f..%2fkeys.sqlite", f"ab/{'0' * 26}/../x.dir"):
        assert (await hashed.get(segment, f"dvc/files/md5/{below}")).code == 404, below


async def test_a_part_of_the_package_has_no_other_keys(hashed):
    segment = hashed.share(paths=["obs"]).segment
    md5 = oid("top.bin", "md5")
    assert (await hashed.get(segment, f"dvc/files/md5/{md5[:2]}/{md5[2:]}")).code == 404
    answer = await batch(hashed, segment, wanted(oid("top.bin"), oid("obs/-rf")))
    outside, inside = json.loads(answer.body)["objects"]
    assert ("error" in outside, "actions" in inside) == (True, True)


async def test_a_visitors_address_stays_with_that_visitor(hashed, tmp_path):
    created = hashed.share(password=PASSWORD)
    url = f"{hashed.host.root}s/{created.capability_segment}/dvc.git"
    clone = await asyncio.create_subprocess_exec("git", "clone", "-q", url, "ocean", cwd=tmp_path)
    assert await asyncio.wait_for(clone.wait(), 60) == 0
    config = (tmp_path / "ocean" / ".dvc" / "config").read_text()
    assert created.capability in config
    data = hashed.host.services.settings.data_dir
    found = await asyncio.create_subprocess_exec("grep", "-rq", created.capability, data)
    assert await found.wait() == 1

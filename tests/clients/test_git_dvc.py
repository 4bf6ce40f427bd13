"""``dvc.git`` and its remote with DVC."""

from __future__ import annotations

import json

import pytest

from clients.gitshares import (
    PASSWORD,
    REFUSED,
    UNHASHED,
    dvc_environment,
    files_in,
    make_share,
    pulled_by_dvc,
    run,
)


@pytest.fixture(scope="module", params=["s3", "azure"])
def shared(request, registry):
    return make_share(registry, request.param, request)


@pytest.fixture(scope="module")
def plain(request, registry):
    """Return one package, for what does not depend on the storage."""
    return make_share(registry, "s3", request)


@pytest.fixture(scope="module")
def env(registry, require_tools):
    return dvc_environment(registry.environment(), require_tools("dvc"))


def pulled(folder):
    """Return the files of a clone that are no files of DVC's own."""
    found = files_in(folder)
    return {
        path: data
        for path, data in found.items()
        if not path.startswith(".dvc") and not path.endswith((".dvc", "LEFT-OUT.txt", ".gitignore"))
    }


def test_clone_and_pull(shared, env, tmp_path):
    run(["git", "clone", "-q", f"{shared.url()}dvc.git", "ocean"], cwd=tmp_path, env=env)
    ocean = tmp_path / "ocean"
    run(["dvc", "pull"], cwd=ocean, env=env)
    assert pulled(ocean) == pulled_by_dvc(shared)
    assert "up to date" in run(["dvc", "status", "data.dvc"], cwd=ocean, env=env)
    left_out = (ocean / "LEFT-OUT.txt").read_text()
    assert left_out.count("\t") == len(REFUSED)
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("way", ["capability", "header"])
def test_a_password(plain, env, tmp_path, way):
    url = plain.url(password=PASSWORD)
    settings = []
    if way == "header":
        url = f"{plain.registry.url}s/{plain.created.segment}/"
        settings = ["-c", f"http.extraHeader=X-Share-Token: {PASSWORD}"]
    run(["git", *settings, "clone", "-q", f"{url}dvc.git", "ocean"], cwd=tmp_path, env=env)
    ocean = tmp_path / "ocean"
    if way == "header":
        for remote in ("share", "files"):
            secret = ["dvc", "remote", "modify", "--local", remote, "password", PASSWORD]
            run(secret, cwd=ocean, env=env)
    run(["dvc", "pull", "-q"], cwd=ocean, env=env)
    assert pulled(ocean) == pulled_by_dvc(plain)


def test_get_import_and_the_api(plain, env, tmp_path):
    url = f"{plain.url()}dvc.git"
    run(["dvc", "get", url, "data/obs/day 1", "-o", "day"], cwd=tmp_path, env=env)
    assert files_in(tmp_path / "day")["a.csv"] == plain.files["obs/day 1/a.csv"]
    run(["dvc", "get", url, "unhashed/big/parts.bin"], cwd=tmp_path, env=env)
    assert (tmp_path / "parts.bin").read_bytes() == UNHASHED["big/parts.bin"]
    run(["git", "init", "-q", "mine"], cwd=tmp_path, env=env)
    mine = tmp_path / "mine"
    run(["dvc", "init", "-q"], cwd=mine, env=env)
    run(["dvc", "import", "-q", url, "data", "-o", "ocean"], cwd=mine, env=env)
    assert files_in(mine / "ocean")["top.bin"] == plain.files["top.bin"]
    script = (
        "import dvc.api, sys, json\n"
        "url = sys.argv[1]\n"
        "with dvc.api.open('data/obs/same.csv', repo=url) as f: text = f.read()\n"
        "fs = dvc.api.DVCFileSystem(url)\n"
        "with fs.open('data/top.bin') as f:\n"
        "    f.seek(1000); part = f.read(4).hex()\n"
        "print(json.dumps([text, part, sorted(fs.find('data/obs/日本'))]))\n"
    )
    said = run(["python", "-c", script, url], cwd=tmp_path, env=env)
    text, part, names = json.loads(said.splitlines()[-1])
    assert text.encode() == plain.files["obs/same.csv"]
    assert bytes.fromhex(part) == plain.files["top.bin"][1000:1004]
    assert names == ["data/obs/日本/データ.txt"]


def test_other_bytes_are_refused(plain, env, tmp_path):
    run(["git", "clone", "-q", f"{plain.url()}dvc.git", "ocean"], cwd=tmp_path, env=env)
    plain.storage.put("top.bin", bytes(len(plain.files["top.bin"])))
    try:
        run(["dvc", "pull", "-q"], cwd=tmp_path / "ocean", env=env, is_ok=False)
        assert not (tmp_path / "ocean" / "data" / "top.bin").exists()
    finally:
        plain.storage.put("top.bin", plain.files["top.bin"])

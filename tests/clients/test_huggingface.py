"""Shares read by huggingface_hub and datasets, with nothing but ``HF_ENDPOINT`` set."""

from __future__ import annotations

import json

import pytest

from clients.sharing import METADATA, make_shared, make_small, run, storage_for
from peers.pytools import tool_environment

FILES = {
    "data/train.csv": b"text,label\n" + b"".join(b"row %d,%d\n" % (n, n % 2) for n in range(20)),
    "data/test.csv": b"text,label\nlast,1\n",
    "img/a b%41#.bin": bytes(range(256)) * 400,
    "empty.dat": b"",
}
CARD = b"""---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train.csv
  - split: test
    path: data/test.csv
---
# A data set
"""
ACCESS = ["open", "capability"]


@pytest.fixture(scope="module", params=["rgw", "azurite"])
def hostile(request, registry):
    """Return a package of hostile names in each storage."""
    storage = storage_for(request.param, request)
    return make_shared(registry, storage, f"hf-{request.param}")


@pytest.fixture(scope="module")
def small(registry, tmp_path_factory):
    """Return a package in a folder, whose bytes come from the share's own host."""
    folder = tmp_path_factory.mktemp("small") / "files"
    text = {"README.md": CARD}
    return make_small(registry, folder, "team/small", FILES, attachments=text, **METADATA)


def python(require_tools, shared, script, folder, *arguments, kind="open", **more):
    bin_folder = require_tools("huggingface")
    env = tool_environment(bin_folder, home=folder / "home")
    env |= {"HF_ENDPOINT": shared.link(kind) + "hf", "HF_HOME": str(folder / "hf")}
    env |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    env |= {"HF_TOKEN": "hf_notours", **more}
    command = [bin_folder / "python", "-c", script, shared.name, *arguments]
    return run(command, folder, env=env, timeout_s=180)


SNAPSHOT = """
import json, sys
from pathlib import Path
from huggingface_hub import snapshot_download
folder = Path(snapshot_download(sys.argv[1], repo_type=sys.argv[2], ignore_patterns=sys.argv[3:]))
print(json.dumps({
    str(file.relative_to(folder)): file.read_bytes().hex()
    for file in folder.rglob("*") if file.is_file()
}))
"""


@pytest.mark.parametrize("kind", ACCESS)
@pytest.mark.parametrize("repo_type", ["dataset", "model"])
def test_snapshot_download(small, kind, repo_type, require_tools, tmp_path):
    done = python(require_tools, small, SNAPSHOT, tmp_path, repo_type, kind=kind)
    assert done.returncode == 0, done.stderr[-3000:]
    found = {path: bytes.fromhex(data) for path, data in json.loads(done.stdout).items()}
    assert found == small.expected


def test_snapshot_download_of_hostile_names(hostile, require_tools, tmp_path):
    # The client refuses what looks like a drive of Windows, by name.
    refused = python(require_tools, hostile, SNAPSHOT, tmp_path, "dataset", kind="capability")
    assert "Invalid filename 'a:b'" in refused.stderr
    arguments = ("dataset", "a:b")
    done = python(require_tools, hostile, SNAPSHOT, tmp_path, *arguments, kind="capability")
    assert done.returncode == 0, done.stderr[-3000:]
    found = {path: bytes.fromhex(data) for path, data in json.loads(done.stdout).items()}
    assert found == {path: data for path, data in hostile.expected.items() if path != "a:b"}


ONE_FILE = """
import sys
from huggingface_hub import hf_hub_download, HfApi, HfFileSystem
from huggingface_hub.errors import (
    EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError)
name, path = sys.argv[1:3]
first = hf_hub_download(name, path, repo_type="dataset")
assert first == hf_hub_download(name, path, repo_type="dataset", revision="main")
info = HfApi().dataset_info(name)
assert f"/snapshots/{info.sha}/" in first, first
assert info.sha == HfApi().dataset_info(name, revision=info.sha).sha
assert path in [one.rfilename for one in info.siblings]
try:
    hf_hub_download(name, "nothing.here", repo_type="dataset")
except EntryNotFoundError:
    print("no entry")
try:
    hf_hub_download(name, path, repo_type="dataset", revision="v9")
except RevisionNotFoundError:
    print("no revision")
try:
    hf_hub_download("else/where", path, repo_type="dataset")
except RepositoryNotFoundError:
    print("no repository")
files = HfFileSystem()
print(sorted(files.ls(f"datasets/{name}", detail=False)))
print(sorted(files.glob(f"datasets/{name}/data/*.csv")))
with files.open(f"datasets/{name}/{path}") as file:
    file.seek(5)
    print(file.read(5))
[there, gone] = ["data", "nope"]
print([one.path for one in HfApi().get_paths_info(name, [path, there, gone], repo_type="dataset")])
"""


def test_single_files_and_what_is_missing(small, require_tools, tmp_path):
    done = python(require_tools, small, ONE_FILE, tmp_path, "data/train.csv")
    assert done.returncode == 0, done.stderr[-3000:]
    root = "datasets/team/small"
    assert done.stdout.splitlines() == [
        "no entry",
        "no revision",
        "no repository",
        str(sorted(f"{root}/{one}" for one in ("README.md", "data", "empty.dat", "img"))),
        str([f"{root}/data/test.csv", f"{root}/data/train.csv"]),
        "b'label'",
        "['data/train.csv', 'data']",
    ]


LOAD = """
import sys
from datasets import load_dataset
found = load_dataset(sys.argv[1])
print({name: (split.num_rows, split.column_names) for name, split in found.items()})
stream = load_dataset(sys.argv[1], split="test", streaming=True)
print(list(stream))
"""


@pytest.mark.parametrize("kind", ACCESS)
def test_load_dataset(small, kind, require_tools, tmp_path):
    done = python(require_tools, small, LOAD, tmp_path, kind=kind)
    assert done.returncode == 0, done.stderr[-3000:]
    columns = ["text", "label"]
    assert done.stdout.splitlines() == [
        str({"train": (20, columns), "test": (1, columns)}),
        str([{"text": "last", "label": 1}]),
    ]


def test_a_new_version_is_a_new_commit(registry, require_tools, tmp_path):
    folder = tmp_path / "files"
    shared = make_small(registry, folder, "growing", {"a.txt": b"one"}, sha256=False)
    done = python(require_tools, shared, SNAPSHOT, tmp_path, "dataset")
    assert json.loads(done.stdout) == {"a.txt": b"one".hex()}, done.stderr[-3000:]
    (folder / "a.txt").write_bytes(b"three")
    draft = registry.services.packages.draft("growing")
    draft.add("growing", [""], rename=".")
    draft.publish(now_s=1_700_000_500)
    for _ in range(20):
        done = python(require_tools, shared, SNAPSHOT, tmp_path, "dataset")
        # The server remembers for two seconds which version is the latest: until then the file is
        # not the one that was published, and refused.
        if done.returncode == 0 and json.loads(done.stdout) != {"a.txt": b"one".hex()}:
            break
    assert json.loads(done.stdout) == {"a.txt": b"three".hex()}, done.stderr[-3000:]


def test_a_locked_share_is_no_repository(small, require_tools, tmp_path):
    done = python(require_tools, small, SNAPSHOT, tmp_path, "dataset", kind="password")
    assert done.returncode != 0
    assert "401" in done.stderr
    assert "train.csv" not in done.stdout + done.stderr

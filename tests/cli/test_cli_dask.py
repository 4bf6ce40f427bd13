"""Verifying and hashing on a real Dask cluster on this machine."""

import pytest

distributed = pytest.importorskip("distributed", reason="needs the extra dask")


@pytest.fixture(scope="module")
def dask_address():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, host="127.0.0.1",
        protocol="tcp", dashboard_address=None,
    ) as running:  # fmt: skip
        yield running.scheduler_address


def test_a_cluster_finds_what_one_machine_finds(cli, tmp_path, dask_address, monkeypatch):
    monkeypatch.setattr("packager_jupyter.scale.VERIFY_BATCH", 50)
    storage = tmp_path / "storage"
    for number in range(300):
        file = storage / f"d{number % 3}" / f"f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"%d" % number)
    cli.ok("source", "add", "lake", storage.as_uri())
    cli.ok("new", "p")
    cli.ok("add", "p", "lake:")
    done = cli.ok("hash", "p", "--dask", dask_address, "--json").json
    assert (done["files"], done["failed"]) == (300, [])
    assert cli.ok("hash", "p", "--json").json["skipped"] == 300
    cli.ok("publish", "p")
    report = cli.ok("verify", "p@1", "--deep", "--dask", dask_address, "--json").json
    assert (report["is_ok"], report["files"], report["unhashed"]) == (True, 300, 0)
    (storage / "d0/f0").unlink()
    (storage / "d1/f1").write_bytes(b"other")
    here = cli.run("verify", "p@1", "--json")
    there = cli.run("verify", "p@1", "--dask", dask_address, "--json")
    assert there.code == here.code == 1
    assert there.json == here.json
    assert here.json["problems"] == {"missing": 1, "changed": 1}


def test_no_cluster_there(cli, monkeypatch):
    monkeypatch.setattr("packager_jupyter.scale._TIMEOUT_S", 1)
    cli.ok("new", "p")
    done = cli.fails("verify", "p", "--dask", "tcp://127.0.0.1:9")
    assert "No Dask cluster answers" in done.err

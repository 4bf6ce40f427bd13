"""Feeds, tokens and the artifact store on the command line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import time

import pytest

from packager_jupyter.oci.feed_names import file_tag
from peers.process import free_ports, is_listening, spawn
from registries.pypi.distributions import sdist, wheel
from registries.terraform.archives import provider_zips


def tool(*command):
    """Run a program; return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextlib.contextmanager
def crane_registry(crane, folder):
    """Run crane's own registry; yield where it listens."""
    [port] = free_ports(1)
    command = [crane, "registry", "serve", "--address", f"127.0.0.1:{port}"]
    process = spawn(command, log=folder / "crane.log")
    try:
        deadline_s = time.monotonic() + 30
        while not is_listening(port):
            assert time.monotonic() < deadline_s, (folder / "crane.log").read_text()
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "dist"
    folder.mkdir()
    for name, data in (wheel("demo", "1.0"), wheel("other", "2.0"), sdist("demo", "1.0")):
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def filled(cli, wheels):
    cli.ok("feed", "create", "pypi/main")
    cli.ok("registry", "import", "pypi/main", str(wheels))
    cli.dist = wheels
    return cli


class TestFeeds:
    def test_they_come_and_go(self, cli):
        made = cli.ok("feed", "create", "pypi/main", "--anonymous-read", "--json").json
        assert made["is_anonymous_read"] is True
        cli.ok("feed", "create", "terraform/lab")
        assert cli.ok("feed", "ls", "--json").json["items"] == [
            made,
            made | {"ecosystem": "terraform", "name": "lab", "is_anonymous_read": False},
        ]
        assert "everybody" in cli.ok("feed", "ls").out
        cli.ok("feed", "rm", "pypi/main")
        assert len(cli.ok("feed", "ls", "--json").json["items"]) == 1

    def test_options(self, cli):
        options = ("--immutability", "append-only", "--max-file", "2GiB", "--max-feed", "1TB")
        made = cli.ok("feed", "create", "pypi/main", *options, "--json").json
        assert made["immutability"] == "append-only"
        assert (made["max_file_bytes"], made["max_feed_bytes"]) == (2 * 2**30, 10**12)
        assert made["max_project_bytes"] is None
        shown = cli.ok("feed", "ls").out
        assert "append-only" in shown
        assert "file 2.1 GB, feed 1.0 TB" in shown
        cli.fails("feed", "create", "pypi/other", "--max-file", "0", code=2)
        cli.fails("feed", "create", "pypi/other", "--immutability", "never", code=2)

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (("create", "npm/main"), "bad_input"),
            (("create", "pypi/Main"), "bad_input"),
            (("create", "pypi"), "bad_input"),
            (("rm", "pypi/nothing"), "feed_not_found"),
        ],
    )
    def test_bad_input(self, cli, arguments, code):
        assert cli.fails("feed", *arguments, "--json").error["code"] == code
        cli.fails("feed", *arguments)

    def test_a_feed_is_made_once(self, cli):
        cli.ok("feed", "create", "pypi/main")
        assert cli.fails("feed", "create", "pypi/main", "--json").error["code"] == "conflict"


class TestTokens:
    def test_they_are_shown_once(self, cli):
        secret = cli.ok(
            "token", "create", "--scope", "pypi/main:read", "--scope", "oci/lab/*:publish"
        ).out.strip()
        assert secret.startswith("pkgr_api_")
        listed = cli.ok("token", "ls", "--json")
        [info] = listed.json["items"]
        assert info["scopes"] == ["pypi/main:read", "oci/lab/*:publish"]
        assert info["state"] == "active"
        for said in (listed, cli.ok("token", "ls")):
            assert secret.rsplit("_", 1)[1] not in said.out + said.err
        cli.ok("token", "revoke", info["id"])
        assert cli.ok("token", "ls", "--json").json["items"] == []
        assert cli.ok("token", "ls", "--all", "--json").json["items"][0]["state"] == "revoked"

    def test_json(self, cli):
        made = cli.ok("token", "create", "--scope", "api:read", "--expires", "7d", "--json").json
        assert made["info"]["expires_s"] - made["info"]["created_s"] == 7 * 24 * 3600
        assert made["token"].startswith("pkgr_api_")

    @pytest.mark.parametrize(
        ("arguments", "exit_code"),
        [
            (("create",), 2),
            (("create", "--scope", "everything"), 1),
            (("create", "--scope", "oci/Lab:read"), 1),
            (("create", "--scope", "api", "--expires", "soon"), 2),
            (("create", "--scope", "api", "--expires", "400d"), 1),
            (("revoke", "000000000000"), 1),
        ],
    )
    def test_bad_input(self, cli, arguments, exit_code):
        cli.fails("token", *arguments, code=exit_code)


class TestImport:
    def test_wheels(self, cli, wheels):
        cli.ok("feed", "create", "pypi/main")
        done = cli.ok("registry", "import", "pypi/main", str(wheels), "--json").json
        assert len(done["published"]) == 3
        again = cli.ok("registry", "import", "pypi/main", str(wheels), "--json").json
        assert (again["published"], len(again["unchanged"])) == ([], 3)

    def test_what_cannot_be_taken_is_named_and_the_rest_goes_on(self, cli, wheels):
        cli.ok("feed", "create", "pypi/main")
        (wheels / "broken-1.0-py3-none-any.whl").write_bytes(b"no archive")
        done = cli.run("registry", "import", "pypi/main", str(wheels))
        assert done.code == 1
        assert "3 published" in done.out
        assert "not taken: broken-1.0-py3-none-any.whl" in done.err
        assert "Traceback" not in done.err

    def test_a_mirror_of_providers(self, cli, tmp_path):
        mirror = tmp_path / "mirror" / "registry.lab.test" / "lab" / "lab"
        mirror.mkdir(parents=True)
        for name, data in provider_zips("1.2.0").items():
            (mirror / name).write_bytes(data)
        (mirror / "index.json").write_text('{"versions":{"1.2.0":{}}}')
        cli.ok("feed", "create", "terraform/main")
        arguments = ("registry", "import", "terraform/main", str(tmp_path / "mirror"), "--json")
        assert cli.ok(*arguments).json["published"] == ["lab/lab 1.2.0"]
        assert cli.ok(*arguments).json["unchanged"] == ["lab/lab 1.2.0"]

    def test_bad_input(self, cli, wheels, tmp_path):
        (tmp_path / "empty").mkdir()
        cli.fails("registry", "import", "pypi/main", str(wheels))
        cli.ok("feed", "create", "pypi/main")
        cli.fails("registry", "import", "pypi/main", str(tmp_path / "empty"))
        cli.fails("registry", "import", "pypi/main", str(tmp_path / "nowhere"), code=2)


class TestManage:
    WHEEL = "demo-1.0-py3-none-any.whl"

    def test_yank_status_and_delete(self, filled):
        done = filled.ok(
            "registry", "yank", "pypi/main", self.WHEEL, "--reason", "broken", "--json"
        )
        assert done.json == {"filename": self.WHEEL, "yanked": "broken"}
        filled.ok("registry", "unyank", "pypi/main", self.WHEEL)
        filled.ok("registry", "status", "pypi/main", "Demo", "deprecated", "--reason", "old")
        filled.ok("registry", "delete", "pypi/main", self.WHEEL)
        assert filled.fails("registry", "yank", "pypi/main", self.WHEEL).code == 1
        done = filled.run("registry", "import", "pypi/main", str(filled.dist))
        assert "was deleted" in done.err

    @pytest.mark.parametrize(
        ("arguments", "exit_code"),
        [
            (("yank", "pypi/main", "other-9.0-py3-none-any.whl"), 1),
            (("yank", "pypi/main", "../etc/passwd"), 1),
            (("status", "pypi/main", "demo", "gone"), 2),
            (("status", "pypi/main", "nobody", "archived"), 1),
            (("delete", "terraform/main", WHEEL), 1),
        ],
    )
    def test_bad_input(self, filled, arguments, exit_code):
        filled.ok("feed", "create", "terraform/main")
        filled.fails("registry", *arguments, code=exit_code)


class TestStore:
    @pytest.fixture
    def exported(self, filled, tmp_path):
        """Export the feed; return its folder, a distribution file and its tag."""
        out = tmp_path / "out"
        done = filled.ok("registry", "export", "pypi/main", str(out), "--json").json
        assert done["repositories"] == ["pypi/main/demo", "pypi/main/other", "meta/pypi/main"]
        [file] = [path for path in filled.dist.iterdir() if path.name.startswith("demo-1.0-")]
        return out, file, file_tag(file.name)

    def test_an_export_is_ordinary_layouts(self, exported, filled, tmp_path, require):
        skopeo = require("skopeo", package="skopeo")
        out, file, tag = exported
        source = f"oci:{out}/pypi/main/demo:{tag}"
        copy = tmp_path / "copy"
        subprocess.run([skopeo, "copy", source, f"dir:{copy}"], capture_output=True, check=True)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert (copy / digest).read_bytes() == file.read_bytes()
        again = filled.ok("registry", "export", "pypi/main", str(out), "--json").json
        assert again["bytes_copied"] == 0

    def test_oras_reads_an_export(self, exported, tmp_path, require_debian):
        out, file, tag = exported
        layout = f"{out}/pypi/main/demo"
        assert tag in tool(require_debian("oras"), "repo", "tags", "--oci-layout", layout).split()
        pulled = tmp_path / "pulled"
        tool(require_debian("oras"), "pull", "--oci-layout", f"{layout}:{tag}", "-o", str(pulled))
        assert [path.name for path in pulled.iterdir()] == [file.name]
        assert (pulled / file.name).read_bytes() == file.read_bytes()

    def test_crane_reads_an_export(self, exported, tmp_path, require_debian):
        out, file, tag = exported
        crane = require_debian("crane")
        layout = out / "pypi" / "main" / "demo"
        with crane_registry(crane, tmp_path) as host:
            tool(crane, "push", "--index", str(layout), f"{host}/demo:all")
            index = json.loads(tool(crane, "manifest", f"{host}/demo:all"))
            assert (
                index["manifests"] == json.loads((layout / "index.json").read_text())["manifests"]
            )
            [digest] = [
                each["digest"]
                for each in index["manifests"]
                if each["annotations"]["org.opencontainers.image.ref.name"] == tag
            ]
            layer = json.loads(tool(crane, "manifest", f"{host}/demo@{digest}"))["layers"][0]
            command = [crane, "blob", f"{host}/demo@{layer['digest']}"]
            blob = subprocess.run(command, capture_output=True, check=True).stdout
        assert blob == file.read_bytes()

    def test_reindex(self, filled):
        assert filled.ok("registry", "reindex", "pypi/main", "--json").json["projects"] == 2

    def test_gc_and_fsck_of_a_sound_store(self, filled):
        assert filled.ok("registry", "gc", "--dry-run", "--json").json["failures"] == []
        assert "gone" in filled.ok("registry", "gc").out
        report = filled.ok("registry", "fsck", "--json").json
        assert report["is_ok"]
        assert report["problems"] == []

    def test_fsck_names_what_is_damaged(self, filled):
        folder = filled.data_dir / "oci" / "pypi" / "main" / "demo" / "blobs" / "sha256"
        blob = max(folder.iterdir(), key=lambda path: path.stat().st_size)
        blob.write_bytes(b"x" * blob.stat().st_size)
        done = filled.run("registry", "fsck")
        assert done.code == 1
        assert "pypi/main/demo" in done.err
        assert filled.run("registry", "fsck", "--json").error["code"] == "store_corrupt"
        assert filled.run("registry", "fsck", "--quick").code == 0

    def test_a_registry_looks_after_itself(self, cli, tmp_path):
        config = tmp_path / "jupyter-config"
        config.mkdir(exist_ok=True)
        text = 'c.Settings.oci_store = "https://registry.lab.test/lab"\n'
        (config / "jupyter_packager_config.py").write_text(text)
        for command in ("gc", "fsck"):
            assert "in a registry" in cli.fails("registry", command).err

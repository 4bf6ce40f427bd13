"""skopeo, oras, crane and cosign against ``/v2/`` of a real server: login, push, pull, sign."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import zipfile
from itertools import count

import httpx
import pytest

from packager_jupyter.packages.pointer import Pointer
from registries.terraform.archives import provider_zips, zipped_module

NOTEBOOK = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
INDEX = "application/vnd.oci.image.index.v1+json"
NUMBERS = count()


class Tools:
    """OCI clients with a home of their own."""

    def __init__(self, registry, folder, find):
        self.registry, self.folder, self.find = registry, folder, find
        self.host = registry.url.removeprefix("http://").strip("/")
        self.auth = folder / "auth.json"

    def run(self, command, *arguments, stdin=None, check=True, **env):
        path = self.find(command)
        environment = self.registry.environment(
            REGISTRY_AUTH_FILE=str(self.auth), DOCKER_CONFIG=str(self.folder), **env
        )
        done = subprocess.run(
            [path, *arguments],
            input=stdin,
            check=False,
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def skopeo(self, verb, *arguments, **more):
        tls = {"copy": ("--src-tls-verify=false", "--dest-tls-verify=false")}
        return self.run("skopeo", verb, *tls.get(verb, ("--tls-verify=false",)), *arguments, **more)


@pytest.fixture
def tools(registry, tmp_path, require, require_debian):
    def find(command):
        if command == "skopeo":
            return require(command, package=command)
        return require_debian(command)

    return Tools(registry, tmp_path, find)


@pytest.fixture
def place(registry):
    """A repository that no other test uses."""
    return f"lab/thing-{next(NUMBERS)}"


@pytest.fixture
def climate(registry, tmp_path):
    """A published data package with two pointers, a README and a notebook."""
    data = tmp_path / "lake"
    (data / "raw").mkdir(parents=True)
    for name in ("a.csv", "b.csv"):
        (data / "raw" / name).write_text(name)
    services = registry.services
    name = f"climate-{next(NUMBERS)}"
    services.sources.add(name, data.as_uri())
    draft = services.packages.create(name, title="Climate")
    draft.add(name, [""])
    draft.attach(b"# Climate\n", "README.md")
    draft.attach(NOTEBOOK, "notebooks/first.ipynb")
    return draft.name, draft.publish(now_s=1_700_000_000)


def pointers(file):
    """Return the pointers of the list that was pulled."""
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    return [Pointer.from_line(line) for line in lines]


class TestSkopeo:
    def test_login(self, tools):
        token = tools.registry.token("oci/lab/*:publish")
        login = ("-u", "anybody", "--password-stdin", tools.host)
        tools.skopeo("login", *login, stdin=token)
        wrong = tools.skopeo("login", *login, stdin=token[:-1] + "x", check=False)
        assert wrong.returncode != 0
        assert "invalid username/password" in wrong.stderr

    def test_in_and_out_without_a_changed_byte(self, tools, climate, place):
        name, published = climate
        token = tools.registry.token("oci/lab/*:publish", "oci/packages/*:read")
        tools.skopeo("login", "-u", "x", "--password-stdin", tools.host, stdin=token)
        source = f"docker://{tools.host}/packages/{name}:1"
        layout = f"oci:{tools.folder}/out:1"
        target = f"docker://{tools.host}/{place}:v1"
        tools.skopeo("copy", "--preserve-digests", source, layout)
        tools.skopeo("copy", "--preserve-digests", layout, target)
        raw = json.loads(tools.skopeo("inspect", "--raw", target).stdout)
        assert raw["artifactType"].startswith("application/vnd.packager-jupyter")
        assert tools.registry.services.oci.resolve(place, "v1").digest == published.digest
        listed = json.loads(tools.skopeo("list-tags", target.rsplit(":", 1)[0]).stdout)
        assert listed["Tags"] == ["v1"]
        tools.registry.services.oci.delete_tag(place, "v1")

    def test_it_does_not_wait_for_tls(self, tools, climate):
        name, _ = climate
        token = tools.registry.token("oci/packages/*:read")
        tools.skopeo("login", "-u", "x", "--password-stdin", tools.host, stdin=token)
        source = f"docker://{tools.host}/packages/{name}:1"
        # By itself it gives TLS up after ten seconds.
        limit = ("--command-timeout", "9s")
        tools.run("skopeo", *limit, "inspect", "--tls-verify=false", "--raw", source)

    def test_a_stranger_gets_nothing(self, tools, climate):
        name, _ = climate
        source = f"docker://{tools.host}/packages/{name}:1"
        done = tools.skopeo("inspect", "--raw", source, check=False)
        assert done.returncode != 0
        assert "authentication required" in done.stderr or "unauthorized" in done.stderr.lower()


class TestOras:
    @pytest.fixture
    def oras(self, tools):
        token = tools.registry.token("oci/lab/*:publish", "oci/lab/*:delete", "oci/packages/*:read")
        login = ("login", "--plain-http", "-u", "x", "--password-stdin", tools.host)
        tools.run("oras", *login, stdin=token)

        def run(*arguments, **more):
            return tools.run("oras", *arguments, "--plain-http", **more)

        return run

    def test_a_data_package_yields_its_files(self, tools, oras, climate):
        name, _ = climate
        out = tools.folder / "pulled"
        oras("pull", f"{tools.host}/packages/{name}:latest", "-o", str(out))
        files = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
        listed = ".packager/pointers.jsonl.gz"
        assert files == {"README.md", "notebooks/first.ipynb", listed}
        assert (out / "README.md").read_bytes() == b"# Climate\n"
        assert (out / "notebooks/first.ipynb").read_bytes() == NOTEBOOK
        assert [(one.path, one.size_bytes) for one in pointers(out / listed)] == [
            ("raw/a.csv", 5),
            ("raw/b.csv", 5),
        ]

    def test_push_attach_discover_delete(self, tools, oras, place):
        ref = f"{tools.host}/{place}:v1"
        (tools.folder / "big.bin").write_bytes(os.urandom(9 * 1024 * 1024))
        (tools.folder / "note.txt").write_text("a note")
        oras("push", ref, "--artifact-type", "application/vnd.example.thing", "big.bin")
        oras("attach", ref, "--artifact-type", "text/note", "note.txt")
        found = json.loads(oras("discover", ref, "--format", "json").stdout)
        assert "text/note" in json.dumps(found)
        out = tools.folder / "again"
        oras("pull", ref, "-o", str(out))
        assert (out / "big.bin").read_bytes() == (tools.folder / "big.bin").read_bytes()
        assert oras("repo", "tags", f"{tools.host}/{place}").stdout.split() == ["v1"]
        oras("manifest", "delete", "--force", ref)
        assert oras("manifest", "fetch", ref, check=False).returncode != 0


class TestOpenTofu:
    """What OpenTofu's documentation has one push by hand, and what it then asks a registry for.

    OpenTofu reads registries through the library that oras is made of.
    """

    @pytest.fixture
    def feed(self, registry):
        name = f"tofu-{next(NUMBERS)}"
        registry.services.feeds.create(f"terraform/{name}")
        return name

    @pytest.fixture
    def token(self, registry, feed):
        return registry.token(f"terraform/{feed}:publish", f"oci/tf-provider/{feed}/*:publish")

    @pytest.fixture
    def oras(self, tools, token):
        login = ("login", "--plain-http", "-u", "x", "--password-stdin", tools.host)
        tools.run("oras", *login, stdin=token)
        return lambda *arguments: tools.run("oras", *arguments, "--plain-http").stdout

    def test_a_provider_pushed_in_its_layout_is_in_the_feed(self, tools, oras, feed, token):
        place = f"{tools.host}/tf-provider/{feed}/acme/lab"
        rows = []
        for name, data in provider_zips().items():
            (tools.folder / name).write_bytes(data)
            kind = ("--artifact-type", "application/vnd.opentofu.provider-target")
            pushed = oras("push", place, *kind, "--format", "json", f"{name}:archive/zip")
            _, _, system, machine = name.removesuffix(".zip").split("_")
            about = {key: json.loads(pushed)[key] for key in ("mediaType", "digest", "size")}
            platform = {"os": system, "architecture": machine}
            rows.append({**about, "artifactType": kind[1], "platform": platform})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}
        index["artifactType"] = "application/vnd.opentofu.provider"
        (tools.folder / "index.json").write_text(json.dumps(index))

        oras("manifest", "push", f"{place}:1.0.0", "index.json")

        address = f"{tools.registry.url}terraform/{feed}/v1/providers/acme/lab"
        client = httpx.Client(headers={"Authorization": f"Bearer {token}"})
        [version] = client.get(f"{address}/versions").json()["versions"]
        assert version["version"] == "1.0.0"
        found = client.get(f"{address}/1.0.0/download/linux/amd64").json()
        zips = provider_zips()
        assert found["shasum"] == hashlib.sha256(zips[found["filename"]]).hexdigest()
        archive = httpx.get(httpx.URL(address).join(found["download_url"]), follow_redirects=True)
        assert archive.content == zips[found["filename"]]

    def test_a_provider_of_the_feed_is_found_by_its_platform(self, tools, oras, feed, token):
        zips = provider_zips("1.1.0+lab")
        httpx.post(
            f"{tools.registry.url}terraform/{feed}/v1/providers/acme/lab/1.1.0+lab",
            headers={"Authorization": f"Bearer {token}"},
            files=[("file", (name, data)) for name, data in zips.items()],
        ).raise_for_status()
        place = f"{tools.host}/tf-provider/{feed}/acme/lab"
        assert oras("repo", "tags", place).split() == ["1.1.0_lab"]

        index = json.loads(oras("manifest", "fetch", f"{place}:1.1.0_lab"))
        assert index["artifactType"] == "application/vnd.opentofu.provider"
        wanted = {"os": "darwin", "architecture": "arm64"}
        [row] = [row for row in index["manifests"] if row["platform"] == wanted]
        target = json.loads(oras("manifest", "fetch", f"{place}@{row['digest']}"))
        assert row["artifactType"] == target["artifactType"] == f"{index['artifactType']}-target"
        [layer] = [one for one in target["layers"] if one["mediaType"] == "archive/zip"]
        oras("blob", "fetch", f"{place}@{layer['digest']}", "--output", "lab.zip")

        data = zips["terraform-provider-lab_1.1.0+lab_darwin_arm64.zip"]
        assert (tools.folder / "lab.zip").read_bytes() == data

    def test_a_module_of_the_feed_is_its_newest_by_default(self, tools, oras, feed, token):
        data = zipped_module("output a {}")
        httpx.post(
            f"{tools.registry.url}terraform/{feed}/v1/modules/acme/network/aws/1.0.0",
            headers={"Authorization": f"Bearer {token}"},
            files={"module": ("module.zip", data)},
        ).raise_for_status()
        place = f"{tools.host}/tf-module/{feed}/acme/network/aws"

        manifest = json.loads(oras("manifest", "fetch", f"{place}:latest"))

        assert manifest["artifactType"] == "application/vnd.opentofu.modulepkg"
        [layer] = [one for one in manifest["layers"] if one["mediaType"] == "archive/zip"]
        oras("blob", "fetch", f"{place}@{layer['digest']}", "--output", "module.zip")
        with zipfile.ZipFile(tools.folder / "module.zip") as archive:
            assert archive.read("main.tf") == b"output a {}"


class TestCrane:
    def test_copy_list_and_validate(self, tools, climate, place):
        name, published = climate
        token = tools.registry.token("oci/lab/*:publish", "oci/packages/*:read")
        tools.run("crane", "auth", "login", tools.host, "-u", "x", "--password-stdin", stdin=token)
        source, target = f"{tools.host}/packages/{name}:1", f"{tools.host}/{place}:v1"
        tools.run("crane", "copy", "--insecure", source, target)
        digest = tools.run("crane", "digest", "--insecure", target).stdout.strip()
        assert digest == published.digest
        listed = tools.run("crane", "ls", "--insecure", f"{tools.host}/{place}").stdout
        assert listed.split() == ["v1"]
        catalog = tools.run("crane", "catalog", "--insecure", tools.host).stdout.split()
        assert {place, f"packages/{name}"} <= set(catalog)


class TestCosign:
    def test_sign_and_verify(self, tools, climate, place):
        name, published = climate
        token = tools.registry.token("oci/lab/*:publish", "oci/packages/*:publish")
        env = {"COSIGN_PASSWORD": "", "COSIGN_EXPERIMENTAL": "0"}
        http = "--allow-http-registry"
        tools.run("cosign", "login", tools.host, "-u", "x", "--password-stdin", stdin=token, **env)
        tools.run("cosign", "generate-key-pair", **env)
        image = f"{tools.host}/packages/{name}@{published.digest}"
        key = ("--key", "cosign.key", "--tlog-upload=false", "-y", http)
        tools.run("cosign", "sign", *key, image, **env)
        check = ("--key", "cosign.pub", "--insecure-ignore-tlog=true", http)
        done = tools.run("cosign", "verify", *check, image, **env)
        assert published.digest in done.stdout
        versions = tools.registry.services.packages.versions(name)
        assert [one.version for one in versions] == ["1"]

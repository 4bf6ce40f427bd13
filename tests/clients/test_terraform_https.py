"""The terraform program over https: discovery at the root, mirrors, hashes, lock files."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import ssl
import subprocess
import tarfile

import httpx
import pytest

from packager_jupyter.registries.imports import import_folder
from packager_jupyter.registries.terraform.signing import SigningKey
from registries.terraform.archives import provider_zips, sums_of

NULL = "registry.lab.test/acme/lab"


@pytest.fixture
def terraform():
    found = shutil.which("terraform")
    if found is None:
        # No package of Debian, PyPI or npm carries it.
        pytest.skip("terraform not found: install it from its vendor")
    return found


class Site:
    """The feed that the host itself stands for, and a folder in which terraform runs."""

    def __init__(self, registry, folder):
        self.registry, self.folder = registry, folder
        self.host = registry.url.removeprefix("https://").strip("/")
        self.token = registry.token("terraform/*:publish")
        self.auth = {"Authorization": f"Bearer {self.token}"}
        self.client = httpx.Client(
            verify=ssl.create_default_context(cafile=registry.ca), headers=self.auth
        )

    def publish(self, path, files, *, verb="POST"):
        answer = self.client.request(verb, f"{self.registry.url}{path}", files=files)
        assert answer.status_code == 201, answer.text
        return answer

    def run(self, terraform, config, *arguments, settings=""):
        self.folder.mkdir(exist_ok=True)
        (self.folder / "main.tf").write_text(config)
        settings += f'\ncredentials "{self.host}" {{ token = "{self.token}" }}\n'
        (self.folder / "cli.tfrc").write_text(settings)
        return subprocess.run(
            [terraform, *arguments],
            check=False,
            cwd=self.folder,
            env=self.registry.environment(
                TF_CLI_CONFIG_FILE=str(self.folder / "cli.tfrc"), CHECKPOINT_DISABLE="1"
            ),
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture
def site(https_registry, tmp_path):
    feeds = https_registry.services.feeds
    if not feeds.specs():
        feeds.create("terraform/lab")
    site = Site(https_registry, tmp_path)
    with site.client:
        yield site


def requiring(source, version="1.0.0"):
    return (
        "terraform {\n  required_providers {\n"
        f'    lab = {{ source = "{source}", version = "{version}" }}\n  }}\n}}\n'
    )


def module_tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in {"main.tf": 'output "x" { value = 1 }\n', "README.md": "# Net\n"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_the_host_alone_names_providers_and_modules(site, terraform):
    files = provider_zips()
    upload = [("file", (name, data)) for name, data in files.items()]
    fields = {"namespace": (None, "acme"), "type": (None, "lab"), "version": (None, "1.0.0")}
    answer = site.publish("terraform/upload", [*fields.items(), *upload])
    assert answer.json()["namespace"] == "acme"
    place = "terraform/lab/v1/modules/acme/net/aws/1.0.0"
    answer = site.client.put(f"{site.registry.url}{place}", content=module_tar())
    assert answer.status_code == 201, answer.text
    config = requiring(f"{site.host}/acme/lab") + (
        f'module "net" {{\n  source = "{site.host}/acme/net/aws"\n  version = "1.0.0"\n}}\n'
    )
    done = site.run(terraform, config, "init", "-no-color", "-input=false")
    assert done.returncode == 0, done.stdout + done.stderr
    lock = (site.folder / ".terraform.lock.hcl").read_text()
    for data in files.values():
        assert f"zh:{hashlib.sha256(data).hexdigest()}" in lock
    assert (site.folder / ".terraform/modules/net/README.md").read_text() == "# Net\n"


def test_a_mirror_that_terraform_wrote_is_taken_and_served_as_one(site, terraform, tmp_path):
    """The hashes of its folder are compared, and those we serve are the ones it locks."""
    version = "2.0.0"
    files = provider_zips(version)
    key, sums = SigningKey(tmp_path / "uploader.key"), sums_of(files)
    signed = {"SHA256SUMS": sums, "SHA256SUMS.sig": key.sign(sums)}
    named = {f"terraform-provider-lab_{version}_{end}": data for end, data in signed.items()}
    named["key.asc"] = key.public().ascii_armor.encode()
    upload = [("file", (name, data)) for name, data in (files | named).items()]
    site.publish(f"terraform/lab/v1/providers/acme/lab/{version}", upload, verb="PUT")
    folder = site.folder / "mirror"
    platforms = ("-platform=linux_amd64", "-platform=darwin_arm64")
    config = requiring(f"{site.host}/acme/lab", version)
    done = site.run(terraform, config, "init", "-no-color", "-input=false")
    assert done.returncode == 0, done.stdout + done.stderr
    assert key.public().key_id in done.stdout  # the uploader's signature was checked
    done = site.run(terraform, config, "providers", "mirror", *platforms, str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    [stated] = folder.rglob(f"{version}.json")
    rows = json.loads(stated.read_text())["archives"]
    assert all(row["hashes"][0].startswith("h1:") for row in rows.values())

    feeds = site.registry.services.feeds
    spec = feeds.create("terraform/copy")
    try:
        report = import_folder(feeds, spec, folder, by="alice")
        assert (report.published, report.failures) == ([f"acme/lab {version}"], [])
        url = f"{site.registry.url}terraform/copy/mirror/{NULL}/{version}.json"
        served = site.client.get(url).json()["archives"]
        assert {platform: row["hashes"][1] for platform, row in served.items()} == {
            platform: row["hashes"][0] for platform, row in rows.items()
        }
        site.folder = site.folder / "mirrored"
        mirror = f"{site.registry.url}terraform/copy/mirror/"
        settings = f'provider_installation {{ network_mirror {{ url = "{mirror}" }} }}\n'
        done = site.run(terraform, requiring(NULL, version), "init", "-no-color", settings=settings)
        assert done.returncode == 0, done.stdout + done.stderr
        lock = (site.folder / ".terraform.lock.hcl").read_text()
        assert any(row["hashes"][1] in lock for row in served.values())  # of this platform
    finally:
        feeds.remove("terraform/copy")


def test_several_feeds_and_no_word_of_which(site):
    url = f"{site.registry.url}.well-known/terraform.json"
    services = httpx.get(url, verify=ssl.create_default_context(cafile=site.registry.ca)).json()
    assert services["providers.v1"] == f"{site.registry.url}terraform/lab/v1/providers/"
    feeds = site.registry.services.feeds
    feeds.create("terraform/second")
    try:
        answer = site.client.get(url)
        assert answer.status_code == 404
        assert "terraform_feed" in answer.json()["remedy"]
    finally:
        feeds.remove("terraform/second")

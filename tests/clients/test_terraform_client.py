"""The terraform program against a real server: providers, modules, lock file, tokens."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from itertools import count

import httpx
import pytest

from packager_jupyter.registries.terraform.signing import SigningKey
from registries.terraform.archives import packed, provider_zips, sums_of, zipped_module

FEEDS = count()
HOST = "registry.lab.test"


@pytest.fixture
def terraform():
    found = shutil.which("terraform")
    if found is None:
        # No package of Debian, PyPI or npm carries it.
        pytest.skip("terraform not found: install it from its vendor")
    return found


@pytest.fixture
def feed(registry):
    name = f"feed-{next(FEEDS)}"
    registry.services.feeds.create(f"terraform/{name}")
    return name


@pytest.fixture
def lab(registry, feed, tmp_path):
    return Lab(registry, feed, tmp_path)


class Lab:
    """A feed, a token, and a folder in which terraform runs."""

    def __init__(self, registry, feed, folder):
        self.registry, self.folder = registry, folder
        self.url = f"{registry.url}terraform/{feed}/"
        self.token = registry.token(f"terraform/{feed}:publish")
        self.auth = {"Authorization": f"Bearer {self.token}"}

    def publish_provider(self, files, version="1.0.0"):
        return httpx.post(
            f"{self.url}v1/providers/acme/lab/{version}",
            headers=self.auth,
            files=[("file", (name, data)) for name, data in files.items()],
        )

    def publish_module(self, data, version="1.0.0"):
        return httpx.post(
            f"{self.url}v1/modules/acme/network/aws/{version}",
            headers=self.auth,
            files={"module": ("module.zip", data)},
        )

    def init(self, terraform, config, *arguments, token=None):
        (self.folder / "main.tf").write_text(config)
        (self.folder / "cli.tfrc").write_text(
            f'host "{HOST}" {{ services = {{\n'
            f'  "providers.v1" = "{self.url}v1/providers/"\n'
            f'  "modules.v1" = "{self.url}v1/modules/"\n'
            f"}} }}\n"
            f'credentials "{HOST}" {{ token = "{self.token if token is None else token}" }}\n'
        )
        return subprocess.run(
            [terraform, "init", "-no-color", "-input=false", *arguments],
            check=False,
            cwd=self.folder,
            env=self.registry.environment(
                TF_CLI_CONFIG_FILE=str(self.folder / "cli.tfrc"), CHECKPOINT_DISABLE="1"
            ),
            capture_output=True,
            text=True,
            timeout=120,
        )


PROVIDER = f"""
terraform {{
  required_providers {{
    lab = {{ source = "{HOST}/acme/lab", version = "1.0.0" }}
  }}
}}
"""


def test_a_provider_signed_by_us_is_installed_and_locked(lab, terraform):
    files = provider_zips()
    assert lab.publish_provider(files).status_code == 201
    done = lab.init(terraform, PROVIDER)
    assert done.returncode == 0, done.stdout + done.stderr
    lock = (lab.folder / ".terraform.lock.hcl").read_text()
    for data in files.values():
        assert f"zh:{hashlib.sha256(data).hexdigest()}" in lock
    log = (lab.registry.folder / "server.log").read_text()
    assert lab.token not in log


def test_a_provider_signed_by_its_uploader_is_installed(lab, terraform, tmp_path):
    key = SigningKey(tmp_path / "uploader.key")
    files = provider_zips()
    sums = sums_of(files)
    extra = {
        "terraform-provider-lab_1.0.0_SHA256SUMS": sums,
        "terraform-provider-lab_1.0.0_SHA256SUMS.sig": key.sign(sums),
        "key.asc": key.public().ascii_armor.encode(),
    }
    answer = lab.publish_provider(files | extra)
    assert answer.status_code == 201, answer.text
    done = lab.init(terraform, PROVIDER)
    assert done.returncode == 0, done.stdout + done.stderr
    assert key.public().key_id in done.stdout


def test_a_module_is_installed(lab, terraform):
    answer = lab.publish_module(zipped_module('output "hello" { value = "world" }\n'))
    assert answer.status_code == 201, answer.text
    config = f'module "net" {{\n  source = "{HOST}/acme/network/aws"\n  version = "1.0.0"\n}}\n'
    done = lab.init(terraform, config)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((lab.folder / ".terraform/modules/modules.json").read_text())
    [module] = [row for row in manifest["Modules"] if row["Key"] == "net"]
    assert (lab.folder / module["Dir"] / "main.tf").read_text().startswith("output")


@pytest.mark.parametrize("token", ["wrong", "pkgr_api_000000000000_" + "x" * 43])
def test_a_wrong_token_is_told_so(lab, terraform, token):
    lab.publish_provider(provider_zips())
    done = lab.init(terraform, PROVIDER, token=token)
    assert done.returncode != 0
    assert "credentials" in " ".join(done.stderr.split())


def test_an_unknown_version_is_told_so(lab, terraform):
    lab.publish_provider(provider_zips())
    done = lab.init(terraform, PROVIDER.replace("1.0.0", "9.0.0"))
    assert done.returncode != 0
    assert "9.0.0" in done.stderr


def test_opentofu_gets_the_module_as_json_too(lab):
    lab.publish_module(zipped_module("# nothing\n"))
    url = f"{lab.url}v1/modules/acme/network/aws/1.0.0/download"
    plain = httpx.get(url, headers=lab.auth)
    assert (plain.status_code, plain.content) == (204, b"")
    tofu = httpx.get(url, headers=lab.auth | {"X-OpenTofu-Version": "1.10.0"})
    assert tofu.json()["location"] == tofu.headers["X-Terraform-Get"]
    archive = httpx.get(tofu.json()["location"])
    assert archive.content == zipped_module("# nothing\n")


def test_what_a_module_is(lab):
    readme = "# Network\n\n<script>alert(1)</script> [in](docs/x.md) [out](https://lab.test/)\n"
    files = {"main.tf": "# one\n", "README.md": readme}
    assert lab.publish_module(packed(files)).status_code == 201
    assert lab.publish_module(packed(files | {"main.tf": "#\n"}), "1.1.0-rc1").status_code == 201
    url = f"{lab.url}v1/modules/acme/network/aws"
    found = httpx.get(url, headers=lab.auth).json()
    assert (found["id"], found["version"]) == ("acme/network/aws/1.0.0", "1.0.0")
    assert (found["versions"], found["root"]["readme"]) == (["1.0.0", "1.1.0-rc1"], readme)
    html = lab.auth | {"Accept": "text/html,application/xhtml+xml;q=0.9"}
    page = httpx.get(f"{url}/1.1.0-rc1", headers=html)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert ">Network</h" in page.text
    assert "<script" not in page.text
    assert 'href="https://lab.test/"' in page.text
    assert "docs/x.md" not in page.text
    assert f'href="{url}/1.0.0"' in page.text
    assert httpx.get(f"{url}/3.0.0", headers=lab.auth).status_code == 404
    assert httpx.get(url).status_code == 401


def test_a_provider_named_without_its_prefix_is_taken(lab):
    files = {name.removeprefix("terraform-provider-"): d for name, d in provider_zips().items()}
    assert lab.publish_provider(files).status_code == 201
    url = f"{lab.url}v1/providers/acme/lab/1.0.0/download/linux/amd64"
    answer = httpx.get(url, headers=lab.auth).json()
    assert answer["filename"] == "lab_1.0.0_linux_amd64.zip"
    assert httpx.get(answer["download_url"]).content == files["lab_1.0.0_linux_amd64.zip"]


def test_the_mirror_names_every_archive(lab):
    files = provider_zips()
    lab.publish_provider(files)
    base = f"{lab.url}mirror/{HOST}/acme/lab/"
    assert httpx.get(f"{base}index.json", headers=lab.auth).json() == {"versions": {"1.0.0": {}}}
    rows = httpx.get(f"{base}1.0.0.json", headers=lab.auth).json()["archives"]
    assert sorted(rows) == ["darwin_arm64", "linux_amd64"]
    for platform, row in rows.items():
        data = files[f"terraform-provider-lab_1.0.0_{platform}.zip"]
        assert httpx.get(row["url"]).content == data
        assert row["hashes"][0] == f"zh:{hashlib.sha256(data).hexdigest()}"


def test_signed_addresses_open_one_file_only(lab):
    lab.publish_provider(provider_zips())
    answer = httpx.get(
        f"{lab.url}v1/providers/acme/lab/1.0.0/download/linux/amd64", headers=lab.auth
    ).json()
    url = answer["download_url"]
    assert httpx.get(url).status_code == 200
    assert httpx.get(url.replace("linux_amd64", "darwin_arm64")).status_code == 403
    claim = url.split("/get/")[1].split("/")[0]
    altered = claim[:-4] + ("AAAA" if claim[-4:] != "AAAA" else "BBBB")
    assert httpx.get(url.replace(claim, altered)).status_code == 403
    assert httpx.get(f"{lab.url}v1/providers/acme/lab/versions").status_code == 401


def test_publishing_again_is_a_no_op_and_other_content_a_conflict(lab):
    assert lab.publish_provider(provider_zips()).status_code == 201
    assert lab.publish_provider(provider_zips()).status_code == 200
    changed = lab.publish_provider(provider_zips(linux_amd64=b"other"))
    assert changed.status_code == 409
    assert "never change" in changed.json()["remedy"]

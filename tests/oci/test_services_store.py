"""The whole house on a registry instead of a folder, and versions copied from one to the other."""

from __future__ import annotations

import pytest
from traitlets import TraitError

from packager_jupyter.cli import main
from packager_jupyter.config import Settings
from packager_jupyter.errors import BadInputError
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.open import open_store
from packager_jupyter.oci.remote import RemoteStore
from packager_jupyter.services import Services, open_artifact_store


@pytest.fixture
def settings(tmp_path):
    def make(**more):
        (tmp_path / "root").mkdir(exist_ok=True)
        return Settings(data_dir=str(tmp_path / "data"), root_dir=str(tmp_path / "root"), **more)

    return make


@pytest.fixture
def registry_url(plain, plain_registry):
    """A place of this test's own in a real registry."""
    return f"{plain_registry[1].url}/{plain._prefix}/house"


def test_a_folder_is_the_default(settings, tmp_path):
    with Services.open(settings()) as services:
        assert isinstance(services.oci, LayoutStore)
        assert services.oci.root == tmp_path / "data" / "oci"


def test_packages_live_in_a_registry(settings, registry_url, tmp_path):
    with Services.open(settings(oci_store=registry_url)) as services:
        assert isinstance(services.oci, RemoteStore)
        draft = services.packages.create("climate", title="Climate")
        draft.attach(b"# Climate\n", "README.md")
        done = draft.publish(now_s=1_700_000_000)
        [info] = services.packages.versions("climate")
        assert (info.version, info.digest) == ("1", done.digest)
        assert info.created_s is None  # a registry has no place for it; none is made up
        assert services.packages.version("climate").readme() == "# Climate\n"
    assert not (tmp_path / "data" / "oci").exists()


@pytest.mark.parametrize(
    "address", ["ftp://registry.lab.test", "http://registry.lab.test", "https://user:pw@host.test"]
)
def test_a_wrong_address_is_said_at_the_start(settings, address):
    with pytest.raises(BadInputError) as caught:
        Services.open(settings(oci_store=address))
    assert "pw" not in str(caught.value)


def test_plain_http_is_taken_when_it_is_allowed(settings):
    store = open_artifact_store(settings(oci_store="http://registry.lab.test", oci_plain_http=True))
    store.close()


def test_settings_have_their_kinds(settings):
    with pytest.raises(TraitError):
        settings(oci_plain_http="perhaps")


def test_a_version_is_copied_when_it_is_published(
    settings, registry_url, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    with Services.open(settings()) as services:
        services.packages.create("climate").attach(b"# Climate\n", "README.md")
    folders = ["--data-dir", str(tmp_path / "data"), "--root-dir", str(tmp_path / "root")]
    assert main(["publish", "climate", "--to", registry_url, *folders]) == 0, (
        capsys.readouterr().err
    )
    copied = open_store(registry_url)
    assert copied.tag_names("packages/climate") == ["1", "latest"]
    assert copied.resolve("packages/climate", "1").digest in capsys.readouterr().out
    assert (
        main(["publish", "climate", "--to", registry_url, *folders]) == 0
    )  # again changes nothing
    copied.close()


def test_a_copy_that_cannot_be_made_is_an_error(settings, tmp_path, capsys):
    with Services.open(settings()) as services:
        services.packages.create("climate").attach(b"# Climate\n", "README.md")
    folders = ["--data-dir", str(tmp_path / "data"), "--root-dir", str(tmp_path / "root")]
    assert main(["publish", "climate", "--to", "ftp://nowhere.test", *folders]) == 1
    assert "Give a folder, or the https address" in capsys.readouterr().err

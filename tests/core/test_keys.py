"""The master key: made once, private, and clear about a wrong one."""

from __future__ import annotations

import base64
import stat

import pytest

from packager_jupyter.errors import BadInputError
from packager_jupyter.keys import derive_key, load_master_key


@pytest.fixture(autouse=True)
def _no_key_from_outside(monkeypatch):
    monkeypatch.delenv("PACKAGER_KEY", raising=False)


def test_made_once_and_private(tmp_path):
    file = tmp_path / "d" / "packager.key"
    key = load_master_key(file)
    assert len(key) == 32
    assert load_master_key(file) == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_wider_permissions_are_refused(tmp_path):
    file = tmp_path / "packager.key"
    load_master_key(file)
    file.chmod(0o640)
    with pytest.raises(BadInputError, match="chmod go-rwx"):
        load_master_key(file)


@pytest.mark.parametrize("text", ["", "short", "zz" * 32, "é" * 32])
def test_a_damaged_key_is_explained_and_never_replaced(tmp_path, text):
    file = tmp_path / "packager.key"
    file.write_text(text, "utf-8")
    file.chmod(0o600)
    with pytest.raises(BadInputError, match="backup"):
        load_master_key(file)
    assert file.read_text("utf-8") == text


def test_the_environment_goes_first(tmp_path, monkeypatch):
    key = bytes(range(32))
    for text in (key.hex(), base64.b64encode(key).decode()):
        monkeypatch.setenv("PACKAGER_KEY", text)
        assert load_master_key(tmp_path / "none") == key
    assert not (tmp_path / "none").exists()


def test_purposes_never_share_a_key():
    master = bytes(32)
    assert derive_key(master, "share") != derive_key(master, "local-url")
    assert derive_key(master, "share") == derive_key(master, "share")

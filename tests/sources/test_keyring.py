"""Secrets in the operating system's keyring, through the keyring library's own interface."""

from __future__ import annotations

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked, PasswordDeleteError

from packager_jupyter.config import Settings
from packager_jupyter.errors import BadInputError, CredentialMissingError
from packager_jupyter.services import Services
from packager_jupyter.sources.catalog import CredentialRef
from packager_jupyter.sources.secrets import KeyringSecretStore, SecretStore

KEYS = {"AWS_ACCESS_KEY_ID": "AKCANARY", "AWS_SECRET_ACCESS_KEY": "CANARY-secret"}


class MemoryKeyring(KeyringBackend):
    """A keyring as the library knows them, which forgets when the test ends."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.kept = {}
        self.is_locked = False

    def get_password(self, service, username):
        if self.is_locked:
            raise KeyringLocked
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        if self.is_locked:
            raise KeyringLocked
        self.kept[service, username] = password

    def delete_password(self, service, username):
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError


@pytest.fixture
def ring():
    before = keyring.get_keyring()
    made = MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def store(tmp_path, kind=KeyringSecretStore):
    return kind(tmp_path / "secrets", key=bytes(32))


def test_a_secret_lies_in_the_keyring_alone_and_sealed(ring, tmp_path):
    store(tmp_path).put("lake", KEYS)
    assert store(tmp_path).get("lake") == KEYS
    assert not (tmp_path / "secrets").exists()
    assert len(ring.kept) == 1
    assert "CANARY" not in str(ring.kept)
    store(tmp_path).forget("lake")
    store(tmp_path).forget("lake")
    assert ring.kept == {}
    with pytest.raises(CredentialMissingError, match="not there"):
        store(tmp_path).get("lake")


def test_installations_do_not_share_secrets(ring, tmp_path):
    store(tmp_path / "a").put("lake", KEYS)
    with pytest.raises(CredentialMissingError):
        store(tmp_path / "b").get("lake")


def test_a_secret_of_a_file_is_read_and_moves_when_it_is_replaced(ring, tmp_path):
    store(tmp_path, SecretStore).put("lake", KEYS)
    assert store(tmp_path).get("lake") == KEYS
    store(tmp_path).put("lake", {"AWS_ACCESS_KEY_ID": "new"})
    assert list((tmp_path / "secrets").iterdir()) == []
    assert store(tmp_path).get("lake") == {"AWS_ACCESS_KEY_ID": "new"}


def test_a_locked_keyring_says_so_and_loses_nothing(ring, tmp_path):
    store(tmp_path).put("lake", KEYS)
    ring.is_locked = True
    for call in (
        lambda: store(tmp_path).get("lake"),
        lambda: store(tmp_path).put("lake", {"AWS_ACCESS_KEY_ID": "x"}),
        lambda: store(tmp_path).forget("lake"),
    ):
        with pytest.raises(CredentialMissingError, match="KeyringLocked"):
            call()
    ring.is_locked = False
    assert store(tmp_path).get("lake") == KEYS


def test_no_keyring_is_told_at_the_start(ring, tmp_path):
    keyring.set_keyring(NoKeyring())
    settings = Settings(data_dir=str(tmp_path), root_dir=str(tmp_path), use_keyring=True)
    with pytest.raises(BadInputError, match="use_keyring"):
        Services.open(settings)


def test_the_setting_chooses_the_keyring(ring, tmp_path):
    settings = Settings(data_dir=str(tmp_path), root_dir=str(tmp_path), use_keyring=True)
    with Services.open(settings) as services:
        services.sources.add("lake", "s3://lake", credential=CredentialRef("stored"), secret=KEYS)
    assert len(ring.kept) == 1

"""argon2id: right, wrong, absent, renewed; never more at once than the pool holds."""

from __future__ import annotations

import threading

import pytest

from packager_jupyter.errors import BadInputError, BusyError, StoreCorruptError
from packager_jupyter.shares.passwords import Passwords, check_new_password


@pytest.fixture
def passwords():
    pool = Passwords()
    yield pool
    pool.close()


def test_parameters_are_the_owasp_minimum(passwords):
    assert passwords.hash("open sesame").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_right_wrong_and_no_password(passwords):
    stored = passwords.hash("öffne dich")
    assert passwords.check(stored, "öffne dich").result().is_right
    assert not passwords.check(stored, "offne dich").result().is_right
    assert not passwords.check(None, "öffne dich").result().is_right


def test_the_same_letters_typed_differently_are_the_same(passwords):
    stored = passwords.hash("caf\u00e9 cr\u00e8me")
    assert passwords.check(stored, "cafe\u0301 cre\u0300me").result().is_right


def test_an_old_hash_is_renewed_when_it_opens(passwords):
    old = Passwords(time_cost=1, memory_kib=8192)
    stored = old.hash("open sesame")
    old.close()
    verdict = passwords.check(stored, "open sesame").result()
    assert verdict.is_right
    assert "m=19456,t=2,p=1" in verdict.new_hash
    assert passwords.check(verdict.new_hash, "open sesame").result().new_hash is None
    assert passwords.check(stored, "wrong sesame").result().new_hash is None


def test_a_full_queue_refuses_instead_of_waiting():
    pool = Passwords(workers=1, queue=2)
    hold = threading.Event()
    pool._check = lambda *_: hold.wait(30)
    futures = [pool.check(None, "x") for _ in range(3)]
    with pytest.raises(BusyError) as refused:
        pool.check(None, "x")
    assert refused.value.retry_after_s == 2
    hold.set()
    for future in futures:
        future.result()
    pool.check(None, "x").result()
    pool.close()


def test_a_damaged_hash_is_named_and_not_shown(passwords):
    with pytest.raises(StoreCorruptError) as damaged:
        passwords.check("$argon2id$nonsense", "x").result()
    assert "nonsense" not in str(damaged.value) + str(damaged.value.to_json())


def test_an_overlong_password_is_wrong_and_cheap(passwords):
    stored = passwords.hash("x" * 1024)
    assert not passwords.check(stored, "x" * 1025).result().is_right
    assert not passwords.check(stored, "x" * 10_000_000).result().is_right


@pytest.mark.parametrize("password", ["", "short", "x" * 1025, "é" * 513])
def test_passwords_that_protect_nothing_or_too_much(password):
    with pytest.raises(BadInputError):
        check_new_password(password)

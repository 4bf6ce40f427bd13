"""The gate: cookies of this share and epoch, limited guesses, one check for a busy tool."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from packager_jupyter.errors import BusyError, RateLimitedError
from packager_jupyter.shares.passwords import Passwords
from packager_jupyter.store.schema import share as table

IP = "192.0.2.7"


@pytest.fixture
def locked(shares, clock):
    created = shares.create("ocean", owner="ann", password="open sesame")
    return shares.open(created.token, now_s=clock())


def wrong(shares, share, text="wrong password", ip=IP):
    return shares.gate.try_password(share, text, ip=ip).result()


def test_a_cookie_opens_its_share_until_it_ends(shares, locked, clock):
    value, life_s = shares.gate.cookie(locked, now_s=clock())
    assert life_s == 3600
    assert shares.gate.cookie_opens(locked, value, now_s=clock() + 3599)
    assert not shares.gate.cookie_opens(locked, value, now_s=clock() + 3600)
    assert not shares.gate.cookie_opens(locked, "", now_s=clock())


def test_a_cookie_does_not_outlive_the_share(shares, clock):
    created = shares.create("ocean", owner="ann", password="open sesame", expires_in_s=90)
    share = shares.open(created.token, now_s=clock())
    assert shares.gate.cookie(share, now_s=clock())[1] == 90


def test_a_cookie_of_another_share_opens_nothing(shares, locked, clock):
    other = shares.create("ocean", owner="ann", password="open sesame")
    value, _ = shares.gate.cookie(shares.open(other.token, now_s=clock()), now_s=clock())
    assert not shares.gate.cookie_opens(locked, value, now_s=clock())


def test_a_form_token_is_no_cookie(shares, locked, clock):
    form = shares.gate.form_token(locked, "nonce", now_s=clock())
    cookie, _ = shares.gate.cookie(locked, now_s=clock())
    assert shares.gate.is_form_token(locked, "nonce", form, now_s=clock())
    assert not shares.gate.is_form_token(locked, "other", form, now_s=clock())
    assert not shares.gate.is_form_token(locked, "nonce", form, now_s=clock() + 3600)
    assert not shares.gate.is_form_token(locked, "nonce", cookie, now_s=clock())
    assert not shares.gate.cookie_opens(locked, form, now_s=clock())


@pytest.mark.parametrize("change", ["password", "rotate", "revoke"])
def test_a_change_voids_cookies(shares, clock, change):
    created = shares.create("ocean", owner="ann", password="open sesame")
    before = shares.open(created.token, now_s=clock())
    value, _ = shares.gate.cookie(before, now_s=clock())
    share_id = created.share.id
    if change == "password":
        shares.update(share_id, "ann", password="another one")
        after = shares.open(created.token, now_s=clock())
    elif change == "rotate":
        after = shares.open(shares.rotate(share_id, "ann").token, now_s=clock())
    else:
        shares.revoke(share_id, "ann")
        return
    assert after.epoch == before.epoch + 1
    assert not shares.gate.cookie_opens(after, value, now_s=clock())


def test_the_eleventh_wrong_password_is_refused_and_the_right_one_too(shares, locked, clock):
    for n in range(10):
        assert not wrong(shares, locked, f"wrong {n}")
    with pytest.raises(RateLimitedError) as refused:
        wrong(shares, locked, "wrong 11")
    assert refused.value.retry_after_s == 600
    with pytest.raises(RateLimitedError):
        shares.gate.try_password(locked, "open sesame", ip=IP)
    assert shares.gate.try_password(locked, "open sesame", ip="192.0.2.8").result()
    clock.now_s += 601
    assert shares.gate.try_password(locked, "open sesame", ip=IP).result()


def test_the_memory_of_a_right_password_cannot_be_probed(shares, locked):
    assert shares.gate.try_password(locked, "open sesame", ip=IP).result()
    for n in range(10):
        wrong(shares, locked, f"wrong {n}")
    with pytest.raises(RateLimitedError):
        shares.gate.try_password(locked, "open sesame", ip=IP)


def test_many_addresses_meet_the_limit_of_the_share(shares, locked):
    for n in range(100):
        wrong(shares, locked, f"wrong {n}", ip=f"192.0.2.{n}")
    with pytest.raises(RateLimitedError):
        wrong(shares, locked, ip="198.51.100.1")


def test_guesses_on_shares_that_are_gone_are_limited_alike(shares):
    for n in range(10):
        assert not wrong(shares, None, f"wrong {n}")
    with pytest.raises(RateLimitedError):
        wrong(shares, None)


def test_parallel_guesses_cannot_slip_past_the_limit(shares, locked):
    verdicts = []

    def guess(n):
        try:
            verdicts.append(wrong(shares, locked, f"wrong {n}"))
        except (RateLimitedError, BusyError):
            verdicts.append(None)

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(guess, range(60)))
    assert verdicts.count(False) <= 10
    assert len(verdicts) == 60


def test_a_right_password_is_checked_once_for_many_requests(shares, locked):
    calls = []
    check = shares._passwords.check
    shares._passwords.check = lambda *a: calls.append(a) or check(*a)
    with ThreadPoolExecutor(16) as pool:
        results = list(
            pool.map(
                lambda _: shares.gate.try_password(locked, "open sesame", ip=IP).result(),
                range(200),
            )
        )
    assert all(results)
    assert len(calls) == 1


def test_a_busy_pool_does_not_count_as_a_guess(shares, locked):
    def refuse(*_):
        raise BusyError("busy", remedy="wait")

    check, shares._passwords.check = shares._passwords.check, refuse
    for _ in range(20):
        with pytest.raises(BusyError):
            wrong(shares, locked)
    shares._passwords.check = check
    assert shares.gate.try_password(locked, "open sesame", ip=IP).result()


def test_one_waiter_that_goes_away_does_not_cancel_the_others(shares, locked):
    hold = threading.Event()
    check = shares._passwords._check
    shares._passwords._check = lambda *a: hold.wait(30) and check(*a)
    one = shares.gate.try_password(locked, "open sesame", ip=IP)
    other = shares.gate.try_password(locked, "open sesame", ip=IP)
    assert not one.cancel()
    hold.set()
    assert other.result()


def test_an_old_hash_is_renewed_in_the_database(shares, db, locked, clock):
    weak = Passwords(time_cost=1, memory_kib=8192)
    with db.begin() as connection:
        connection.execute(update(table).values(password_hash=weak.hash("open sesame")))
        token = shares.link(locked.id, "ann")
    weak.close()
    share = shares.open(token, now_s=clock())
    assert shares.gate.try_password(share, "open sesame", ip=IP).result()
    shares.close()
    with db.connect() as connection:
        stored = connection.execute(select(table.c.password_hash)).scalar_one()
    assert "m=19456,t=2,p=1" in stored

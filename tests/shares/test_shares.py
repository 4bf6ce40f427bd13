"""Shares: made, opened, counted, changed and ended; gone looks the same for every reason."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from packager_jupyter.config import Settings
from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    PackageNotFoundError,
    RevisionMismatchError,
    ShareNotFoundError,
)
from packager_jupyter.shares.shares import Shares
from packager_jupyter.shares.tokens import new_capability, new_token
from packager_jupyter.store.schema import share as table


@pytest.fixture(params=["sqlite", "postgres"])
def db_kind(request):
    return request.param


def rows(db):
    with db.connect() as connection:
        return connection.execute(select(table)).all()


def test_create_open_and_copy_again(shares, clock):
    created = shares.create("ocean", version="1", owner="ann", slug="ocean-2024")
    assert created.segment == f"ocean-2024-{created.token}"
    assert created.capability is None
    assert shares.link(created.share.id, "ann") == created.segment
    for segment in (created.token, created.segment, f"other-{created.token}"):
        share = shares.open(segment, now_s=clock())
        assert (share.package, share.version, share.is_open) == ("ocean", "1", True)


def test_nothing_in_the_database_opens_a_share(shares, db):
    created = shares.create("ocean", owner="ann", password="open sesame")
    row = rows(db)[0]
    everything = repr(row).encode() + row.token_sealed
    for secret in (created.token, created.capability, "open sesame"):
        assert secret.encode() not in everything
    assert row.password_hash.startswith("$argon2id$")


def test_no_secret_in_json_or_repr(shares, clock):
    created = shares.create("ocean", owner="ann", password="open sesame")
    share = shares.open(created.token, now_s=clock())
    shown = json.dumps(created.share.to_json()) + repr(created) + repr(share)
    assert created.token not in shown
    assert created.capability not in shown
    assert "argon2" not in shown
    body = created.share.to_json()
    assert body["version"] == "latest"
    assert body["has_password"] is True
    assert not re.search("hash|secret|salt|sealed", " ".join(body))


def test_a_capability_opens_a_locked_share(shares, clock):
    created = shares.create("ocean", owner="ann", password="open sesame")
    assert not shares.open(created.token, now_s=clock()).is_open
    assert shares.open(created.capability_segment, now_s=clock()).is_open
    with pytest.raises(ShareNotFoundError):
        shares.open(f"{created.token}~{new_capability()}", now_s=clock())


def test_gone_is_gone_whatever_the_reason(shares, db, clock):
    makers = {
        "revoked": lambda s: shares.revoke(s.share.id, "ann"),
        "expired": lambda s: None,
        "used up": lambda s: shares.count_exactly(
            shares.open(s.token, now_s=clock()), now_s=clock()
        ),
        "not started": lambda s: _set(db, s.share.id, starts_s=int(clock()) + 10_000),
    }
    created = {}
    for state, spoil in makers.items():
        created[state] = shares.create("ocean", owner="ann", expires_in_s=60, max_downloads=1)
        if state != "expired":
            shares.update(created[state].share.id, "ann", expires_in_s=None)
        spoil(created[state])
    clock.now_s += 61
    errors = set()
    for segment in [*(c.token for c in created.values()), new_token(), "", "no token", "x" * 5000]:
        with pytest.raises(ShareNotFoundError) as gone:
            shares.open(segment, now_s=clock())
        errors.add(json.dumps(gone.value.to_json()))
    assert len(errors) == 1
    for state, made in created.items():
        assert shares.get(made.share.id, "ann").state == state


# Other databases do not tell that something changed; there every visit is a query.
only_sqlite = pytest.mark.parametrize("db_kind", ["sqlite"])


def _set(db, share_id, **values):
    with db.begin() as connection:
        connection.execute(update(table).where(table.c.id == share_id).values(**values))


@only_sqlite
def test_peek_follows_every_change_at_once(shares, db, clock):
    created = shares.create("ocean", owner="ann", expires_in_s=100)
    assert shares.peek(created.token, now_s=clock()) is None
    share = shares.open(created.token, now_s=clock())
    assert shares.peek(created.token, now_s=clock()) is share
    assert shares.peek(created.token, now_s=clock() + 100) is None
    shares.revoke(created.share.id, "ann")
    assert shares.peek(created.token, now_s=clock()) is None


@only_sqlite
def test_peek_sees_a_revocation_from_another_process(shares, db, clock):
    created = shares.create("ocean", owner="ann")
    shares.open(created.token, now_s=clock())
    assert shares.peek(created.token, now_s=clock()) is not None
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.execute('UPDATE share SET revoked_s = 1'); c.commit()"
    )
    subprocess.run([sys.executable, "-c", code, db.engine.url.database], check=True)
    assert shares.peek(created.token, now_s=clock()) is None
    with pytest.raises(ShareNotFoundError):
        shares.open(created.token, now_s=clock())


def test_fifty_at_once_on_a_maximum_of_ten(shares, clock):
    created = shares.create("ocean", owner="ann", max_downloads=10)
    share = shares.open(created.token, now_s=clock())
    assert not shares.count_use(share, now_s=clock())

    def take(_):
        try:
            shares.count_exactly(share, now_s=clock())
        except ShareNotFoundError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(50))) == 10
    assert shares.get(created.share.id, "ann").state == "used up"


def test_uses_are_counted_without_waiting_for_the_database(shares, clock):
    created = shares.create("ocean", owner="ann")
    share = shares.open(created.token, now_s=clock())
    for n in range(41):
        assert shares.count_use(share, now_s=clock() + n)
    info = shares.list("ann")[0]
    assert (info.uses, info.last_used_s) == (41, int(clock()) + 40)


def test_owners_do_not_meet(shares):
    created = shares.create("ocean", owner="ann")
    share_id = created.share.id
    assert shares.list("bob") == []
    for call in (shares.get, shares.link, shares.revoke, shares.rotate, shares.update):
        with pytest.raises(ShareNotFoundError):
            call(share_id, "bob")
    assert shares.get(share_id, "ann").state == "active"


def test_update_changes_only_what_is_given(shares, clock):
    created = shares.create("ocean", version="1", owner="ann", description="for Bo", slug="a")
    before = created.share
    after = shares.update(before.id, "ann", version=None, expires_in_s=3600).share
    assert (after.version, after.expires_s) == (None, int(clock()) + 3600)
    assert (after.description, after.slug, after.revision) == ("for Bo", "a", 2)
    with pytest.raises(RevisionMismatchError):
        shares.update(before.id, "ann", description="x", revision=1)
    assert shares.get(before.id, "ann").description == "for Bo"


def test_a_new_password_brings_a_new_capability(shares, clock):
    created = shares.create("ocean", owner="ann", password="open sesame")
    changed = shares.update(created.share.id, "ann", password="close sesame")
    assert changed.capability != created.capability
    with pytest.raises(ShareNotFoundError):
        shares.open(created.capability_segment, now_s=clock())
    assert shares.open(changed.capability_segment, now_s=clock()).is_open
    shares.update(created.share.id, "ann", password=None)
    for segment in (created.token, changed.capability_segment):
        assert shares.open(segment, now_s=clock()).is_open


def test_rotating_ends_the_old_link(shares, clock):
    created = shares.create("ocean", owner="ann", password="open sesame")
    rotated = shares.rotate(created.share.id, "ann")
    for segment in (created.token, created.capability_segment):
        with pytest.raises(ShareNotFoundError):
            shares.open(segment, now_s=clock())
    assert shares.open(rotated.capability_segment, now_s=clock()).is_open


@pytest.mark.parametrize(
    "values",
    [
        {"expires_in_s": 0},
        {"expires_in_s": -5},
        {"expires_in_s": 10**12},
        {"max_downloads": 0},
        {"max_downloads": -1},
        {"slug": "../x"},
        {"password": ""},
        {"password": "12345"},
        {"description": "x" * 2001},
    ],
)
def test_bad_values_make_no_share(shares, db, values):
    with pytest.raises(BadInputError) as refused:
        shares.create("ocean", owner="ann", **values)
    assert refused.value.remedy
    assert rows(db) == []


@pytest.mark.parametrize(("package", "version"), [("lake", None), ("ocean", "3")])
def test_only_what_is_published_can_be_shared(shares, db, package, version):
    with pytest.raises(PackageNotFoundError):
        shares.create(package, version=version, owner="ann")
    assert rows(db) == []


def test_a_lost_key_keeps_links_working(shares, db, clock, tmp_path):
    created = shares.create("ocean", owner="ann")
    other = Shares(
        db, shares._packages, key=bytes(32), settings=Settings(data_dir=str(tmp_path)), clock=clock
    )
    assert other.open(created.token, now_s=clock()).package == "ocean"
    with pytest.raises(ConflictError, match="cannot be shown again"):
        other.link(created.share.id, "ann")
    other.close()

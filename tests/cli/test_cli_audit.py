"""What is done on the command line stands in the same audit as what is done over REST."""

from __future__ import annotations

import contextlib
import getpass
import sqlite3


def audit(cli):
    """Return what and to what, oldest first, after checking who and from where."""
    with contextlib.closing(sqlite3.connect(cli.data_dir / "packager.sqlite")) as db:
        rows = db.execute(
            "select principal, ip, action, object, result, request_id from audit order by id"
        ).fetchall()
    assert {(who, ip, result, request) for who, ip, _, _, result, request in rows} == {
        (getpass.getuser(), None, "ok", None)
    }
    return [(action, subject) for _, _, action, subject, _, _ in rows]


def test_what_curates_and_serves_is_recorded(published):
    token = published.ok("token", "create", "--scope", "api:read", "--json").json["info"]["id"]
    published.ok("token", "revoke", token)
    published.ok("feed", "create", "pypi/main")
    published.ok("feed", "rm", "pypi/main")
    published.ok("presign", "lake:a.csv", "lake:a.csv")
    published.ok("presign", "--package", "p")
    published.ok("rm-version", "p@1")
    published.ok("source", "rm", "lake")
    assert audit(published) == [
        ("source.add", "lake"),
        ("package.create", "p"),
        ("package.publish", "p@1"),
        ("token.create", token),
        ("token.revoke", token),
        ("feed.create", "pypi/main"),
        ("feed.remove", "pypi/main"),
        ("source.presign", "lake"),
        ("package.presign", "p"),
        ("package.delete_version", "p@1"),
        ("source.remove", "lake"),
    ]


def test_each_change_of_a_share_is_recorded_and_its_owner_reads_it(published):
    made = published.ok("share", "p", "--json").json["share"]["id"]
    published.ok("shares", "edit", made, "--description", "for the reviewers")
    published.ok("shares", "rotate", made)
    published.ok("shares", "link", made)
    published.ok("shares", "revoke", made)
    done = [("share." + what, made) for what in ("create", "update", "rotate", "link", "revoke")]
    assert [row for row in audit(published) if row[1] == made] == done
    said = published.ok("shares", "log", made, "--json").json
    assert [row["action"] for row in said["items"]] == [action for action, _ in reversed(done)]
    assert said["cursor"] is None
    shown = published.ok("shares", "log", made).out
    assert getpass.getuser() in shown
    assert "share.rotate" in shown


def test_a_long_log_comes_in_pages(published):
    made = published.ok("share", "p", "--json").json["share"]["id"]
    published.ok("shares", "link", made)
    first = published.ok("shares", "log", made, "--limit", "1", "--json").json
    rest = published.ok(
        "shares", "log", made, "--limit", "9", "--cursor", first["cursor"], "--json"
    )
    rows = first["items"] + rest.json["items"]
    assert [row["action"] for row in rows] == ["share.link", "share.create"]
    assert "--cursor" in published.ok("shares", "log", made, "--limit", "1").err
    published.fails("shares", "log", made, "--cursor", "x", code=2)


def test_what_fails_changes_nothing_and_the_log_of_others_is_not_shown(published, monkeypatch):
    made = published.ok("share", "p", "--json").json["share"]["id"]
    published.fails("shares", "rotate", "sh_000")
    published.fails("shares", "log", "sh_000")
    assert audit(published)[-1] == ("share.create", made)
    published.fails("shares", "log", made, env={"JUPYTERHUB_USER": "somebody-else"})

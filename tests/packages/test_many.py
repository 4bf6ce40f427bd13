"""A package of very many objects on the real gateway: what changed is named, and nothing else.

``PACKAGER_TEST_OBJECTS`` sets how many there are; loading them is what takes the time.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from packager_jupyter.packages.diff import Counts
from packager_jupyter.packages.present import storage_changes
from packager_jupyter.packages.verify import Verifier
from packager_jupyter.sources.catalog import CredentialRef
from packager_jupyter.sources.spec import SourceOptions
from peers.bulk import delete_many, put_many

OBJECTS = int(os.environ.get("PACKAGER_TEST_OBJECTS", "100000"))
PER_FOLDER = 1000


def key_of(number):
    return f"d{number // PER_FOLDER:04}/naïve {number:07}.dat"


@pytest.mark.timeout(900)
def test_one_percent_of_many_objects_changes_and_exactly_that_is_named(rgw, services):
    bucket = rgw.bucket()
    put_many(rgw, bucket, ((f"raw/{key_of(n)}", b"%d" % n) for n in range(OBJECTS)))
    services.sources.add(
        "lake",
        f"s3://{bucket}/raw",
        options=SourceOptions(endpoint_url=rgw.endpoint_url, path_style=True),
        credential=CredentialRef("stored"),
        secret={"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key},
    )
    draft = services.packages.create("ocean")
    assert draft.add("lake", [""], to="in").files_added == OBJECTS
    version = services.packages.version("ocean", draft.publish(now_s=1).version)
    assert check(services, version) == ({}, OBJECTS)
    assert list(storage_changes(version, services.sources.open)) == []

    # One in a hundred: of each three one gets other bytes, one goes, one moves or is new.
    chosen = range(7, OBJECTS, 100)
    changed, gone, moved = chosen[0::4], chosen[1::4], chosen[2::4]
    new = [f"d{number % 90:04}/new {number}.dat" for number in chosen[3::4]]
    moves = {key_of(number): f"moved/{number}.dat" for number in moved}
    put_many(rgw, bucket, ((f"raw/{key_of(n)}", b"other %d" % n) for n in changed))
    put_many(rgw, bucket, ((f"raw/{key}", b"new " + key.encode()) for key in new))
    put_many(rgw, bucket, ((f"raw/{moves[key_of(n)]}", b"%d" % n) for n in moved))
    delete_many(rgw, bucket, [f"raw/{key_of(n)}" for n in (*gone, *moved)])

    found, counts = {}, Counts()
    for change in storage_changes(version, services.sources.open):
        counts.count(change)
        old = change.old.path if change.kind == "renamed" else None
        found[change.path] = (change.kind, old)
    wanted = {f"in/{key_of(n)}": ("changed", None) for n in changed}
    wanted |= {f"in/{key_of(n)}": ("removed", None) for n in gone}
    wanted |= {f"in/{key}": ("added", None) for key in new}
    wanted |= {f"in/{new}": ("renamed", f"in/{old}") for old, new in moves.items()}
    assert found == wanted
    assert (counts.changed, counts.removed) == (len(changed), len(gone))
    assert (counts.added, counts.renamed) == (len(new), len(moved))

    problems, files = check(services, version)
    assert files == OBJECTS
    wanted = {f"in/{key_of(n)}": "changed" for n in changed}
    assert problems == wanted | {f"in/{key_of(n)}": "missing" for n in (*gone, *moved)}
    assert Counter(problems.values()).total() == len(changed) + len(gone) + len(moved)


def check(services, contents):
    problems = []
    report = Verifier(contents, services.sources.open, on_problem=problems.append).run()
    return {problem.path: problem.kind for problem in problems}, report.files

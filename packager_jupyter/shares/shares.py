"""Shares: made, listed, changed and revoked by their owner, opened by whoever holds the link.

This class owns the ``share`` table. Every look-up by an owner names id and owner, so one person's
id is worth nothing to another; every look-up by a visitor goes through the hash of the token.
"""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from packager_jupyter.errors import PackagerError, RevisionMismatchError, ShareNotFoundError
from packager_jupyter.keys import derive_key
from packager_jupyter.shares.audience import WITHOUT_HOST
from packager_jupyter.shares.gate import Gate
from packager_jupyter.shares.model import CreatedShare, info_of, share_gone
from packager_jupyter.shares.opener import Opener
from packager_jupyter.shares.passwords import Passwords, check_new_password
from packager_jupyter.shares.terms import columns_of
from packager_jupyter.shares.tokens import (
    PREFIX_CHARS,
    format_segment,
    new_capability,
    new_token,
    seal,
    secret_hash,
    unseal,
)
from packager_jupyter.shares.uses import Uses
from packager_jupyter.store.schema import share as table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import Row

    from packager_jupyter.config import Settings
    from packager_jupyter.shares.model import Share, ShareInfo
    from packager_jupyter.shares.terms import HasVersions
    from packager_jupyter.store.database import Database

_log = logging.getLogger(__name__)


CHANGEABLE = frozenset(
    {
        "version",
        "paths",
        "audience",
        "password",
        "starts_in_s",
        "expires_in_s",
        "description",
        "slug",
        "max_downloads",
    }
)
"""What `Shares.update` takes."""


class Shares:
    """All shares of one installation; safe to share between threads.

    Parameters
    ----------
    db : Database
    packages : HasVersions
        Asked whether what is to be shared exists.
    key : bytes
        Key of this installation; seals links, signs cookies.
    settings : Settings
    clock : callable, default time.time
        Returns Unix seconds.
    """

    def __init__(
        self,
        db: Database,
        packages: HasVersions,
        *,
        key: bytes,
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._packages = packages
        self._clock = clock
        self._seal_key = derive_key(key, "share-link")
        self._passwords = Passwords()
        self._opener = Opener(db)
        self._uses = Uses(db)
        self.gate = Gate(
            settings=settings,
            key=key,
            passwords=self._passwords,
            on_new_hash=self._renew_hash,
            clock=clock,
        )

    def create(
        self,
        package: str,
        *,
        version: str | None = None,
        owner: str,
        password: str | None = None,
        expires_in_s: int | None = None,
        description: str = "",
        slug: str | None = None,
        max_downloads: int | None = None,
        paths: Sequence[str] = (),
        audience: Sequence[str] = (),
        starts_in_s: int | None = None,
        checkable: Collection[str] = WITHOUT_HOST,
        share_id: str | None = None,
    ) -> CreatedShare:
        """Share a published version of `package`, or always its latest.

        Parameters
        ----------
        version : str, optional
            The one version to share; ``None`` shares the latest of every moment.
        password : str, optional
            What visitors must know. A capability that opens the share without it comes along.
        expires_in_s : int, optional
            Seconds until the share ends, at least 60; ``None`` is for ever.
        description : str
            The owner's own note.
        slug : str, optional
            Readable decoration of the link.
        max_downloads : int, optional
            Files, ZIPs and attachments that may be handed out; counted exactly.
        paths : sequence of str
            The part to share: files, folders, patterns (see `packages.part.PathFilter`). Each must
            match something now. Empty shares everything.
        audience : sequence of str
            Who may read it (see `shares.audience`); empty is anyone.
        starts_in_s : int, optional
            Seconds until the share opens; ``None`` is now.
        checkable : collection of str
            Kinds of audience that the host can check.
        share_id : str, optional
            Of a share that the settings declare; others get a random one.

        Raises
        ------
        PackageNotFoundError
            Nothing is published under that name and version.
        BadInputError
            A value is out of its range.
        """
        now_s = int(self._clock())
        given = {
            "version": version,
            "paths": paths,
            "audience": audience,
            "starts_in_s": starts_in_s,
            "expires_in_s": expires_in_s,
            "description": description,
            "slug": slug,
            "max_downloads": max_downloads,
        }
        values = columns_of(
            given, package=package, packages=self._packages, now_s=now_s, checkable=checkable
        )
        share_id = share_id or "sh_" + secrets.token_hex(12)
        locked, capability = self._locked_by(password)
        linked, token = self._linked(share_id)
        with self._db.begin() as connection:
            connection.execute(
                insert(table).values(
                    id=share_id,
                    epoch=1,
                    created_s=now_s,
                    uses=0,
                    revision=1,
                    package=package,
                    owner=owner,
                    **values,
                    **locked,
                    **linked,
                )
            )
        return CreatedShare(self.get(share_id, owner), token, capability)

    def list(self, owner: str) -> list[ShareInfo]:
        """Return the shares of `owner`, newest first, ended ones included."""
        self._uses.flush()
        query = (
            select(table)
            .where(table.c.owner == owner)
            .order_by(table.c.created_s.desc(), table.c.id)
        )
        with self._db.connect() as connection:
            rows = connection.execute(query).all()
        now_s = self._clock()
        return [info_of(row, now_s) for row in rows]

    def get(self, share_id: str, owner: str) -> ShareInfo:
        """Return one share of `owner`.

        Raises
        ------
        ShareNotFoundError
            `owner` has no share of that id.
        """
        return info_of(self._row(share_id, owner), self._clock())

    def is_password(self, share_id: str, owner: str, password: str | None) -> bool:
        """Whether this is the password of a share; None says that it has none. Blocks."""
        hashed = self._row(share_id, owner).password_hash
        if password is None or hashed is None:
            return password is hashed
        return self._passwords.check(hashed, password).result().is_right

    def link(self, share_id: str, owner: str) -> str:
        """Return the path segment of the share's link, to copy it again.

        Raises
        ------
        ShareNotFoundError
            `owner` has no share of that id.
        ConflictError
            The key that sealed the link is lost.
        """
        row = self._row(share_id, owner)
        token = unseal(row.token_sealed, share_id=share_id, key=self._seal_key)
        return format_segment(token, slug=row.slug)

    def revoke(self, share_id: str, owner: str) -> ShareInfo:
        """End the share at once; revoking it again changes nothing."""
        row = self._row(share_id, owner)
        if row.revoked_s is None:
            self._change(row, owner, {"revoked_s": int(self._clock()), "epoch": row.epoch + 1})
        return self.get(share_id, owner)

    def rotate(self, share_id: str, owner: str) -> CreatedShare:
        """Give the share a new link, and a new capability when it has a password.

        The old link, the old capability and every cookie end at once.
        """
        row = self._row(share_id, owner)
        linked, token = self._linked(share_id)
        capability = new_capability() if row.password_hash else None
        hashed = secret_hash(capability) if capability else None
        self._change(row, owner, {**linked, "capability_hash": hashed, "epoch": row.epoch + 1})
        return CreatedShare(self.get(share_id, owner), token, capability)

    def update(
        self,
        share_id: str,
        owner: str,
        *,
        revision: int | None = None,
        checkable: Collection[str] = WITHOUT_HOST,
        **given: Any,
    ) -> CreatedShare:
        """Change what is given and leave the rest; names and meanings as in `create`.

        A new password (or ``None``, which takes it away) voids every cookie and the old
        capability; the new capability stands in the answer. Another audience voids cookies too.

        Raises
        ------
        RevisionMismatchError
            `revision` is given and not the present one.
        """
        unknown = given.keys() - CHANGEABLE
        if unknown:
            raise TypeError(f"a share has no {min(unknown)}")
        row = self._row(share_id, owner)
        if revision is not None and revision != row.revision:
            raise _changed_elsewhere()
        changes = columns_of(
            given,
            package=row.package,
            packages=self._packages,
            now_s=int(self._clock()),
            checkable=checkable,
            row=row,
        )
        capability = None
        if "password" in given:
            locked, capability = self._locked_by(given["password"])
            changes |= locked
        if "password" in given or changes.get("audience", row.audience) != row.audience:
            changes["epoch"] = row.epoch + 1
        if changes:
            self._change(row, owner, changes)
        token = unseal(row.token_sealed, share_id=share_id, key=self._seal_key)
        return CreatedShare(self.get(share_id, owner), token, capability)

    def peek(self, segment: str, *, now_s: float) -> Share | None:
        """Do what `open` does without a query, or return ``None``; see `Opener.peek`."""
        return self._opener.peek(segment, now_s=now_s)

    def mark(self) -> int | None:
        """Return what changes with every commit to the database; see `Opener.mark`."""
        return self._opener.mark()

    def open(self, segment: str, *, now_s: float) -> Share:
        """Return the active share that the path segment ``[slug-]token[~capability]`` names.

        Raises
        ------
        ShareNotFoundError
            Unknown, expired, revoked, used up, not started, or with a capability that is not
            (or no longer) its own: the same error for all.
        """
        return self._opener.open(segment, now_s=now_s)

    def count_use(self, share: Share, *, now_s: float, count: int = 1) -> bool:
        """Count hand-outs when that needs no database now; False says: use `count_exactly`."""
        if share.max_downloads is not None:
            return False
        self._uses.add(share.id, now_s, count)
        return True

    def count_exactly(self, share: Share, *, now_s: float) -> None:
        """Count one hand-out of a share with a maximum, in one atomic statement.

        Raises
        ------
        ShareNotFoundError
            The maximum is reached.
        """
        if not self.count_at_most(share, 1, now_s=now_s):
            raise share_gone()

    def count_at_most(self, share: Share, count: int, *, now_s: float) -> int:
        """Count up to `count` hand-outs of a share with a maximum; return how many it allows.

        Each attempt is one atomic statement, so that no two visitors get the same last ones.
        """
        while count > 0:
            fits = table.c.uses + count <= table.c.max_downloads
            statement = (
                update(table)
                .where(table.c.id == share.id, fits)
                .values(uses=table.c.uses + count, last_used_s=int(now_s))
            )
            left = select(table.c.max_downloads - table.c.uses).where(table.c.id == share.id)
            with self._db.begin() as connection:
                if connection.execute(statement).rowcount == 1:
                    return count
                count = min(count - 1, connection.execute(left).scalar() or 0)
        return 0

    def close(self) -> None:
        """Write what waits and release threads and connections."""
        self._passwords.close()
        self._uses.close()
        self._opener.close()

    def _row(self, share_id: str, owner: str) -> Row[Any]:
        query = select(table).where(table.c.id == share_id, table.c.owner == owner)
        with self._db.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise ShareNotFoundError(
                "You have no share of this id.",
                remedy="List your shares to see their ids: packager shares ls.",
            )
        return row

    def _change(self, row: Row[Any], owner: str, changes: dict[str, Any]) -> None:
        statement = (
            update(table)
            .where(
                table.c.id == row.id,
                table.c.owner == owner,
                table.c.revision == row.revision,
            )
            .values(**changes, revision=row.revision + 1)
        )
        with self._db.begin() as connection:
            if connection.execute(statement).rowcount != 1:
                raise _changed_elsewhere()

    def _linked(self, share_id: str) -> tuple[dict[str, Any], str]:
        token = new_token()
        values = {
            "token_hash": secret_hash(token),
            "token_sealed": seal(token, share_id=share_id, key=self._seal_key),
            "token_prefix": token[:PREFIX_CHARS],
        }
        return values, token

    def _locked_by(self, password: str | None) -> tuple[dict[str, Any], str | None]:
        if password is None:
            return {"password_hash": None, "capability_hash": None}, None
        hashed = self._passwords.hash(check_new_password(password))
        capability = new_capability()
        return {"password_hash": hashed, "capability_hash": secret_hash(capability)}, capability

    def _renew_hash(self, share: Share, new_hash: str) -> None:
        statement = (
            update(table)
            .where(table.c.id == share.id, table.c.password_hash == share.password_hash)
            .values(password_hash=new_hash)
        )
        try:
            with self._db.begin() as connection:
                connection.execute(statement)
        except (SQLAlchemyError, PackagerError) as error:
            # The old hash stays valid, and the next visit tries again.
            _log.warning("Could not renew a password hash: %s", type(error).__name__)


def _changed_elsewhere() -> RevisionMismatchError:
    return RevisionMismatchError(
        "Somebody else changed this share in the meantime.",
        remedy="Load it again, then repeat your change.",
    )

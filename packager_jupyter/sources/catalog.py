"""The source catalog: which storages are connected, and opening them.

Sources come from the database and from the folders of ``secrets_dir``; a folder goes first where
both have a name. An opened source is kept until its record or its credential changes.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    PackagerError,
    SourceNotFoundError,
)
from packager_jupyter.sources.checks import failed_report
from packager_jupyter.sources.credentials import check_variables, hint_of, resolve
from packager_jupyter.sources.kinds import KINDS, kind_of, open_source, settle_options
from packager_jupyter.sources.managed import managed_names, managed_spec
from packager_jupyter.sources.spec import (
    NONE,
    CredentialRef,
    SourceOptions,
    SourceSpec,
    check_source_name,
)
from packager_jupyter.store.schema import source as table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import RowMapping

    from packager_jupyter.sources.base import Source, SourceReport
    from packager_jupyter.sources.credentials import Credential
    from packager_jupyter.sources.secrets import SecretStore
    from packager_jupyter.store.database import Database

__all__ = [
    "KINDS",
    "NONE",
    "CredentialRef",
    "SourceCatalog",
    "SourceOptions",
    "SourceSpec",
    "check_source_name",
]


@dataclass(frozen=True, slots=True)
class _Opened:
    spec: SourceSpec
    fingerprint: bytes
    source: Source


class SourceCatalog:
    """The connected storages; safe to share between threads.

    Parameters
    ----------
    db : Database
    secrets : SecretStore
        Holds what people gave us; nothing of it ever leaves.
    secrets_dir : Path or None
        Each folder in it is a source by itself.
    local_key : bytes
        Signs the URLs with which ``local`` sources point back at our own server.
    """

    def __init__(
        self, db: Database, secrets: SecretStore, *, secrets_dir: Path | None, local_key: bytes
    ) -> None:
        self._db = db
        self._secrets = secrets
        self._secrets_dir = secrets_dir
        self._local_key = local_key
        self._opened: dict[str, _Opened] = {}
        self._lock = threading.Lock()

    def add(
        self,
        name: str,
        url: str,
        *,
        options: SourceOptions | None = None,
        credential: CredentialRef = NONE,
        secret: Mapping[str, str] | None = None,
    ) -> SourceSpec:
        """Connect a storage; nothing is asked of it yet (see `Source.test`).

        Raises
        ------
        BadInputError
            Name, address, option or credential is not one.
        ConflictError
            A source of that name is connected.
        """
        variables = _variables_for(credential, secret)
        spec = SourceSpec(
            check_source_name(name),
            kind_of(url),
            url,
            settle_options(url, options or SourceOptions(), variables),
            credential,
            hint_of(variables),
        )
        if managed_spec(self._secrets_dir, name) is not None:
            raise _exists(name)
        try:
            with self._db.begin() as connection:
                connection.execute(insert(table), _row(spec) | {"created_s": int(time.time())})
                if variables:
                    self._secrets.put(name, variables)
        except IntegrityError:
            raise _exists(name) from None
        return spec

    def update(
        self,
        name: str,
        *,
        url: str | None = None,
        options: SourceOptions | None = None,
        credential: CredentialRef | None = None,
        secret: Mapping[str, str] | None = None,
    ) -> SourceSpec:
        """Change a source.

        Another address or endpoint forgets its stored secret, so that nobody can have a kept
        secret sent to a place of his own.

        Raises
        ------
        SourceNotFoundError, BadInputError
            As for `spec` and `add`.
        """
        old = self.spec(name)
        if old.is_managed:
            raise _is_managed(name)
        new_url = url or old.url
        new = replace(
            old,
            url=new_url,
            kind=kind_of(new_url),
            options=settle_options(new_url, options or old.options, secret),
            credential=credential or old.credential,
            revision=old.revision + 1,
        )
        is_moved = _place_of(new) != _place_of(old)
        keeps_secret = new.credential.kind == "stored" and not (credential or secret or is_moved)
        variables: dict[str, str] = {}
        if not keeps_secret:
            if new.credential.kind == "stored" and not secret:
                new = replace(new, credential=NONE)
            variables = _variables_for(new.credential, secret)
            new = replace(new, credential_hint=hint_of(variables))
        with self._db.begin() as connection:
            connection.execute(update(table).where(table.c.name == name).values(_row(new)))
            if not keeps_secret:
                self._secrets.forget(name)
            if variables:
                self._secrets.put(name, variables)
        self._close(name)
        return new

    def remove(self, name: str) -> None:
        """Disconnect a storage and forget its secret; its data and all packages stay.

        Raises
        ------
        SourceNotFoundError
            There is none of that name.
        BadInputError
            It comes from ``secrets_dir``.
        """
        if self.spec(name).is_managed:
            raise _is_managed(name)
        with self._db.begin() as connection:
            connection.execute(delete(table).where(table.c.name == name))
            self._secrets.forget(name)
        self._close(name)

    def specs(self) -> list[SourceSpec]:
        """Return every connected source, sorted by name."""
        with self._db.connect() as connection:
            rows = connection.execute(select(table)).mappings().all()
        by_name = {row["name"]: _spec(row) for row in rows}
        for name in managed_names(self._secrets_dir):
            spec = managed_spec(self._secrets_dir, name)
            if spec is not None:
                by_name[name] = spec
        return [by_name[name] for name in sorted(by_name)]

    def spec(self, name: str) -> SourceSpec:
        """Return one source; raises `SourceNotFoundError`."""
        managed = managed_spec(self._secrets_dir, name)
        if managed is not None:
            return managed
        with self._db.connect() as connection:
            row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
        if row is None:
            raise SourceNotFoundError(
                f"No source is called {name[:80]!r}.",
                remedy="See `packager source ls`, or connect one with `packager source add`.",
            )
        return _spec(row)

    def open(self, name: str) -> Source:
        """Return the storage, ready to use; the same object while nothing changes.

        Raises
        ------
        SourceNotFoundError
            There is none of that name.
        CredentialMissingError
            Its credential is not where the source says.
        """
        spec = self.spec(name)
        credential = resolve(spec, self._secrets)
        fingerprint = self._fingerprint(credential)
        with self._lock:
            opened = self._opened.get(name)
        if opened and (opened.spec, opened.fingerprint) == (spec, fingerprint):
            return opened.source
        source = open_source(spec, credential, local_key=self._local_key)
        with self._lock:
            # Two threads may have opened it at once; the later one stays. The other's requests
            # end in peace: closing drops idle connections only.
            opened = self._opened.pop(name, None)
            self._opened[name] = _Opened(spec, fingerprint, source)
        if opened:
            opened.source.close()
        return source

    def test(self, name: str) -> SourceReport:
        """Try a source, also one that cannot be opened; see `base.Source.test`.

        Raises
        ------
        SourceNotFoundError
            There is none of that name.
        """
        self.spec(name)
        try:
            return self.open(name).test()
        except PackagerError as error:
            return failed_report(name, error)

    def close(self) -> None:
        """Close every opened source."""
        with self._lock:
            opened, self._opened = self._opened, {}
        for each in opened.values():
            each.source.close()

    def _close(self, name: str) -> None:
        with self._lock:
            opened = self._opened.pop(name, None)
        if opened:
            opened.source.close()

    def _fingerprint(self, credential: Credential) -> bytes:
        digest = hmac.new(self._local_key, digestmod=hashlib.sha256)
        for key, value in sorted(credential.variables.items()):
            digest.update(f"{len(key)}:{key}{len(value)}:{value}".encode())
        return digest.digest()


def _place_of(spec: SourceSpec) -> tuple[str | None, ...]:
    """Return everything that decides to whom a credential is shown."""
    options = spec.options
    return (
        spec.url,
        options.endpoint_url,
        options.public_endpoint_url,
        options.presign_as,
        options.ca_bundle,
    )


def _variables_for(credential: CredentialRef, secret: Mapping[str, str] | None) -> dict[str, str]:
    variables = check_variables(secret or {})
    if (credential.kind == "stored") != bool(variables):
        raise BadInputError(
            "A stored credential needs its variables, and only a stored one takes them.",
            remedy="Give for example AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose "
            "another kind of credential.",
        )
    return variables


def _row(spec: SourceSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "kind": spec.kind,
        "url": spec.url,
        "options": spec.options.to_json(),
        "credential_kind": spec.credential.kind,
        "credential_ref": spec.credential.ref,
        "credential_hint": spec.credential_hint,
        "revision": spec.revision,
    }


def _spec(row: RowMapping) -> SourceSpec:
    return SourceSpec(
        name=row["name"],
        kind=row["kind"],
        url=row["url"],
        options=SourceOptions.from_json(row["options"]),
        credential=CredentialRef(row["credential_kind"], row["credential_ref"]),
        credential_hint=row["credential_hint"],
        revision=row["revision"],
    )


def _exists(name: str) -> ConflictError:
    return ConflictError(
        f"A source called {name!r} is connected already.",
        remedy=f"Choose another name, or remove it first: packager source rm {name}",
    )


def _is_managed(name: str) -> BadInputError:
    return BadInputError(
        f"The source {name!r} comes from the folder of secrets of this server.",
        remedy="Change or remove it there.",
    )

"""The source catalog: which storages are connected, and opening them.

Sources come from the database and from the folders of ``secrets_dir``; a folder goes first where
both have a name. An opened source is kept until its record or its credential changes.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from packager_jupyter.errors import BadInputError, ConflictError, SourceNotFoundError
from packager_jupyter.sources.credentials import (
    check_variables,
    hint_of,
    read_folder,
    resolve,
)
from packager_jupyter.sources.spec import (
    NONE,
    CredentialRef,
    SourceOptions,
    SourceSpec,
    check_source_name,
    parse_bucket_url,
    parse_file_url,
)
from packager_jupyter.store.schema import source as table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sqlalchemy import RowMapping

    from packager_jupyter.sources.base import Source
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
class Kind:
    """One kind of source: the scheme of its address, its module, and what its address must be.

    The module offers ``open_source(spec, credential, *, local_key) -> Source``.
    """

    scheme: str
    module: str
    check_url: Callable[[str], object]


KINDS: dict[str, Kind] = {
    "s3": Kind("s3", "packager_jupyter.sources.s3", lambda u: parse_bucket_url(u, scheme="s3")),
    "azure": Kind(
        "azure", "packager_jupyter.sources.azure", lambda u: parse_bucket_url(u, scheme="azure")
    ),
    "local": Kind("file", "packager_jupyter.sources.local", parse_file_url),
}


def kind_of(url: str) -> str:
    """Return the kind of source that an address names; raises `BadInputError`."""
    scheme, separator, _ = url.partition("://")
    for name, kind in KINDS.items():
        if separator and kind.scheme == scheme:
            kind.check_url(url)
            return name
    raise BadInputError(
        f"{url[:120]!r} is no address of a storage.",
        remedy="Write s3://bucket/prefix, azure://account/container/prefix or file:///folder.",
    )


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
        spec = SourceSpec(
            check_source_name(name), kind_of(url), url, options or SourceOptions(), credential
        )
        variables = _variables_for(credential, secret)
        spec = replace(spec, credential_hint=hint_of(variables))
        if name in self._managed():
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
        new = replace(
            old,
            url=url or old.url,
            kind=kind_of(url) if url else old.kind,
            options=options or old.options,
            credential=credential or old.credential,
            revision=old.revision + 1,
        )
        is_moved = (new.url, new.options.endpoint_url) != (old.url, old.options.endpoint_url)
        keeps_secret = new.credential.kind == "stored" and credential is None and not is_moved
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
        by_name |= self._managed()
        return [by_name[name] for name in sorted(by_name)]

    def spec(self, name: str) -> SourceSpec:
        """Return one source; raises `SourceNotFoundError`."""
        managed = self._managed().get(name)
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
        module = importlib.import_module(KINDS[spec.kind].module)
        source: Source = module.open_source(spec, credential, local_key=self._local_key)
        with self._lock:
            self._opened[name] = _Opened(spec, fingerprint, source)
        return source

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

    def _managed(self) -> dict[str, SourceSpec]:
        if self._secrets_dir is None or not self._secrets_dir.is_dir():
            return {}
        found = {}
        for folder in sorted(self._secrets_dir.iterdir()):
            if not folder.name.startswith(".") and folder.is_dir():
                spec = _managed_spec(folder)
                if spec is not None:
                    found[spec.name] = spec
        return found


def _managed_spec(folder: Path) -> SourceSpec | None:
    variables = read_folder(folder)
    bucket, prefix = variables.get("BUCKET_NAME"), variables.get("BUCKET_PREFIX", "")
    account = variables.get("AZURE_STORAGE_ACCOUNT")
    if not bucket:
        return None  # some other secret that is mounted beside ours
    url = f"azure://{account}/{bucket}/{prefix}" if account else f"s3://{bucket}/{prefix}"
    return SourceSpec(
        check_source_name(folder.name),
        kind_of(url),
        url.rstrip("/"),
        SourceOptions(
            endpoint_url=variables.get("AWS_ENDPOINT_URL"), region=variables.get("AWS_REGION")
        ),
        CredentialRef("dir", str(folder)),
        hint_of(variables),
        is_managed=True,
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

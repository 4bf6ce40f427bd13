"""The feeds of this installation: declared in the configuration or created, and opened on demand.

A feed is a name below an ecosystem (``pypi/main``). What it holds lies in the OCI store; here is
only what an administrator decides about it.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from packager_jupyter.errors import BadInputError, ConflictError, NotFoundError
from packager_jupyter.oci.feed import Feed
from packager_jupyter.registries.pypi.index import PypiIndex
from packager_jupyter.registries.terraform.modules import ModuleIndex
from packager_jupyter.registries.terraform.providers import ProviderIndex
from packager_jupyter.store.schema import feed as table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.registries.terraform.signing import SigningKey
    from packager_jupyter.store.database import Database

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


class FeedNotFoundError(NotFoundError):
    """There is no feed of that name."""

    code = "feed_not_found"


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """What an administrator decided about a feed.

    Attributes
    ----------
    is_anonymous_read : bool
        Whether everybody may read; publishing always needs a token.
    is_declared : bool
        Stands in the configuration; it is changed there, not here.
    """

    ecosystem: str
    name: str
    is_anonymous_read: bool = False
    is_declared: bool = False

    @property
    def repositories(self) -> tuple[str, ...]:
        """Below which repositories of the artifact store everything of this feed lies."""
        roots = ROOTS[self.ecosystem]
        places = [f"{prefix}{root}/{self.name}" for root in roots for prefix in ("", "meta/")]
        return tuple(places)

    def to_json(self) -> dict[str, Any]:
        """Return what the REST API and ``--json`` show."""
        return {
            "ecosystem": self.ecosystem,
            "name": self.name,
            "is_anonymous_read": self.is_anonymous_read,
            "is_declared": self.is_declared,
        }


@dataclass(frozen=True, slots=True)
class TerraformFeed:
    """A Terraform feed: providers and modules side by side."""

    providers: ProviderIndex
    modules: ModuleIndex


class Feeds:
    """The feeds over one store; safe to share between threads.

    Parameters
    ----------
    db : Database
    store : OciStore
    key : SigningKey
        Signs provider checksums that came without a signature.
    declared : mapping of str to mapping
        ``{"pypi/main": {"anonymous_read": True}}``.
    """

    def __init__(
        self,
        db: Database,
        store: OciStore,
        *,
        key: SigningKey,
        declared: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._db = db
        self._store = store
        self._key = key
        self._declared = dict(_declared(path, options) for path, options in declared.items())
        self._opened: dict[tuple[str, str], object] = {}
        self._lock = threading.Lock()

    def create(self, path: str, *, is_anonymous_read: bool = False) -> FeedSpec:
        """Create the feed ``ECOSYSTEM/NAME``.

        Raises
        ------
        BadInputError
            Unknown ecosystem, or a name that is none.
        ConflictError
            It exists.
        """
        ecosystem, name = split_path(path)
        spec = FeedSpec(ecosystem, name, is_anonymous_read=is_anonymous_read)
        row = {
            "ecosystem": ecosystem,
            "name": name,
            "is_anonymous_read": int(is_anonymous_read),
            "created_s": int(time.time()),
        }
        try:
            if (ecosystem, name) in self._declared:
                raise _exists(path)
            with self._db.begin() as connection:
                connection.execute(insert(table), row)
        except IntegrityError:
            raise _exists(path) from None
        return spec

    def remove(self, path: str) -> None:
        """Take a feed off the air; what it holds stays in the OCI store.

        Raises
        ------
        FeedNotFoundError
            There is none, or it is declared in the configuration.
        """
        ecosystem, name = split_path(path)
        with self._db.begin() as connection:
            found = connection.execute(
                delete(table).where(table.c.ecosystem == ecosystem, table.c.name == name)
            )
        if found.rowcount == 0:
            raise _not_found(path)

    def specs(self) -> Sequence[FeedSpec]:
        """Return every feed, sorted."""
        with self._db.connect() as connection:
            rows = connection.execute(select(table)).all()
        found = {
            (row.ecosystem, row.name): FeedSpec(
                row.ecosystem, row.name, is_anonymous_read=bool(row.is_anonymous_read)
            )
            for row in rows
        }
        found |= self._declared
        return [found[key] for key in sorted(found)]

    def spec(self, ecosystem: str, name: str) -> FeedSpec:
        """Return one feed; raises `FeedNotFoundError`."""
        declared = self._declared.get((ecosystem, name))
        if declared is not None:
            return declared
        query = select(table).where(table.c.ecosystem == ecosystem, table.c.name == name)
        with self._db.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise _not_found(f"{ecosystem}/{name}")
        return FeedSpec(ecosystem, name, is_anonymous_read=bool(row.is_anonymous_read))

    def pypi(self, name: str) -> PypiIndex:
        """Return the package index of a feed that `spec` knows."""
        return cast("PypiIndex", self._open("pypi", name))

    def terraform(self, name: str) -> TerraformFeed:
        """Return the providers and modules of a feed that `spec` knows."""
        return cast("TerraformFeed", self._open("terraform", name))

    def parts(self, spec: FeedSpec) -> Sequence[Feed]:
        """Return the parts of a feed: providers and modules of Terraform are kept apart."""
        return [Feed(self._store, root, spec.name) for root in ROOTS[spec.ecosystem]]

    def _open(self, ecosystem: str, name: str) -> object:
        with self._lock:
            found = self._opened.get((ecosystem, name))
            if found is None:
                found = ECOSYSTEMS[ecosystem](self._store, name, self._key)
                self._opened[ecosystem, name] = found
            return found


def _open_pypi(store: OciStore, name: str, _key: SigningKey) -> object:
    return PypiIndex(store, name)


def _open_terraform(store: OciStore, name: str, key: SigningKey) -> object:
    return TerraformFeed(ProviderIndex(store, name, key=key), ModuleIndex(store, name))


ECOSYSTEMS: dict[str, Callable[[OciStore, str, SigningKey], object]] = {
    "pypi": _open_pypi,
    "terraform": _open_terraform,
}


ROOTS: dict[str, tuple[str, ...]] = {"pypi": ("pypi",), "terraform": ("tf-provider", "tf-module")}
"""The first components of the repositories in which an ecosystem keeps its feeds."""


def split_path(path: str) -> tuple[str, str]:
    """Return the ecosystem and name of ``ECOSYSTEM/NAME``; raises `BadInputError`."""
    ecosystem, _, name = path.partition("/")
    if ecosystem not in ECOSYSTEMS:
        raise BadInputError(
            f"{ecosystem[:40]!r} is no ecosystem that this server speaks.",
            remedy=f"Use one of: {', '.join(sorted(ECOSYSTEMS))}, as in pypi/main.",
        )
    if not (_NAME.fullmatch(name) and _COMPONENT.fullmatch(name)):
        raise BadInputError(
            f"{name[:80]!r} is no name of a feed.",
            remedy="Use 1 to 64 lower-case letters and digits, with '.', '_' or '-' between them.",
        )
    return ecosystem, name


def _declared(path: str, options: Mapping[str, Any]) -> tuple[tuple[str, str], FeedSpec]:
    unknown = set(options) - {"anonymous_read"}
    if unknown:
        raise BadInputError(
            f"The feed {path} is declared with an unknown option {min(unknown)!r}.",
            remedy="The options are: anonymous_read.",
        )
    key = split_path(path)
    is_open = bool(options.get("anonymous_read", False))
    return key, FeedSpec(*key, is_anonymous_read=is_open, is_declared=True)


def _exists(path: str) -> ConflictError:
    return ConflictError(f"The feed {path} exists already.", remedy="Choose another name.")


def _not_found(path: str) -> FeedNotFoundError:
    return FeedNotFoundError(
        f"There is no feed {path[:120]!r}.",
        remedy="See `packager feed ls`, or create it: packager feed create ECOSYSTEM/NAME",
    )

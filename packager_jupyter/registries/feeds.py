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
from packager_jupyter.registries.quota import Guard
from packager_jupyter.registries.spec import ROOTS, make_spec
from packager_jupyter.registries.terraform.modules import ModuleIndex
from packager_jupyter.registries.terraform.providers import ProviderIndex
from packager_jupyter.store.schema import feed as table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Row

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.registries.spec import FeedSpec
    from packager_jupyter.registries.terraform.signing import SigningKey
    from packager_jupyter.store.database import Database

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


class FeedNotFoundError(NotFoundError):
    """There is no feed of that name."""

    code = "feed_not_found"


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
        ``{"pypi/main": {"anonymous_read": True}}``; see `spec.OPTIONS`.
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

    def create(self, path: str, *, is_anonymous_read: bool = False, **options: Any) -> FeedSpec:
        """Create the feed ``ECOSYSTEM/NAME``.

        Parameters
        ----------
        path : str
        is_anonymous_read : bool, default False
        **options
            The other options by their names in `spec.OPTIONS`; None stands for the default.

        Raises
        ------
        BadInputError
            Unknown ecosystem, a name that is none, or an option that cannot be so.
        ConflictError
            It exists.
        """
        ecosystem, name = split_path(path)
        given = {key: value for key, value in options.items() if value is not None}
        spec = make_spec(ecosystem, name, given | {"anonymous_read": is_anonymous_read})
        row = {
            "ecosystem": ecosystem,
            "name": name,
            "is_anonymous_read": int(is_anonymous_read),
            "created_s": int(time.time()),
            "options": spec.options(),
        }
        try:
            if (ecosystem, name) in self._declared:
                raise _exists(path)
            with self._db.begin() as connection:
                connection.execute(insert(table), row)
        except IntegrityError:
            raise _exists(path) from None
        self.guard(ecosystem, name).recount()
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
        found = {(row.ecosystem, row.name): _from_row(row) for row in rows}
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
        return _from_row(row)

    def guard(self, ecosystem: str, name: str) -> Guard:
        """Return the limits of a feed, as they are when they are asked for."""
        return Guard(
            self._db,
            lambda: self.spec(ecosystem, name),
            feed_bytes=lambda: sum(
                part.size_bytes(project)
                for part in self.parts(self.spec(ecosystem, name))
                for project in part.projects()
            ),
        )

    def pypi(self, name: str) -> PypiIndex:
        """Return the package index of a feed that `spec` knows."""
        return cast("PypiIndex", self._open("pypi", name))

    def terraform(self, name: str) -> TerraformFeed:
        """Return the providers and modules of a feed that `spec` knows."""
        return cast("TerraformFeed", self._open("terraform", name))

    def parts(self, spec: FeedSpec) -> Sequence[Feed]:
        """Return the parts of a feed: providers and modules of Terraform are kept apart."""
        return [Feed(self._store, root, spec.name) for root in ROOTS[spec.ecosystem]]

    def tidy(self) -> int:
        """Finish deletions that were recorded and then cut short; return how many files went."""
        indexes = [self.pypi(spec.name) for spec in self.specs() if spec.ecosystem == "pypi"]
        return sum(index.tidy(name) for index in indexes for name in index.feed.projects())

    def _open(self, ecosystem: str, name: str) -> object:
        with self._lock:
            found = self._opened.get((ecosystem, name))
            if found is None:
                found = ECOSYSTEMS[ecosystem](
                    self._store, name, self._key, self.guard(ecosystem, name)
                )
                self._opened[ecosystem, name] = found
            return found


def _open_pypi(store: OciStore, name: str, _key: SigningKey, guard: Guard) -> object:
    return PypiIndex(store, name, guard=guard)


def _open_terraform(store: OciStore, name: str, key: SigningKey, guard: Guard) -> object:
    return TerraformFeed(
        ProviderIndex(store, name, key=key, guard=guard), ModuleIndex(store, name, guard=guard)
    )


ECOSYSTEMS: dict[str, Callable[[OciStore, str, SigningKey, Guard], object]] = {
    "pypi": _open_pypi,
    "terraform": _open_terraform,
}


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


def _from_row(row: Row[tuple[Any, ...]]) -> FeedSpec:
    options = dict(row.options or {}) | {"anonymous_read": bool(row.is_anonymous_read)}
    return make_spec(row.ecosystem, row.name, options)


def _declared(path: str, options: Mapping[str, Any]) -> tuple[tuple[str, str], FeedSpec]:
    key = split_path(path)
    return key, make_spec(*key, options, is_declared=True)


def _exists(path: str) -> ConflictError:
    return ConflictError(f"The feed {path} exists already.", remedy="Choose another name.")


def _not_found(path: str) -> FeedNotFoundError:
    return FeedNotFoundError(
        f"There is no feed {path[:120]!r}.",
        remedy="See `packager feed ls`, or create it: packager feed create ECOSYSTEM/NAME",
    )

"""``ls`` and ``presign``: what a source holds, and signed addresses of it.

Both stream: a listing of millions of keys is written as it arrives and is never held.
"""

from __future__ import annotations

import csv
import shlex
import sys
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import click
import orjson

from packager_jupyter.cli.base import (
    SessionCommand,
    bytes_option,
    page_options,
    pass_session,
)
from packager_jupyter.cli.output import count_of, printable, utc_minute
from packager_jupyter.cli.values import (
    ADDRESS,
    DURATION,
    PACKAGE_REF,
    SOURCE_OR_ADDRESS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from packager_jupyter.cli.base import (
        Session,
    )
    from packager_jupyter.cli.values import (
        Address,
        PackageRef,
    )
    from packager_jupyter.sources.base import Entry, Signer, Source

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Some rows, and whether and how the listing goes on after them."""

    entries: list[Entry]
    cursor: str | None = None
    is_complete: bool = True


@click.command("ls", cls=SessionCommand)
@click.argument("address", metavar="SOURCE[:PREFIX]", type=SOURCE_OR_ADDRESS)
@click.option("-r", "--recursive", is_flag=True, help="Every file below, not one level.")
@page_options
@bytes_option
@pass_session
def ls(
    session: Session, address: Address, *, recursive: bool, limit: int | None, cursor: str | None
) -> None:
    """List what a source holds: size, date (UTC) and key.

    PREFIX ends in / to look into a folder. A listing that could not be read to its end is an
    error, never a short listing.
    """
    if recursive and cursor:
        raise click.UsageError("--cursor goes with a listing of one level, not with --recursive.")
    opened = session.services.sources.open(address.source)
    prefix = address.key or ""
    stretches = (
        _walked(opened, prefix, limit=limit)
        if recursive
        else _level(opened, prefix, limit=limit, cursor=cursor)
    )
    rows = 0
    last = _Stretch([])
    if session.out.is_json:
        with session.out.json_items() as write:
            for last in stretches:
                for entry in last.entries:
                    write(_entry_json(entry))
            session.out.close_items(cursor=last.cursor, is_complete=last.is_complete)
        return
    for last in stretches:
        rows += len(last.entries)
        click.echo("".join(_entry_line(session, entry) for entry in last.entries), nl=False)
    if last.cursor is not None:
        again = shlex.join(["packager", "ls", str(address), "--cursor", last.cursor])
        session.out.remark(f"There are more: {again}")
    elif not last.is_complete:
        session.out.remark(f"Stopped after {count_of(rows, 'row')}; there are more.")
    elif not rows and cursor is None:
        session.out.remark(
            f"Nothing in {address.source} begins with {prefix!r}."
            if prefix
            else f"{address.source} is empty."
        )


def _level(
    opened: Source, prefix: str, *, limit: int | None, cursor: str | None
) -> Iterator[_Stretch]:
    left = limit
    while True:
        page = opened.list_page(prefix, cursor=cursor, limit=min(_PAGE, left or _PAGE))
        cursor = page.cursor
        yield _Stretch(page.entries, cursor, is_complete=cursor is None)
        if left is not None:
            left -= len(page.entries)
        if cursor is None or left == 0:
            return


def _walked(opened: Source, prefix: str, *, limit: int | None) -> Iterator[_Stretch]:
    left = limit
    for batch in opened.walk(prefix):
        if left is not None:
            if len(batch) > left:
                yield _Stretch(batch[:left], is_complete=False)
                return
            left -= len(batch)
        yield _Stretch(batch)


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key,
        "name": entry.key.rstrip("/").rpartition("/")[2] or entry.key,
        "is_folder": entry.is_folder,
        "size_bytes": entry.size_bytes,
        "modified_s": entry.modified_s,
        "etag": entry.etag,
        "version_id": entry.version_id,
        "storage_class": entry.storage_class,
    }


def _entry_line(session: Session, entry: Entry) -> str:
    width = 14 if session.out.is_exact else 8
    size = "" if entry.is_folder else session.out.size(entry.size_bytes)
    date = "folder" if entry.is_folder else utc_minute(entry.modified_s)
    return f"{size:>{width}}  {date:16}  {printable(entry.key)}\n"


@click.command("presign", cls=SessionCommand)
@click.argument("addresses", metavar="[SOURCE:KEY]...", nargs=-1, type=ADDRESS)
@click.option("--package", type=PACKAGE_REF, metavar="NAME[@V]", help="Every file of a package.")
@click.option(
    "--from-file",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="One SOURCE:KEY a line; - reads standard input.",
)
@click.option(
    "--expires", type=DURATION, metavar="TIME", help="Life time.  [default: presign_ttl_s, 1h]"
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "ndjson", "csv"]),
    default="text",
    help="text: one URL a line.",
)
@pass_session
def presign(
    session: Session,
    addresses: tuple[Address, ...],
    *,
    package: PackageRef | None,
    from_file: IO[str] | None,
    expires: int | None,
    shape: str,
) -> None:
    """Print signed addresses that read objects until they expire.

    Each reads exactly one object, without a login. Whoever has such an address reads the object:
    treat it like a password.
    """
    if sum((bool(addresses), package is not None, from_file is not None)) != 1:
        raise click.UsageError("Give SOURCE:KEY..., or --package, or --from-file: one of them.")
    ttl_s = expires or session.settings.presign_ttl_s
    signed = _Signing(session, ttl_s=ttl_s)
    if package is not None:
        targets = _package_targets(session, package)
    else:
        listed = addresses or _addresses_of(from_file)
        targets = ((item.source, item.key or "", None, None) for item in listed)
    rows = (signed.row(*target) for target in targets)
    if session.out.is_json:
        with session.out.json_items() as write:
            for row in rows:
                write(row)
        return
    _WRITERS[shape](rows)


class _Signing:
    """The signers of one run, made once per source."""

    def __init__(self, session: Session, *, ttl_s: int) -> None:
        self._session = session
        self._ttl_s = ttl_s
        self._signers: dict[str, Signer] = {}
        self._expires_s = int(time.time()) + ttl_s

    def row(
        self, source: str, key: str, path: str | None, version_id: str | None
    ) -> dict[str, Any]:
        """Return one signed address with what it is for."""
        signer = self._signers.get(source)
        if signer is None:
            from packager_jupyter.cli.addresses import base_url

            opened = self._session.services.sources.open(source)
            signer = opened.signer(ttl_s=self._ttl_s, self_url=base_url(self._session.settings).url)
            self._signers[source] = signer
            if path is None:
                self._session.audit("source.presign", source)
        row: dict[str, Any] = {"source": source, "key": key}
        if path is not None:
            row["path"] = path
        url = signer(key, version_id=version_id)
        return row | {"url": url, "expires_s": self._expires_s}


def _package_targets(
    session: Session, ref: PackageRef
) -> Iterator[tuple[str, str, str | None, str | None]]:
    version = session.services.packages.version(ref.name, ref.version or "latest")
    session.audit("package.presign", ref.name)
    for pointer in version.iter_pointers():
        yield pointer.source, pointer.key, pointer.path, pointer.version_id


def _addresses_of(file: IO[str] | None) -> Iterator[Address]:
    for line in file or ():
        text = line.rstrip("\r\n")
        if text:
            yield ADDRESS.convert(text, None, None)


def _write_text(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        sys.stdout.write(row["url"] + "\n")


def _write_ndjson(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        sys.stdout.write(orjson.dumps(row).decode() + "\n")


def _write_csv(rows: Iterable[dict[str, Any]]) -> None:
    table = csv.DictWriter(
        sys.stdout,
        ["source", "key", "url", "expires_s"],
        extrasaction="ignore",
        lineterminator="\n",
    )
    table.writeheader()
    table.writerows(rows)


_WRITERS: dict[str, Callable[[Iterable[dict[str, Any]]], None]] = {
    "text": _write_text,
    "ndjson": _write_ndjson,
    "csv": _write_csv,
}

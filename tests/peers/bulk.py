"""Many small objects into a bucket of the real gateway, as fast as it takes them.

boto3 spends more time on a request than the gateway does, so this speaks HTTP itself: several
connections, each with some requests under way (RFC 9112, section 9.3.2), signed with the old
and cheap AWS signature 2.
"""

from __future__ import annotations

import base64
import hmac
import socket
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from peers.rgw import RgwConnection

_UNDER_WAY = 8
_TIMEOUT_S = 120


def put_many(
    rgw: RgwConnection, bucket: str, objects: Iterable[tuple[str, bytes]], *, connections: int = 8
) -> int:
    """Put every ``(key, body)``; return how many there were.

    Raises
    ------
    RuntimeError
        The gateway refused one.
    """
    rows = list(objects)
    parts = [rows[start::connections] for start in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        return sum(pool.map(lambda part: _put_part(rgw, bucket, part), parts))


def delete_many(rgw: RgwConnection, bucket: str, keys: Iterable[str]) -> None:
    """Delete objects, a thousand in a request."""
    client = rgw.client()
    rest = iter(keys)
    while batch := list(islice(rest, 1000)):
        wanted = {"Objects": [{"Key": key} for key in batch], "Quiet": True}
        answer = client.delete_objects(Bucket=bucket, Delete=wanted)
        if answer.get("Errors"):
            raise RuntimeError(str(answer["Errors"][:3]))


def _put_part(rgw: RgwConnection, bucket: str, rows: list[tuple[str, bytes]]) -> int:
    address = urlsplit(rgw.endpoint_url)
    requests = _requests(rgw, bucket, rows)
    with socket.create_connection(
        (address.hostname, address.port), timeout=_TIMEOUT_S
    ) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = connection.makefile("rb")
        while batch := list(islice(requests, _UNDER_WAY)):
            connection.sendall(b"".join(batch))
            for _ in batch:
                _read_answer(answers)
    return len(rows)


def _requests(rgw: RgwConnection, bucket: str, rows: list[tuple[str, bytes]]) -> Iterator[bytes]:
    host = urlsplit(rgw.endpoint_url).netloc
    date = formatdate(usegmt=True)
    for key, body in rows:
        path = f"/{bucket}/{quote(key)}"
        mac = hmac.digest(rgw.secret_key.encode(), f"PUT\n\n\n{date}\n{path}".encode(), "sha1")
        head = (
            f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nDate: {date}\r\n"
            f"Authorization: AWS {rgw.access_key}:{base64.b64encode(mac).decode()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


def _read_answer(answers) -> None:
    status = answers.readline()
    length = 0
    while line := answers.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = answers.read(length)
    if not status.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{status!r} {body[:300]!r}")

"""The client over a server's REST API."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import quote

import httpx

from packager_jupyter.client.answers import raise_failure, read_json, unreachable
from packager_jupyter.errors import BadInputError, CancelledError
from packager_jupyter.packages.inventory import open_keys, to_json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packager_jupyter.api.shapes.common import Status
    from packager_jupyter.client.base import Progress

TIMEOUT_S = 60.0
_POLL_FIRST_S = 0.05
_POLL_LAST_S = 1.0
_PAGE = 1000
_CHUNK = 1024 * 1024


class Transport:
    """Requests to one server; the token goes to that server and nowhere else.

    Parameters
    ----------
    url : str
        Address of the packager's own root, ending in ``/``.
    token : str, optional
    verify : bool or str, default True
        Whether to check the server's certificate, or the file to check it with.
    """

    def __init__(self, url: str, *, token: str | None, verify: bool | str = True) -> None:
        self.url = url if url.endswith("/") else url + "/"
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # Redirects are not followed: whatever redirects is a login page, not the API.
        self._http = httpx.Client(headers=headers, timeout=TIMEOUT_S, verify=verify)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        data: bytes | Iterator[bytes] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send one request and return its JSON; raises what the server says went wrong."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            response = self._http.request(
                method, f"{self.url}api/v1/{path}", json=body, content=data, params=given
            )
        except httpx.HTTPError as error:
            raise unreachable(self.url, error) from error
        if response.is_success:
            return read_json(response, self.url)
        return raise_failure(response, self.url)

    def pages(self, path: str, query: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the rows of a list page by page."""
        cursor: str | None = None
        while True:
            page = self.call("GET", path, query={**query, "cursor": cursor})
            yield from page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return

    def wait(self, job: dict[str, Any], progress: Progress | None) -> dict[str, Any]:
        """Wait for a job; whatever interrupts the waiting cancels it."""
        pause_s = _POLL_FIRST_S
        try:
            while job["state"] == "running":
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, _POLL_LAST_S)
                job = self.call("GET", f"jobs/{job['id']}")
                if progress is not None:
                    progress(job["files"], job["bytes"])
        except BaseException:
            self.call("DELETE", f"jobs/{job['id']}")
            raise
        if job["state"] == "done":
            return cast("dict[str, Any]", job["result"])
        if job["state"] == "cancelled":
            raise CancelledError(job["error"]["message"], remedy=job["error"]["remedy"])
        return raise_failure(job["error"], self.url)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _segment(name: str) -> str:
    """Return `name` as one path segment, the slash of a namespace included."""
    if name in {"", ".", ".."}:  # would name another address
        raise BadInputError(f"{name!r} is no name.", remedy="Use a name with letters or digits.")
    return quote(name, safe="")


class RestSources:
    """Sources over REST; see `base.Sources`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Any:
        """See `base.Sources.list`."""
        return list(self._transport.pages("sources", {}))

    def add(
        self,
        name: str,
        url: str,
        *,
        options: Mapping[str, Any] | None = None,
        credential: Mapping[str, str] | None = None,
        secret: Mapping[str, str] | None = None,
    ) -> Any:
        """See `base.Sources.add`."""
        body: dict[str, Any] = {"name": name, "url": url}
        given = {"options": options, "credential": credential, "secret": secret}
        body |= {key: dict(value) for key, value in given.items() if value is not None}
        return self._transport.call("POST", "sources", body=body)

    def remove(self, name: str) -> None:
        """See `base.Sources.remove`."""
        self._transport.call("DELETE", f"sources/{_segment(name)}")

    def test(self, name: str) -> Any:
        """See `base.Sources.test`."""
        return self._transport.call("POST", f"sources/{_segment(name)}/test")

    def entries(self, name: str, prefix: str = "") -> Iterator[Any]:
        """See `base.Sources.entries`."""
        path = f"sources/{_segment(name)}/entries"
        return self._transport.pages(path, {"prefix": prefix, "limit": _PAGE})

    def presign(
        self, name: str, key: str, *, version_id: str | None = None, ttl_s: int | None = None
    ) -> Any:
        """See `base.Sources.presign`."""
        body = {"key": key, "version_id": version_id, "ttl_s": ttl_s}
        return self._transport.call("POST", f"sources/{_segment(name)}/presign", body=body)


class RestPackages:
    """Packages over REST; see `base.Packages`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Any:
        """See `base.Packages.list`."""
        return list(self._transport.pages("packages", {}))

    def create(self, name: str, *, title: str | None = None, description: str | None = None) -> Any:
        """See `base.Packages.create`."""
        body = {"name": name, "title": title, "description": description}
        return self._transport.call("POST", "packages", body=body)

    def get(self, name: str) -> Any:
        """See `base.Packages.get`."""
        return self._transport.call("GET", f"packages/{_segment(name)}")

    def delete_draft(self, name: str) -> None:
        """See `base.Packages.delete_draft`."""
        self._transport.call("DELETE", f"packages/{_segment(name)}")

    def add(
        self,
        name: str,
        source: str,
        keys: Sequence[str],
        *,
        to: str = "",
        rename: str | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """See `base.Packages.add`."""
        body = {
            "source": source,
            "keys": list(keys),
            "to": to,
            "rename": rename,
            "include": list(include),
            "exclude": list(exclude),
        }
        job = self._transport.call("POST", f"packages/{_segment(name)}/files", body=body)
        return self._transport.wait(job, progress)

    def add_keys(
        self,
        name: str,
        source: str,
        file: str | Path,
        *,
        to: str = "",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """See `base.Packages.add_keys`."""
        path = Path(file)
        keys = open_keys(path)
        query = {
            "source": source,
            "to": to,
            "include": "\n".join(include),
            "exclude": "\n".join(exclude),
            "bucket": keys.bucket,
            "name": path.name if keys.bucket is None else f"rows of {path.name}",
        }
        # An inventory lies in several files: its rows go as one list.
        data = _chunks(path) if keys.bucket is None else to_json_lines(keys)
        job = self._transport.call(
            "POST", f"packages/{_segment(name)}/keys", data=data, query=query
        )
        return self._transport.wait(job, progress)

    def add_stored_keys(
        self,
        name: str,
        source: str,
        list_source: str,
        list_key: str,
        *,
        to: str = "",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """See `base.Packages.add_stored_keys`."""
        body = {
            "source": source,
            "list_source": list_source,
            "list_key": list_key,
            "to": to,
            "include": list(include),
            "exclude": list(exclude),
        }
        job = self._transport.call("POST", f"packages/{_segment(name)}/keys/stored", body=body)
        return self._transport.wait(job, progress)

    def attach(self, name: str, path: str, data: bytes) -> Any:
        """See `base.Packages.attach`."""
        return self._transport.call(
            "PUT", f"packages/{_segment(name)}/attachments", data=data, query={"path": path}
        )

    def remove(self, name: str, paths: Sequence[str]) -> Any:
        """See `base.Packages.remove`."""
        body = {"paths": list(paths)}
        return self._transport.call("DELETE", f"packages/{_segment(name)}/files", body=body)

    def files(
        self, name: str, *, version: str | None = None, path: str = "", match: str | None = None
    ) -> Iterator[Any]:
        """See `base.Packages.files`."""
        query = {"version": version, "path": path, "match": match, "limit": _PAGE}
        return self._transport.pages(f"packages/{_segment(name)}/files", query)

    def status(self, name: str) -> Any:
        """See `base.Packages.status`."""
        return self._transport.call("GET", f"packages/{_segment(name)}/status")

    def publish(self, name: str, version: str | None = None) -> Any:
        """See `base.Packages.publish`."""
        body = {"version": version, "async": True}
        job = self._transport.call("POST", f"packages/{_segment(name)}/versions", body=body)
        return self._transport.wait(job, None)

    def versions(self, name: str) -> Any:
        """See `base.Packages.versions`."""
        return list(self._transport.pages(f"packages/{_segment(name)}/versions", {}))


class RestShares:
    """Shares over REST; see `base.Shares`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Any:
        """See `base.Shares.list`."""
        return list(self._transport.pages("shares", {}))

    def create(self, package: str, **given: Any) -> Any:
        """See `base.Shares.create`."""
        return self._transport.call("POST", "shares", body={"package": package, **given})

    def update(self, share_id: str, **changes: Any) -> Any:
        """See `base.Shares.update`."""
        return self._transport.call("PATCH", f"shares/{_segment(share_id)}", body=changes)

    def rotate(self, share_id: str) -> Any:
        """See `base.Shares.rotate`."""
        return self._transport.call("POST", f"shares/{_segment(share_id)}/rotate")

    def link(self, share_id: str) -> str:
        """See `base.Shares.link`."""
        return str(self._transport.call("GET", f"shares/{_segment(share_id)}/link")["url"])

    def revoke(self, share_id: str) -> None:
        """See `base.Shares.revoke`."""
        self._transport.call("DELETE", f"shares/{_segment(share_id)}")


class RestClient:
    """A server as a client sees it; see `base.Client`.

    Parameters are those of `Transport`. The representation shows the address, never the token.
    """

    def __init__(self, url: str, *, token: str | None = None, verify: bool | str = True) -> None:
        self._transport = Transport(url, token=token, verify=verify)
        self.sources = RestSources(self._transport)
        self.packages = RestPackages(self._transport)
        self.shares = RestShares(self._transport)

    def __repr__(self) -> str:
        return f"RestClient({self._transport.url!r})"

    def status(self) -> Status:
        """Say what answers."""
        return cast("Status", self._transport.call("GET", "status"))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

"""Which endpoints callers of the REST API may make this server talk to.

Whoever connects a source through the API chooses an address that the server then asks (server-side
request forgery). Allowed are the vendors' own hosts and what the administrator lists in
``Settings.endpoint_hosts``; never, unless listed by name, an address of this machine, of its
networks or of the cloud's metadata services.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packager_jupyter.errors import BadInputError, ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

VENDOR_HOSTS = (
    "*.amazonaws.com",
    "*.amazonaws.com.cn",
    "*.blob.core.windows.net",
    "*.blob.core.chinacloudapi.cn",
    "*.blob.core.usgovcloudapi.net",
    "storage.googleapis.com",
)
# Metadata services that lie outside of the link-local ranges.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"))
)
# What inet_aton reads as an address and a URL parser as a name: decimal, octal, hexadecimal.
_is_numeric_host = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}").fullmatch
_is_host = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?").fullmatch
_SCHEMES = frozenset({"http", "https"})


def resolve_host(host: str) -> list[str]:
    """Return every address that the name service gives for `host`."""
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return sorted({str(answer[4][0]) for answer in answers})


def check_endpoint_allowed(
    url: str,
    allowed_hosts: Sequence[str],
    *,
    resolve: Callable[[str], Iterable[str]] = resolve_host,
) -> str:
    """Return `url` when a caller of the API may name it as an endpoint.

    Parameters
    ----------
    url : str
        The endpoint.
    allowed_hosts : sequence of str
        Hosts, or patterns such as ``*.lab.test``, besides the vendors'. A host named in full, or
        by a pattern of its own domain, may also lie in a private network; ``*`` allows every
        public host.
    resolve : callable
        The name service.

    Raises
    ------
    BadInputError
        When `url` is no plain http or https address.
    ForbiddenError
        When the host is not allowed, or leads to an address inside.
    """
    host = _host_of(url)
    patterns = [pattern.lower().rstrip(".") for pattern in allowed_hosts]
    named = [pattern for pattern in patterns if pattern != "*"]
    if any(fnmatchcase(host, pattern) for pattern in named):
        return url
    is_vendor = any(fnmatchcase(host, pattern) for pattern in VENDOR_HOSTS)
    if not is_vendor and "*" not in patterns:
        raise ForbiddenError(
            f"The endpoint {host} is not among those that this server may be connected to.",
            remedy="Ask the administrator to add it to Settings.endpoint_hosts.",
        )
    if not is_vendor or urlsplit(url).scheme != "https":
        _check_addresses(host, resolve)
    return url


def check_endpoint_of_owner(
    url: str, *, resolve: Callable[[str], Iterable[str]] = resolve_host
) -> str:
    """Return `url` when whoever runs this server may name it as an endpoint.

    That person reaches the server's networks anyway, and the storage of a team often lies in them.
    Only the cloud's metadata services are refused: no storage is there, and their answers are
    credentials.

    Raises
    ------
    BadInputError
        When `url` is no plain http or https address.
    ForbiddenError
        When the host leads to a metadata service.
    """
    host = _host_of(url)
    if any(_is_metadata(address) for address in _addresses(host, resolve)):
        raise ForbiddenError(
            f"The endpoint {host} leads to a metadata service, not to a storage.",
            remedy="Give the address of the storage.",
        )
    return url


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    bare = host.removesuffix(".")
    is_literal = ":" in bare
    if (
        parts.scheme not in _SCHEMES
        or not (is_literal or _is_host(bare))
        or port == 0
        or "@" in parts.netloc
        or "\\" in url
        or parts.query
        or parts.fragment
        or any(ord(character) <= ord(" ") for character in url)
    ):
        raise BadInputError(
            "The endpoint is not a plain web address.",
            remedy="Write scheme, host and, where needed, port: https://s3.example.org:8443. "
            "No user name, query or fragment.",
        )
    return bare


def _addresses(
    host: str, resolve: Callable[[str], Iterable[str]]
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return every address that `host` leads to; none when the name service does not know it."""
    if _is_numeric_host(host):
        # Let the system's own reading of odd numbers (0x7f.1, 2130706433) decide.
        try:
            answers: Iterable[str] = [socket.inet_ntoa(socket.inet_aton(host))]
        except OSError:
            answers = []
    elif ":" in host:
        answers = [host]
    else:
        try:
            answers = resolve(host)
        except OSError:
            answers = []
    return [ipaddress.ip_address(answer.partition("%")[0]) for answer in answers]


def _check_addresses(host: str, resolve: Callable[[str], Iterable[str]]) -> None:
    addresses = _addresses(host, resolve)
    if not addresses:
        raise BadInputError(
            f"The endpoint's host {host} is not known to the name service.",
            remedy="Check its spelling.",
        )
    # One answer inside is enough: the next look-up may give just that one.
    if any(_is_inside(address) for address in addresses):
        raise ForbiddenError(
            f"The endpoint {host} leads to an address inside this server's own networks.",
            remedy="If that is right, ask the administrator to name the host in "
            "Settings.endpoint_hosts.",
        )


def _is_inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return _is_inside(inner)
        teredo = address.teredo
        if teredo is not None:
            return any(_is_inside(part) for part in teredo)
        if address in _NAT64:
            return _is_inside(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return not address.is_global or address.is_multicast or address in _METADATA


def _is_metadata(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (inner or address).is_link_local or address in _METADATA or inner in _METADATA


_NAT64 = ipaddress.ip_network("64:ff9b::/96")

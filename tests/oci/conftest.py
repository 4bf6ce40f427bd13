"""Stores to test against, and artifacts to put into them."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from packager_jupyter.oci import manifest as m
from packager_jupyter.oci.base import MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.registry_auth import RegistryLogin
from packager_jupyter.oci.remote import RemoteStore
from peers.docker_registry import DockerRegistry
from peers.process import PeerMissingError

if TYPE_CHECKING:
    from packager_jupyter.oci.base import Descriptor, OciStore

KIND = "application/vnd.example.thing.v1"


@dataclass(frozen=True)
class Pusher:
    """Pushes small artifacts of one layer."""

    store: OciStore

    def __call__(self, repo, tag=None, *, data=b"data", subject=None, **options) -> Descriptor:
        self.store.push_blob(repo, m.EMPTY_BYTES)
        layer = self.store.push_blob(repo, data, media_type="text/plain")
        body = m.image_manifest(layers=[layer], artifact_type=KIND, subject=subject)
        return self.store.push_manifest(
            repo, body, media_type=MEDIA_TYPE_MANIFEST, tag=tag, **options
        )


@pytest.fixture
def layout(tmp_path):
    store = LayoutStore(tmp_path / "oci")
    yield store
    store.close()


def _running(**options):
    try:
        server = DockerRegistry(**options)
    except PeerMissingError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    with server as connection:
        yield server, connection


@pytest.fixture(scope="session")
def plain_registry():
    """A registry that takes everybody."""
    yield from _running()


@pytest.fixture(scope="session")
def basic_registry():
    """A registry with TLS of its own authority that wants a password."""
    yield from _running(auth="basic", tls=True)


@pytest.fixture(scope="session")
def bearer_registry():
    """A registry that wants tokens of a token server."""
    yield from _running(auth="bearer")


def open_remote(running, prefix, **options):
    """Open a store on a registry, below a prefix of its own."""
    _server, connection = running
    login = RegistryLogin(connection.username, connection.password)
    return RemoteStore(
        f"{connection.url}/{prefix}",
        login=login if connection.username else None,
        ca_bundle=Path(connection.ca_bundle) if connection.ca_bundle else None,
        **options,
    )


def _remote(request, kind):
    store = open_remote(request.getfixturevalue(kind), f"t{uuid.uuid4().hex[:12]}")
    yield store
    store.close()


@pytest.fixture
def plain(request):
    """A `RemoteStore` on a registry without login."""
    yield from _remote(request, "plain_registry")


@pytest.fixture
def basic(request):
    """A `RemoteStore` with Basic login over TLS."""
    yield from _remote(request, "basic_registry")


@pytest.fixture
def bearer(request):
    """A `RemoteStore` with tokens."""
    yield from _remote(request, "bearer_registry")


@pytest.fixture(params=["layout", "plain", "basic", "bearer"])
def store(request) -> OciStore:
    """Every kind of store: what holds for one holds for all."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def layout_push(layout):
    """A `Pusher` on the layout store alone."""
    return Pusher(layout)


@pytest.fixture
def push(store):
    return Pusher(store)

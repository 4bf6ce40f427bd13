"""Stores to test against, and artifacts to put into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from packager_jupyter.oci import manifest as m
from packager_jupyter.oci.base import MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.layout import LayoutStore

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


@pytest.fixture(params=["layout"])
def store(request) -> OciStore:
    """Every kind of store: what holds for one holds for all."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def push(store):
    return Pusher(store)

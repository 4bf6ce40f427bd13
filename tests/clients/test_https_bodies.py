"""Large bodies over TLS, where reads have other sizes than on a plain connection."""

from __future__ import annotations

import hashlib
import os
import ssl
from urllib.parse import urljoin

import httpx
import pytest

MIB = 1024 * 1024


@pytest.fixture
def client(https_registry):
    """A client that trusts the server's authority and may publish."""
    trusted = ssl.create_default_context(cafile=https_registry.environment()["SSL_CERT_FILE"])
    token = https_registry.token("oci/lab/*:publish")
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(verify=trusted, headers=headers, timeout=120) as client:
        yield client


def test_a_blob_goes_in_and_out(https_registry, client):
    data = os.urandom(40 * MIB + 3)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    wrong = f"sha256:{'0' * 64}"
    for stated, status in ((wrong, 400), (digest, 201)):
        begun = client.post(f"{https_registry.url}v2/lab/big/blobs/uploads/")
        upload = urljoin(https_registry.url, begun.headers["Location"])
        done = client.put(upload, params={"digest": stated}, content=data)
        assert done.status_code == status, done.text
    blob = f"{https_registry.url}v2/lab/big/blobs/{digest}"
    assert client.get(blob).content == data
    part = client.get(blob, headers={"Range": f"bytes={20 * MIB}-{30 * MIB}"})
    assert part.content == data[20 * MIB : 30 * MIB + 1]

"""Sources on the real storages, and on servers that misbehave on order."""

from __future__ import annotations

import pytest

from packager_jupyter.sources import azure, s3
from packager_jupyter.sources.credentials import Credential
from packager_jupyter.sources.spec import SourceOptions, SourceSpec
from sources.support import Misbehaving, s3_credential


@pytest.fixture
def misbehaving():
    server = Misbehaving()
    yield server
    server.stop()


@pytest.fixture
def other_host():
    """A second server, to see that nobody is sent there."""
    server = Misbehaving()
    yield server
    server.stop()


@pytest.fixture
def quick(monkeypatch):
    """Make the pauses between tries short: how often is tested, not how long."""
    monkeypatch.setattr("packager_jupyter.sources.transport._FIRST_PAUSE_S", 0.001)


@pytest.fixture
def s3_source(rgw):
    """Return a function that opens a source on a bucket of the real gateway."""
    opened = []

    def make(bucket, *, prefix="", credential=None, **options):
        options = {"endpoint_url": rgw.endpoint_url, "path_style": True} | options
        url = f"s3://{bucket}/{prefix}".rstrip("/")
        spec = SourceSpec("field-data", "s3", url, SourceOptions(**options))
        source = s3.open_source(spec, credential or s3_credential(rgw), local_key=b"")
        opened.append(source)
        return source

    yield make
    for source in opened:
        source.close()


@pytest.fixture
def fake_s3(misbehaving, quick):
    """A source whose storage is the misbehaving server."""
    spec = SourceSpec("field-data", "s3", "s3://data", SourceOptions(endpoint_url=misbehaving.url))
    variables = {
        "AWS_ACCESS_KEY_ID": "AKIDCANARY",
        "AWS_SECRET_ACCESS_KEY": "canary-secret",
        "AWS_SESSION_TOKEN": "canary-token",
    }
    source = s3.open_source(spec, Credential("stored", None, variables), local_key=b"")
    yield source
    source.close()


@pytest.fixture
def azure_source(azurite):
    """Return a function that opens a source on a container of the real Azurite."""
    opened = []

    def make(container, *, prefix="", credential=None, **options):
        options = {"endpoint_url": azurite.endpoint} | options
        url = f"azure://{azurite.account}/{container}/{prefix}".rstrip("/")
        spec = SourceSpec("field-data", "azure", url, SourceOptions(**options))
        variables = {"AZURE_STORAGE_ACCOUNT": azurite.account, "AZURE_STORAGE_KEY": azurite.key}
        source = azure.open_source(
            spec, credential or Credential("stored", None, variables), local_key=b""
        )
        opened.append(source)
        return source

    yield make
    for source in opened:
        source.close()

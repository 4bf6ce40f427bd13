"""A package index on a registry that fails in the middle: an upload is kept whole or not at all."""

from __future__ import annotations

import io
import uuid
from datetime import UTC, datetime

import pytest

from faults.proxy import Fault, FaultProxy
from packager_jupyter.errors import BusyError, PackagerError, StorageError
from packager_jupyter.oci.remote import RemoteStore
from packager_jupyter.registries.pypi.index import PypiIndex
from packager_jupyter.registries.pypi.upload import upload_of_file
from registries.pypi.distributions import wheel

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FILES = {wheel("demo", version)[0] for version in ("1.0", "2.0")}
BROKEN = {
    "answers 500": Fault(status=500, body=b"{}"),
    "hangs up": Fault(cut_after=-1),
    "loses the answer": Fault(edit=lambda _status, headers, _body: (500, headers, b"")),
}


@pytest.fixture
def proxy(plain_registry):
    _server, connection = plain_registry
    with FaultProxy(connection.url) as running:
        yield running


@pytest.fixture
def store(proxy):
    remote = RemoteStore(f"{proxy.url}/t{uuid.uuid4().hex[:12]}")
    yield remote
    remote.close()


def publish(store, version):
    name, data = wheel("demo", version)
    upload = upload_of_file(io.BytesIO(data), name)
    return PypiIndex(store, "main").publish(upload, by="alice", now=NOW)


def offered(store):
    page = PypiIndex(store, "main").page("demo")
    return {row.filename for row in page.files} if page else set()


def once(fault, number):
    """Let the `number`-th request of a test suffer, and no other."""
    seen = 0

    def rule(_request):
        nonlocal seen
        seen += 1
        return fault if seen == number else None

    return rule


@pytest.mark.parametrize("name", BROKEN)
def test_one_failure_anywhere_loses_nothing(proxy, store, name):
    publish(store, "1.0")
    before = len(proxy.seen)
    publish(store, "2.0")
    calls = len(proxy.seen) - before
    assert calls > 5
    for number in range(1, calls + 1):
        version = f"3.{number}"
        proxy.rule = once(BROKEN[name], number)
        try:
            publish(store, version)
            is_acknowledged = True
        except (StorageError, BusyError):
            is_acknowledged = False
        proxy.rule = lambda _request: None
        filename = wheel("demo", version)[0]
        assert filename in offered(store) or not is_acknowledged
        publish(store, version)
        assert filename in offered(store)
    assert offered(store) >= FILES


def test_a_registry_that_is_down_is_said_so_and_never_taken_for_empty(proxy, store):
    publish(store, "1.0")
    proxy.rule = lambda _request: Fault(status=503, headers={"Retry-After": "0"}, body=b"{}")
    for ask in (lambda: offered(store), lambda: publish(store, "2.0")):
        with pytest.raises(PackagerError) as refused:
            ask()
        assert refused.value.status in {502, 503}
    proxy.rule = lambda _request: None
    assert offered(store) == {wheel("demo", "1.0")[0]}


def test_a_tag_that_is_read_while_it_is_pushed_is_read_again(proxy, store):
    """Debian's docker-registry answers 500 then; a read is tried again, and the page is whole."""
    publish(store, "1.0")
    offered(store)
    publish(store, "2.0")
    failed = []

    def rule(request):
        if request.method == "GET" and "/manifests/" in request.path and len(failed) < 2:
            failed.append(request.path)
            return Fault(status=500, body=b"{}")
        return None

    proxy.rule = rule
    assert offered(store) == FILES
    assert len(failed) == 2

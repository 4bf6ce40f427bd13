"""What only the client over REST has: jobs that it waits for, and answers of strange servers."""

from __future__ import annotations

import threading
import time

import pytest

from packager_jupyter.api.owner import local_owner
from packager_jupyter.client.answers import KINDS, RemoteError, failure_of
from packager_jupyter.client.rest import RestClient
from packager_jupyter.errors import ConflictError, PackagerError, RateLimitedError


class EnoughError(Exception):
    """Raised by a progress callback."""


@pytest.fixture
def client(running):
    with RestClient(running.url, token=running.token) as client:
        yield client


def test_interrupting_the_wait_cancels_the_job(client, running):
    ended = threading.Event()

    def work(progress):
        try:
            while True:
                progress(1, 1)
                time.sleep(0.005)
        finally:
            ended.set()

    def enough(_files, _size):
        raise EnoughError

    job = running.context.jobs.start("add", subject="x", owner=local_owner(), work=work)
    with pytest.raises(EnoughError):
        client._transport.wait(job.to_json(), enough)
    assert ended.wait(10)


def test_a_failed_job_raises_what_it_says(client, running):
    def work(_progress):
        raise ConflictError("Taken.", remedy="Choose another.")

    job = running.context.jobs.start("add", subject="x", owner=local_owner(), work=work)
    with pytest.raises(ConflictError) as caught:
        client._transport.wait(job.to_json() | {"state": "running"}, None)
    assert caught.value.remedy == "Choose another."


def test_every_code_becomes_its_class():
    for code, kind in KINDS.items():
        error = failure_of({"code": code, "message": "M.", "remedy": "R."})
        assert type(error) is kind
        assert error.to_json() == {"code": code, "message": "M.", "remedy": "R."}
    limited = failure_of({"code": "rate_limited", "message": "M", "remedy": "R"}, retry_after="7")
    assert isinstance(limited, RateLimitedError)
    assert limited.retry_after_s == 7


def test_an_unknown_code_keeps_its_name():
    error = failure_of({"code": "from_the_future", "message": "M.", "remedy": "R."})
    assert isinstance(error, RemoteError)
    assert isinstance(error, PackagerError)
    assert error.to_json()["code"] == "from_the_future"

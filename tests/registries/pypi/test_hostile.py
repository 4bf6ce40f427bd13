"""Every hostile distribution is refused for what is wrong with it, and an honest one is not."""

from __future__ import annotations

import io

import pytest

from packager_jupyter.errors import BadInputError
from packager_jupyter.registries.pypi.upload import upload_of_file
from registries.pypi import hostile
from registries.pypi.distributions import sdist, wheel


@pytest.mark.parametrize("name", hostile.CORPUS)
def test_it_is_refused(name):
    filename, make = hostile.CORPUS[name]
    with pytest.raises(BadInputError) as refused:
        upload_of_file(io.BytesIO(make()), filename)
    print(refused.value.message)


def test_the_corpus_is_honest_but_for_one_thing():
    for name, data in (wheel(), sdist(), (hostile.WHEEL, hostile._wheel(("demo/more.py", b"")))):
        assert upload_of_file(io.BytesIO(data), name).size_bytes == len(data)
    assert upload_of_file(io.BytesIO(hostile._tar()), hostile.SDIST).name.project == "demo"

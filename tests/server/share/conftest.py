"""The package of `ocean`, published on whatever host the test asks for."""

from __future__ import annotations

import pytest

from server.share.ocean import make_published


@pytest.fixture
def ocean(host, tmp_path):
    """Return the package, published in each host."""
    return make_published(host, tmp_path / "lake")


@pytest.fixture
def alone(standalone_host, tmp_path):
    """Return the package, published in the standalone server."""
    return make_published(standalone_host, tmp_path / "lake")

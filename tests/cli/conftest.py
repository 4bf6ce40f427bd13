import pytest

from cli.runner import Cli


@pytest.fixture
def cli(tmp_path):
    made = Cli(tmp_path, in_process=True)
    made.ok("source", "ls")  # the first use makes database and keys
    return made


@pytest.fixture
def published(cli, tmp_path):
    """A package p of one file of the source lake, published."""
    storage = tmp_path / "storage"
    storage.mkdir()
    (storage / "a.csv").write_bytes(b"x,y\n")
    cli.ok("source", "add", "lake", storage.as_uri())
    cli.ok("new", "p")
    cli.ok("add", "p", "lake:")
    cli.ok("publish", "p")
    return cli

import pytest

from cli.runner import Cli


@pytest.fixture
def cli(tmp_path):
    made = Cli(tmp_path, in_process=True)
    made.ok("source", "ls")  # the first use makes database and keys
    return made

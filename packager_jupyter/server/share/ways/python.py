"""Ways that read the files from Python."""

from __future__ import annotations

import glob
import json
from typing import TYPE_CHECKING

from packager_jupyter.exports.huggingface import repository_of
from packager_jupyter.server.share.ways.base import Way

if TYPE_CHECKING:
    from packager_jupyter.server.share.ways.base import ShareFacts

GROUP = "Python"
# How pandas reads a file whose name ends so.
_READERS = {
    (".csv", ".csv.gz"): ("read_csv", ""),
    (".tsv", ".tsv.gz"): ("read_csv", ', sep="\\t"'),
    (".parquet",): ("read_parquet", ""),
    (".jsonl", ".ndjson"): ("read_json", ", lines=True"),
}
_TABLES = tuple(suffix for suffixes in _READERS for suffix in suffixes)


def _stdlib(facts: ShareFacts) -> str:
    lines = ["import json", "import shutil", "import urllib.request", "from pathlib import Path"]
    if facts.is_locked:
        lines.insert(0, "import getpass")
        lines += ["", 'headers = {"X-Share-Token": getpass.getpass()}']
    else:
        lines += ["", "headers = {}"]
    lines += [
        "",
        "def get(url):",
        "    return urllib.request.urlopen(urllib.request.Request(url, headers=headers))",
        "",
        f"for line in get({facts.python('manifest.jsonl')}):",
        "    file = json.loads(line)",
        f'    path = Path({json.dumps(facts.folder)}, file["path"])',
        "    path.parent.mkdir(parents=True, exist_ok=True)",
        '    with get(file["url"]) as source, path.open("wb") as target:',
        "        shutil.copyfileobj(source, target)",
        '    assert path.stat().st_size == file["size"], f"{path} is not whole"',
    ]
    return "\n".join(lines)


def _pandas(facts: ShareFacts) -> str:
    path = facts.example(*_TABLES) or ""
    reader, more = next(how for ends, how in _READERS.items() if path.lower().endswith(ends))
    address = facts.python(facts.file(path))
    return (
        f"{facts.ask_python}import pandas as pd\n\n"
        f"table = pd.{reader}({address}{more})\nprint(table.describe())"
    )


def _fsspec(facts: ShareFacts) -> str:
    address = facts.python(facts.file(facts.examples[0]))
    return (
        f"{facts.ask_python}import fsspec\n\n"
        f"with fsspec.open({address}) as file:\n    print(file.read(1000))"
    )


def _references(facts: ShareFacts) -> str:
    link = "link" if facts.asks_link else facts.python()
    return (
        f"{facts.ask_python}import fsspec\n\n"
        f"protocol = {link}.partition(':')[0]\n"
        f"files = fsspec.filesystem('reference', fo={facts.python('refs.json')}, "
        "remote_protocol=protocol)\n"
        "print(files.find(''))"
    )


def _repository(facts: ShareFacts) -> str:
    return json.dumps(repository_of(facts.name))


def _huggingface(facts: ShareFacts) -> str:
    return (
        f"{facts.ask_python}from huggingface_hub import snapshot_download\n\n"
        f'print(snapshot_download({_repository(facts)}, repo_type="dataset", '
        f"endpoint={facts.python('hf')}))"
    )


def _datasets(facts: ShareFacts) -> str:
    # By itself the library takes the kind of file that there is most of, README included.
    path = json.dumps(glob.escape(facts.example(*_TABLES) or ""))
    return (
        f'{facts.ask_python}import os\n\nos.environ["HF_ENDPOINT"] = {facts.python("hf")}\n'
        "from datasets import load_dataset\n\n"
        f"print(load_dataset({_repository(facts)}, data_files={path}))"
    )


PYTHON_WAYS = (
    Way("python", GROUP, "Python", "Every file, with nothing to install.", _stdlib),
    Way(
        "pandas",
        GROUP,
        "pandas",
        "One table, straight into memory.",
        _pandas,
        applies=lambda facts: facts.example(*_TABLES) is not None,
        opens_with="link",
    ),
    Way(
        "fsspec",
        GROUP,
        "fsspec",
        "One file, read in parts as you need them; xarray and others open it so.",
        _fsspec,
        opens_with="link",
    ),
    Way(
        "fsspec-package",
        GROUP,
        "fsspec, all",
        "The whole package as one filesystem, read in parts as you need them.",
        _references,
        opens_with="link",
    ),
    Way(
        "huggingface",
        GROUP,
        "Hugging Face",
        "Every file, into the cache of huggingface_hub.",
        _huggingface,
        opens_with="link",
    ),
    Way(
        "datasets",
        GROUP,
        "datasets",
        "A table as a dataset; leave data_files out where the README says what belongs together.",
        _datasets,
        applies=lambda facts: facts.example(*_TABLES) is not None,
        opens_with="link",
    ),
)

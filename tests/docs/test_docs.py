"""The documentation agrees with the code and with itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gen_docs import PAGES, REFERENCE

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(file: Path) -> set[str]:
    """Return the anchors that a Markdown viewer gives the headings of `file`."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", file.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def links(file: Path) -> list[str]:
    """Return the targets inside the repository that `file` links to."""
    found = [first or second for first, second in LINK.findall(CODE.sub("", file.read_text()))]
    return [target for target in found if "://" not in target]


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_says_what_the_code_says(name):
    assert (REFERENCE / name).read_text() == PAGES[name](), "run tools/gen_docs.py"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(file):
    broken = []
    for target in links(file):
        path, _, anchor = target.partition("#")
        there = (file.parent / path).resolve() if path else file
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert not broken


def test_every_page_is_in_the_index():
    listed = {(DOCS / target.partition("#")[0]).resolve() for target in links(DOCS / "index.md")}
    pages = {file for file in DOCS.rglob("*.md") if file.name != "index.md"}
    assert not pages - listed


def test_the_readme_names_the_two_commands_as_they_are_run():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert "python3 tools/bootstrap.py demo" in lines
    assert "python3 tools/bootstrap.py test" in lines
    assert "python3 tools/bootstrap.py test" in (ROOT / ".ci" / "run").read_text().splitlines()

"""What changes a package or a share goes through `api.recorded`, which writes the audit."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "packager_jupyter"
ROOMS = {"api", "cli", "client", "demo", "extension", "fetch", "fs", "hub", "serve", "server"}
RECORDED = FOLDER / "api" / "recorded.py"
FILES = sorted(
    file
    for file in FOLDER.rglob("*.py")
    if file.relative_to(FOLDER).parts[0].removesuffix(".py") in ROOMS and file != RECORDED
)
CHANGES = {
    "shares": {"create", "update", "rotate", "link", "revoke"},
    "packages": {"create", "delete_draft", "delete_version"},
}


def name_of(node: ast.expr) -> str:
    """Return the last name of ``a``, ``a.b`` or a call of them."""
    if isinstance(node, ast.Call):
        return name_of(node.func)
    return getattr(node, "attr", getattr(node, "id", ""))


def unrecorded(source: str) -> list[str]:
    """Say where a module changes a package or a share by itself."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute):
            continue
        owner = name_of(node.value)
        changes = node.attr in CHANGES.get(owner, set())
        if changes or (owner, node.attr) == ("draft", "publish"):
            found.append(f"{node.lineno}: {owner}.{node.attr}")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_no_front_end_changes_anything_without_an_entry(file):
    assert unrecorded(file.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "session.services.shares.revoke(one, owner)",
        "shares = services.shares\nshares.create('p', owner='me')",
        "self.call(self.services.packages.delete_draft, package)",
        "services.packages.draft(name).publish(None, now_s=1)",
        "draft.publish('1', now_s=1)",
    ],
)
def test_a_change_without_an_entry_is_found(source):
    assert unrecorded(source)

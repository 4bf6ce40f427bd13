"""Ways that clone the share as a git repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.server.share.ways.base import Way

if TYPE_CHECKING:
    from packager_jupyter.server.share.ways.base import ShareFacts

GROUP = "Git"
# One variable of git's that every program it starts inherits, so no line has it among arguments.
_GIT_HEADER = 'export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=http.extraHeader \\\n  \
GIT_CONFIG_VALUE_0="X-Share-Token: $PASSWORD" GIT_CONFIG_KEY_1=annex.http-headers \\\n  \
GIT_CONFIG_VALUE_1="X-Share-Token: $PASSWORD"\n'


def _header(facts: ShareFacts) -> str:
    return f"{facts.ask}{_GIT_HEADER}" if facts.is_locked else ""


def _annex(facts: ShareFacts) -> str:
    return (
        f"{_header(facts)}git clone {facts.shell('repo.git')} {facts.folder}\n"
        f"cd {facts.folder} && git annex get ."
    )


def _datalad(facts: ShareFacts) -> str:
    return (
        f"{_header(facts)}datalad clone {facts.shell('repo.git')} {facts.folder}\n"
        f"cd {facts.folder} && datalad get ."
    )


def _dvc(facts: ShareFacts) -> str:
    return (
        f"{facts.ask}git clone {facts.shell('dvc.git')} {facts.folder}\n"
        f"cd {facts.folder} && dvc pull"
    )


def _lfs(facts: ShareFacts) -> str:
    return (
        f"{facts.ask}git clone {facts.shell('lfs.git')} {facts.folder}\n"
        f"cd {facts.folder} && git lfs pull"
    )


GIT_WAYS = (
    Way(
        "git-annex",
        GROUP,
        "git-annex",
        "A repository; the files come as you get them, and are verified.",
        _annex,
    ),
    Way("datalad", GROUP, "DataLad", "The same repository as a dataset.", _datalad),
    Way("dvc", GROUP, "DVC", "A DVC project whose remote is this share.", _dvc, opens_with="link"),
    Way(
        "git-lfs",
        GROUP,
        "Git LFS",
        "A repository of the files whose SHA-256 is known.",
        _lfs,
        opens_with="link",
    ),
)

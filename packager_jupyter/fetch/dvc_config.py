"""The text of a ``.dvc/config``, to which remotes are added and nothing else is touched.

DVC reads it with ConfigObj: sections such as ``['remote "name"']`` with ``key = value`` below, a
value in quotes or not. Its own commands write the whole file anew; here all other lines, comments
too, stay byte for byte.

Format: https://dvc.org/doc/command-reference/config.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER = re.compile(r"""\s*\[\s*(['"]?)(?P<name>[^\[\]]*?)\1\s*\]\s*(?:#.*)?""")
_OPTION = re.compile(r"\s*(?P<key>[^#=\s]+)\s*=\s*(?P<value>.*?)\s*(?:\s#.*)?")
_SAFE_VALUE = re.compile(r"""[!#-&(-\[\]-~]+""")  # printable ASCII without quotes and backslash


class DvcConfig:
    """One configuration file of a DVC project.

    Parameters
    ----------
    text : str
        What the file holds; empty when there is none.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def section(self, name: str) -> dict[str, str] | None:
        """Return the options of a section, keys in lower case; None when there is no such one."""
        found: dict[str, str] | None = None
        is_inside = False
        for line in self.text.splitlines():
            header = _HEADER.fullmatch(line)
            if header is not None:
                is_inside = header["name"] == name
                found = found or {} if is_inside else found
                continue
            option = _OPTION.fullmatch(line)
            if is_inside and found is not None and option is not None:
                found[option["key"].lower()] = option["value"].strip("\"'")
        return found

    def remote(self, name: str) -> dict[str, str] | None:
        """Return the options of a remote; None when there is no such one."""
        return self.section(_remote(name))

    def put_remote(self, wanted: str, options: Mapping[str, str]) -> str:
        """Have a remote with exactly these options; return its name.

        Parameters
        ----------
        wanted : str
            Its name, unless another remote has it: then a number follows.
        options : mapping

        Raises
        ------
        BadInputError
            A value cannot stand in such a file.
        """
        name, number = wanted, 1
        while (there := self.remote(name)) is not None:
            if _plain(there) == _plain(options):
                return name
            number += 1
            name = f"{wanted}-{number}"
        self._append(name, options)
        return name

    def put_url(self, name: str, url: str) -> None:
        """Have `url` as the address of the remote `name`, and leave its other options alone."""
        if self.remote(name) is None:
            self._append(name, {"url": url})
            return
        lines: list[str] = []
        is_inside = False
        for line in self.text.splitlines(keepends=True):
            header = _HEADER.fullmatch(line.rstrip("\r\n"))
            option = _OPTION.fullmatch(line.rstrip("\r\n"))
            if is_inside and header is None and option is not None and option["key"] == "url":
                continue
            lines.append(line)
            if header is not None:
                is_inside = header["name"] == _remote(name)
                if is_inside:
                    lines[-1] = line if line.endswith("\n") else f"{line}\n"
                    lines.append(_line("url", url))
        self.text = "".join(lines)

    def _append(self, name: str, options: Mapping[str, str]) -> None:
        if self.text and not self.text.endswith("\n"):
            self.text += "\n"
        lines = [_line(key, value) for key, value in options.items()]
        self.text += "".join([f"['{_remote(name)}']\n", *lines])


def _remote(name: str) -> str:
    return f'remote "{name}"'


def _line(key: str, value: str) -> str:
    if _SAFE_VALUE.fullmatch(value) is None:
        raise BadInputError(
            "The share's address has signs that a DVC configuration cannot hold.",
            remedy="Give the link as the share page shows it.",
        )
    return f'    {key} = "{value}"\n'


def _plain(options: Mapping[str, str]) -> dict[str, str]:
    """Return options as they compare: DVC writes ``True`` where a person wrote ``true``."""
    return {
        key: value.lower() if value.lower() in ("true", "false") else value
        for key, value in options.items()
    }

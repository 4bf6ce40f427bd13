"""The lines with which people get the data of a share, filled in with its address."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit

from packager_jupyter.exports.base import encode_path

ASK_PASSWORD = "read -rsp 'Password: ' PASSWORD"  # noqa: S105  # asks for one, holds none
HEADER = '--header "X-Share-Token: $PASSWORD"'


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to get the data: its name, when to take it, the lines to copy."""

    name: str
    hint: str
    lines: str


def recipes(*, share_url: str, name: str, is_locked: bool, first_file: str) -> list[Recipe]:
    """Return the ways in the order in which they are shown.

    Parameters
    ----------
    share_url : str
        Address of the share as the visitor came by it, ending in ``/``.
    name : str
        Name of the package; the data goes into a folder of this name.
    is_locked : bool
        Whether the lines must ask for a password.
    first_file : str
        Path of a file, for the lines about one file.
    """
    folder = name.rpartition("/")[2]
    ask = f"{ASK_PASSWORD}\n" if is_locked else ""
    header = f"{HEADER} " if is_locked else ""
    cut = len([part for part in urlsplit(share_url).path.split("/") if part]) + 1
    found = [
        Recipe(
            "wget",
            "Every file, in its folders. Run it again to continue where it stopped.",
            f"{ask}wget -nv {header}-O {folder}.urls {share_url}urls.txt\n"
            f"wget -c -x -nH --cut-dirs={cut} {header}-P {folder} -i {folder}.urls",
        ),
        Recipe(
            "rclone",
            "Every file, the fastest for many small ones. Run it again to fetch what is missing.",
            f"{ask}rclone copy :http: {folder} --http-no-head "
            + ('--http-headers "X-Share-Token,$PASSWORD" ' if is_locked else "")
            + f"--http-url {share_url}files/",
        ),
    ]
    address = f"{share_url}files/{encode_path(first_file)}"
    target = shlex.quote(first_file.rpartition("/")[2])
    python = _python(share_url, folder, is_locked=is_locked)
    return [
        *found,
        Recipe("curl", "One file.", f"{ask}curl -fL {header}-o ./{target} {address}"),
        Recipe("Python", "Every file, with nothing to install.", python),
    ]


def _python(share_url: str, folder: str, *, is_locked: bool) -> str:
    lines = ["import json", "import shutil", "import urllib.request", "from pathlib import Path"]
    if is_locked:
        lines.insert(0, "import getpass")
        lines += ["", 'headers = {"X-Share-Token": getpass.getpass()}']
    else:
        lines += ["", "headers = {}"]
    lines += [
        "",
        "def get(url):",
        "    return urllib.request.urlopen(urllib.request.Request(url, headers=headers))",
        "",
        f"for line in get({json.dumps(share_url + 'manifest.jsonl')}):",
        "    file = json.loads(line)",
        f'    path = Path({json.dumps(folder)}, file["path"])',
        "    path.parent.mkdir(parents=True, exist_ok=True)",
        '    with get(file["url"]) as source, path.open("wb") as target:',
        "        shutil.copyfileobj(source, target)",
        '    assert path.stat().st_size == file["size"], f"{path} is not whole"',
    ]
    return "\n".join(lines)

"""The command line: `packager`, also `jupyter packager`.

This module owns the way in and the way out: it runs the click application and turns whatever
leaves it into an exit code (0 done, 1 an error with its remedy, 2 wrong usage) and one line on
stderr. The commands themselves stand in one module per group.
"""

from __future__ import annotations

import os
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

CANCELLED_EXIT = 130  # 128 + SIGINT, as shells count


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; default ``sys.argv[1:]``.

    Returns
    -------
    int
        0 done, 1 an error (one line with its remedy on stderr), 2 wrong usage, 130 cancelled.
    """
    import click

    from packager_jupyter.cli.app import app
    from packager_jupyter.cli.failure import report_failure

    args = list(sys.argv[1:] if argv is None else argv)
    is_subcommand = PurePath(sys.argv[0]).name.startswith("jupyter-")
    prog_name = "jupyter packager" if is_subcommand else "packager"
    try:
        result = app.main(args=args, prog_name=prog_name, standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`head`) has what it wanted: no complaint, and none at interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("error: cancelled; work that had not finished was not kept.", err=True)
        return CANCELLED_EXIT
    except Exception as error:  # noqa: BLE001  # the last stop: everything ends as one line
        return report_failure(error, is_json="--json" in args)
    return result if isinstance(result, int) else 0

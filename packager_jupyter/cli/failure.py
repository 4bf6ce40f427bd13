"""How a failed command ends: the exit code and the one line (or JSON object) on stderr.

Owns the wording of everything that is not a `PackagerError` already: wrong usage, files that
cannot be opened, and defects of ours, whose traceback is shown only on request.
"""

from __future__ import annotations

import os
import traceback

import click
import orjson

from packager_jupyter.cli.output import printable, use_color
from packager_jupyter.errors import PackagerError

USAGE_EXIT = 2
DEBUG_ENV = "PACKAGER_DEBUG"


def report_failure(error: Exception, *, is_json: bool) -> int:
    """Write `error` to stderr and return the exit code.

    Parameters
    ----------
    error : Exception
        What left the command.
    is_json : bool
        Whether to write the error object of the REST API instead of a sentence.
    """
    body, exit_code = _describe(error)
    if is_json:
        click.echo(orjson.dumps(body), err=True)
    else:
        label = click.style("error:", fg="red", bold=True)
        text = " ".join(part for part in (body["message"], body["remedy"]) if part)
        click.echo(f"{label} {printable(text)}", err=True, color=use_color())
    if body["code"] == "internal_error" and os.environ.get(DEBUG_ENV):
        click.echo("".join(traceback.format_exception(error)), err=True)
    return exit_code


def _describe(error: Exception) -> tuple[dict[str, str], int]:
    if isinstance(error, PackagerError):
        return error.to_json(), 1
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "packager"
        return {
            "code": "wrong_usage",
            "message": error.format_message(),
            "remedy": f"Run: {command} --help",
        }, USAGE_EXIT
    if isinstance(error, click.ClickException):
        return {"code": "bad_input", "message": error.format_message(), "remedy": ""}, 1
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return {
            "code": "file_error",
            "message": f"{where}{error.strerror}.",
            "remedy": "Check that it exists and that you may use it.",
        }, 1
    return {
        "code": "internal_error",
        "message": f"packager met a defect of its own ({type(error).__name__}).",
        "remedy": f"Run the command again with {DEBUG_ENV}=1 in the environment and report "
        "what it prints.",
    }, 1

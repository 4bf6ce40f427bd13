"""``source add|ls|test|rm``: which storages are connected, and with which credential.

Owns how a credential is named on the command line. A secret itself never stands there: it comes
from the environment, a folder or a profile.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packager_jupyter.cli.base import (
    SessionGroup,
    pass_session,
)
from packager_jupyter.cli.output import count_of
from packager_jupyter.errors import BadInputError, CredentialMissingError, PackagerError

if TYPE_CHECKING:
    from packager_jupyter.cli.base import (
        Session,
    )
    from packager_jupyter.sources.catalog import CredentialRef

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENV_OF_SCHEME = {  # scheme: (what makes a credential, what may come with it)
    "s3://": (
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL"),
    ),
    "azure://": (
        (
            "AZURE_STORAGE_CONNECTION_STRING",
            "AZURE_STORAGE_KEY",
            "AZURE_STORAGE_SAS_TOKEN",
        ),
        ("AZURE_STORAGE_ACCOUNT",),
    ),
}
_CREDENTIAL_FLAGS = (
    "--from-env",
    "--secrets-env",
    "--secrets-dir",
    "--profile",
    "--azure-default",
    "--anonymous",
)


@click.group(cls=SessionGroup)
def source() -> None:
    """Connect storages and test them."""


@source.command("add")
@click.argument("name")
@click.argument("url")
@click.option("--endpoint-url", metavar="URL", help="Endpoint, when it is not the vendor's own.")
@click.option("--region", metavar="REGION", help="Region of the bucket.")
@click.option(
    "--path-style/--virtual-style",
    default=None,
    help="https://host/bucket/key or https://bucket.host/key.  [default: as the endpoint needs]",
)
@click.option(
    "--ca-bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Certificates of the authority that the endpoint's own is signed with.",
)
@click.option(
    "--public-endpoint-url",
    metavar="URL",
    help="Endpoint in presigned URLs, when readers reach the storage by another name.",
)
@click.option(
    "--presign-as",
    metavar="URL",
    help="The bucket (s3://bucket/prefix) that a local folder is a mount of.",
)
@click.option(
    "--from-env",
    is_flag=True,
    help="Read AWS_ACCESS_KEY_ID and kin, or AZURE_STORAGE_*, now and keep them encrypted.",
)
@click.option(
    "--secrets-env",
    metavar="PREFIX",
    help="Read PREFIX_AWS_ACCESS_KEY_ID and kin at each use; nothing is stored.",
)
@click.option(
    "--secrets-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Read one file per variable at each use, as in a mounted Kubernetes secret.",
)
@click.option("--profile", metavar="NAME", help="Use a named AWS profile.")
@click.option("--azure-default", is_flag=True, help="Use Azure's default credential chain.")
@click.option("--anonymous", is_flag=True, help="Send no credential: a public bucket.")
@pass_session
def source_add(session: Session, /, name: str, url: str, **options: Any) -> None:
    """Connect a storage under NAME.

    URL is s3://bucket/prefix, azure://account/container/prefix, file:///folder or list:FILE (a
    text or JSON file of addresses). At most one
    credential option; secrets never stand on the command line.
    """
    if url.startswith("list:"):
        url = f"list:{Path(url.removeprefix('list:')).absolute()}"
    credential, secret = _credential(url, options)

    from packager_jupyter.sources.catalog import SourceOptions

    ca_bundle: Path | None = options["ca_bundle"]
    spec = session.services.sources.add(
        name,
        url,
        options=SourceOptions(
            endpoint_url=options["endpoint_url"],
            region=options["region"],
            path_style=options["path_style"],
            ca_bundle=str(ca_bundle.absolute()) if ca_bundle else None,
            public_endpoint_url=options["public_endpoint_url"],
            presign_as=options["presign_as"],
        ),
        credential=credential,
        secret=secret,
    )
    session.audit("source.add", spec.name)
    session.out.result(spec.to_json(), f"Added source {spec.name}: {spec.url}")
    session.out.remark(f"Try it: packager source test {spec.name}")


@source.command("ls")
@pass_session
def source_ls(session: Session) -> None:
    """List the connected storages."""
    specs = session.services.sources.specs()
    if session.out.is_json:
        session.out.json({"items": [spec.to_json() for spec in specs], "cursor": None})
        return
    if not specs:
        session.out.remark(
            "No source is connected. Add one: packager source add lake s3://bucket --from-env",
            "or look at a complete sample: packager demo",
        )
        return
    rows = []
    for spec in specs:
        body = spec.to_json()
        credential = body["credential"]
        hint = credential.get("ref") or credential.get("hint") or ""
        kind = "-" if credential["kind"] == "none" else credential["kind"]
        words = " ".join(part for part in (kind, hint) if part)
        endpoint = body["options"].get("endpoint_url") or ""
        rows.append([spec.name, spec.kind, spec.url, words, endpoint])
    session.out.table(["name", "kind", "url", "credential", "endpoint"], rows)


@source.command("test")
@click.argument("name")
@pass_session
def source_test(session: Session, name: str) -> None:
    """Try what the source NAME is for: reach, list, read, presign."""
    report = session.services.sources.open(name).test()
    failed = [check for check in report.checks if not check.is_ok]
    if session.out.is_json:
        session.out.json(
            {
                "name": report.name,
                "is_ok": report.is_ok,
                "checks": [
                    {
                        "what": check.what,
                        "is_ok": check.is_ok,
                        "message": check.message,
                        "remedy": check.remedy,
                    }
                    for check in report.checks
                ],
            }
        )
    else:
        for check in report.checks:
            state = "ok" if check.is_ok else "fails"
            session.out.check(state, check.what, check.message, check.remedy)
    if not report.is_ok:
        raise SourceTestFailedError(
            f"Source {name} does not work: {count_of(len(failed), 'check')} failed.",
            remedy=next((check.remedy for check in failed if check.remedy), "See the lines above."),
        )


class SourceTestFailedError(PackagerError):
    """A check of ``source test`` failed; the report has been written."""

    code = "source_test_failed"
    status = 502


@source.command("rm")
@click.argument("name")
@pass_session
def source_rm(session: Session, name: str) -> None:
    """Forget the source NAME and its stored credential; the storage itself is not touched."""
    session.services.sources.remove(name)
    session.audit("source.remove", name)
    session.out.result({"name": name, "is_removed": True}, f"Removed source {name}.")


def _credential(url: str, options: dict[str, Any]) -> tuple[CredentialRef, dict[str, str] | None]:
    """Return the credential reference that the flags ask for, and the secret to keep, if any."""
    given = [flag for flag in _CREDENTIAL_FLAGS if options[flag[2:].replace("-", "_")]]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other; give one of them.")
    prefix = (options["secrets_env"] or "").removesuffix("_")
    if options["secrets_env"] and not _ENV_NAME.fullmatch(prefix):
        raise click.UsageError(f"--secrets-env {prefix!r} is no name of a variable.")

    from packager_jupyter.sources.catalog import CredentialRef

    if options["from_env"]:
        return CredentialRef("stored", None), _secret_from_environment(url)
    if options["secrets_env"]:
        return CredentialRef("env", prefix), None
    if options["secrets_dir"]:
        return CredentialRef("dir", str(options["secrets_dir"].absolute())), None
    if options["profile"]:
        return CredentialRef("profile", options["profile"]), None
    if options["azure_default"]:
        return CredentialRef("azure-default", None), None
    return CredentialRef("anonymous" if options["anonymous"] else "none", None), None


def _secret_from_environment(url: str) -> dict[str, str]:
    """Return the variables of this kind of storage that are set, without judging their values."""
    for scheme, (wanted, optional) in _ENV_OF_SCHEME.items():
        if not url.startswith(scheme):
            continue
        secret = {name: os.environ[name] for name in wanted + optional if os.environ.get(name)}
        if scheme == "s3://" and (missing := [name for name in wanted if name not in secret]):
            raise CredentialMissingError(
                f"The environment has no {' and no '.join(missing)}.",
                remedy="Export the variables and run the command again, or choose another "
                "credential option: packager source add --help",
            )
        if not secret:
            raise CredentialMissingError(
                "The environment has no AZURE_STORAGE_* variable.",
                remedy=f"Export one of {', '.join(wanted)} and run the command again.",
            )
        return secret
    raise BadInputError(
        f"A source of the kind {url.partition(':')[0]!r} takes no credential from the environment.",
        remedy="Leave --from-env out.",
    )

"""Every setting of packager_jupyter, in one place, as traitlets.

The Jupyter extension, the standalone server, the hub service and the command line all read the
same class from the same configuration files (``jupyter_packager_config.py`` or ``.json`` in
Jupyter's configuration path). ``packager config --show`` prints what is in force.
"""

from __future__ import annotations

import os
from pathlib import Path

from traitlets import Bool, Dict, Integer, List, Unicode, default, validate
from traitlets.config import Configurable

from packager_jupyter.errors import BadInputError

MIN_TTL_S = 60
MAX_TTL_S = 7 * 24 * 3600


class Settings(Configurable):
    """Settings of the packager, shared by every host."""

    data_dir = Unicode(
        help="Folder of the packager's own state: database, OCI store, caches, keys. "
        "Default: $PACKAGER_DATA_DIR, else `packager` in Jupyter's data directory.",
    ).tag(config=True)
    root_dir = Unicode(
        help="Folder that holds `packages/`, where drafts live. Default: Jupyter's root "
        "directory, or the current folder on the command line.",
    ).tag(config=True)
    db_url = Unicode(
        help="SQLAlchemy URL of the database for sources, shares, tokens and audit. "
        "Default: SQLite in `data_dir`.",
    ).tag(config=True)
    oci_store = Unicode(
        help="Where artifacts are kept: a folder of OCI layouts, or the https address of an OCI "
        "registry. A registry keeps no date of a version; its login comes from "
        "$PACKAGER_OCI_USERNAME and $PACKAGER_OCI_PASSWORD, or $PACKAGER_OCI_TOKEN. Default: `oci` "
        "in `data_dir`.",
    ).tag(config=True)
    oci_ca_bundle = Unicode(
        help="PEM file of authorities to trust besides the system's, for an OCI registry.",
    ).tag(config=True)
    oci_token_hosts = List(
        Unicode(),
        help="Hosts of token servers that may see the login of the OCI registry, besides its own.",
    ).tag(config=True)
    oci_plain_http = Bool(
        False,
        help="Whether an OCI registry on another host may be reached by http. The login then "
        "crosses the network readable.",
    ).tag(config=True)
    secrets_dir = Unicode(
        help="Folder with one subfolder per source, one file per variable (the layout of a mounted "
        "Kubernetes secret). Each subfolder is a source by itself. Default: $PACKAGER_SECRETS_DIR.",
    ).tag(config=True)
    use_keyring = Bool(
        False,
        help="Keep the secrets that people give for their sources in the operating system's "
        "keyring (needs packager_jupyter[keyring]) instead of sealed files in `data_dir`.",
    ).tag(config=True)
    public_url = Unicode(
        help="Address under which people reach this server, ending in '/'. Empty: taken from the "
        "request, which is only right without a proxy that rewrites hosts.",
    ).tag(config=True)
    presign_ttl_s = Integer(
        3600,
        help="Life time of a presigned URL in seconds, 60 to 604800; never beyond the share's own "
        "expiry.",
    ).tag(config=True)
    password_attempts = Integer(
        10, help="Wrong passwords per share and address in `password_window_s` before 429."
    ).tag(config=True)
    password_window_s = Integer(600, help="Window of `password_attempts` in seconds.").tag(
        config=True
    )
    share_cookie_s = Integer(
        3600, help="Seconds for which a visitor who gave the password is not asked again."
    ).tag(config=True)
    zip_content_bytes = Integer(
        1024**3,
        help="Largest package that is handed out as one ZIP with the bytes of its files "
        "(`package.zip?content=all`), in bytes. They pass through this server. 0 allows none.",
    ).tag(config=True)
    zip_content_file_bytes = Integer(
        256 * 1024**2,
        help="Largest file whose bytes go into such a ZIP; larger ones stay pointers in it.",
    ).tag(config=True)
    max_attachment_bytes = Integer(
        16 * 1024 * 1024, help="Largest file that may be attached to a package, in bytes."
    ).tag(config=True)
    max_key_list_bytes = Integer(
        4 * 1024**3,
        help="Largest list of keys that may be given through the REST API, in bytes; lists that "
        "lie in a source included.",
    ).tag(config=True)
    local_roots = List(
        Unicode(),
        help="Folders below which `local` sources may be connected through the REST API. Empty: "
        "only below `root_dir`. The command line is not bound by it.",
    ).tag(config=True)
    endpoint_hosts = List(
        Unicode(),
        help="Hosts (or '*.suffix' patterns) that S3 and Azure sources connected through the REST "
        "API may use as endpoint, besides the vendors' own. '*' allows every public host. Whoever "
        "runs the server (the person of a Jupyter server) is not bound by it.",
    ).tag(config=True)
    feeds = Dict(
        help="Package registries: `{'pypi/main': {'anonymous_read': True}}`. The options are "
        "`anonymous_read`, `immutability` (`'write-once'`, or `'append-only'`: nothing is ever "
        "deleted), `max_file_bytes`, `max_project_bytes` and `max_feed_bytes`. More feeds can be "
        "created with `packager feed create`.",
    ).tag(config=True)
    terraform_feed = Unicode(
        "",
        help="Name of the Terraform feed that the standalone server's host stands for: what "
        "`/.well-known/terraform.json` names, so that `HOST/namespace/name` needs no `host` block. "
        "Empty: the only one there is.",
    ).tag(config=True)
    shares = Dict(
        help="Shares that are there from the start: `{'open': {'package': 'ocean-2024'}}`. The "
        "options besides `package` are `version` (`latest`), `paths`, `audience`, `password_file` "
        "(its first line), `not_before` and `expires` (dates), `max_downloads`, `slug` and "
        "`description`. Their links: `packager shares ls`, then `packager shares link`. A share "
        "that is taken out of the settings stays until it is revoked.",
    ).tag(config=True)
    max_upload_bytes = Integer(
        8 * 1024**3, help="Largest file that may be uploaded to a package registry, in bytes."
    ).tag(config=True)
    index_open_shares = Bool(
        False,
        help="Whether search engines may list the pages of shares that their plain link opens to "
        "anyone. Shares with a password, an audience or a secret in the link are never listed.",
    ).tag(config=True)
    metrics = Bool(True, help="Whether `metrics` answers (Prometheus text format).").tag(
        config=True
    )

    @default("data_dir")
    def _default_data_dir(self) -> str:
        from_env = os.environ.get("PACKAGER_DATA_DIR")
        if from_env:
            return from_env
        from jupyter_core.paths import jupyter_data_dir

        return str(Path(jupyter_data_dir()) / "packager")

    @default("root_dir")
    def _default_root_dir(self) -> str:
        return str(Path.cwd())

    @default("db_url")
    def _default_db_url(self) -> str:
        return f"sqlite:///{Path(self.data_dir) / 'packager.sqlite'}"

    @default("oci_store")
    def _default_oci_store(self) -> str:
        return str(Path(self.data_dir) / "oci")

    @default("secrets_dir")
    def _default_secrets_dir(self) -> str:
        return os.environ.get("PACKAGER_SECRETS_DIR", "")

    @validate("presign_ttl_s")
    def _check_ttl(self, proposal: dict[str, int]) -> int:
        value = proposal["value"]
        if not MIN_TTL_S <= value <= MAX_TTL_S:
            raise BadInputError(
                f"presign_ttl_s is {value}, but must lie between {MIN_TTL_S} and {MAX_TTL_S}.",
                remedy="Set Settings.presign_ttl_s to a number of seconds in that range.",
            )
        return value

    @validate("public_url")
    def _check_public_url(self, proposal: dict[str, str]) -> str:
        value = proposal["value"]
        if value and not value.startswith(("http://", "https://")):
            raise BadInputError(
                f"public_url is {value!r}, which is no web address.",
                remedy="Give the whole address, for example https://data.example.org/packager/.",
            )
        return value if not value or value.endswith("/") else value + "/"

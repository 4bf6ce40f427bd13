"""Under which name a server or library of one person keeps shares and jobs, and its audit."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packager_jupyter.services import Services


def local_owner() -> str:
    """Return the hub's name of the user where there is a hub, else the account that runs this.

    The random names of Jupyter's anonymous token users change at each request and name nobody.
    """
    from_hub = os.environ.get("JUPYTERHUB_USER")
    if from_hub:
        return from_hub
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user id has no name
        return f"uid-{os.getuid()}"


def audit_local(services: Services, action: str, subject: str) -> None:
    """Record durably that the person who runs this process did `action` to `subject`.

    The row has no address and no request: nothing came over a network.
    """
    services.audit.record(local_owner(), None, action, subject, "ok", None)

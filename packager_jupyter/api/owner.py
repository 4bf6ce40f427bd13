"""Under which name a server or library of one person keeps shares and jobs."""

from __future__ import annotations

import getpass
import os


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

"""The packager from a notebook or script: one interface, over a server or over the library.

`connect` finds what to speak to. Over a server every call is one request to its REST API; over the
library the same calls run in this process on the same database and folders.
"""

from __future__ import annotations

from packager_jupyter.client.discovery import connect

__all__ = ["connect"]

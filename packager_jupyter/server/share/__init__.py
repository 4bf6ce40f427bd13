"""What visitors of a share meet: pages, files, lists and archives.

`SHARE_ROUTES` is this folder's part of the route table. Handlers parse, let `base.ShareHandler`
open the gate, ask the core in threads and render; what they remember between requests stands in
`state`, what visitors may read of a failure in `faults`.
"""

from packager_jupyter.server.share.routes import SHARE_ROUTES

__all__ = ["SHARE_ROUTES"]

"""``static/<name>``: the style sheet of the share pages, the same for all of them."""

from __future__ import annotations

import mimetypes

from tornado import web

from packager_jupyter.server.base import PackagerHandler
from packager_jupyter.server.share.pages import static_files

YEAR_S = 365 * 24 * 3600


class StaticHandler(PackagerHandler):
    """Serves the files that came with this package, by their names alone."""

    def get(self, name: str) -> None:
        """Send one file; its address changes with its content, so browsers may keep it."""
        found = static_files().get(name)
        if found is None:
            raise web.HTTPError(404)
        data, tag = found
        self.set_header("Content-Type", mimetypes.guess_type(name)[0] or "application/octet-stream")
        self.set_header("Cache-Control", f"public, max-age={YEAR_S}, immutable")
        self.set_header("ETag", f'"{tag}"')
        self.finish(data)

    head = get

"""Host 1: inside jupyter_server, where the people are already logged in.

Settings come from Jupyter's configuration (``c.Settings.…`` in ``jupyter_packager_config.py`` or
in the server's own file); drafts live below the server's root directory. When the core cannot be
opened the routes answer with the reason, so that the sidebar can say it.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

from jupyter_server.extension.application import ExtensionApp

from packager_jupyter.api.owner import local_owner
from packager_jupyter.config import Settings
from packager_jupyter.errors import PackagerError
from packager_jupyter.server import logs
from packager_jupyter.server.context import ServerContext, settings_for
from packager_jupyter.server.jupyter import JupyterAuthenticator, jupyter_class
from packager_jupyter.server.mount import mount
from packager_jupyter.server.routes import routes
from packager_jupyter.server.shortcut import add_shortcuts
from packager_jupyter.services import Services

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

PREFIX = "packager/"


class PackagerApp(ExtensionApp):
    """The packager as a Jupyter server extension."""

    name = "packager"
    description = "Data packages and shares over the storage that you already have"
    extension_url = "/lab"
    load_other_extensions = True
    classes = [Settings]  # noqa: RUF012  # traitlets' own way

    services: Services | None = None
    context: ServerContext | None = None

    def initialize_settings(self) -> None:
        """Open the core and hand it to the handlers."""
        server = cast("ServerApp", self.serverapp)
        root = Path(server.root_dir)
        settings = Settings(parent=self)
        if "root_dir" not in self.config.Settings:
            settings.root_dir = str(root)
        # Our loggers speak through Jupyter's handlers, and nothing secret passes those.
        logging.getLogger("packager_jupyter").parent = server.log
        logs.install([server.log])
        scrubbed = self.settings.get("extra_log_scrub_param_keys", [])
        self.settings["extra_log_scrub_param_keys"] = [*scrubbed, *logs.SCRUB_KEYS]
        self.context = ServerContext(
            prefix=server.base_url + PREFIX,
            root_relative=_relative(Path(settings.root_dir), root),
        )
        try:
            self.services = Services.open(settings)
            self.services.declare_shares(owner=local_owner())
        except PackagerError as error:
            self.log.error("The packager cannot start: %s", error)  # noqa: TRY400  # says it all
            self.context.start_error = error
        # Takes the place of the app itself, which Jupyter has put under the same name.
        authenticator = JupyterAuthenticator(server.identity_provider)
        self.settings.update(settings_for(self.services, authenticator, self.context))

    def initialize_handlers(self) -> None:
        """Mount the table; Jupyter puts its base url before each path."""
        server, context = cast("ServerApp", self.serverapp), cast("ServerContext", self.context)
        add_shortcuts(server.web_app, routes(), prefix=context.prefix)
        self.handlers.extend(mount(routes(), prefix=PREFIX, make_class=jupyter_class))

    async def stop_extension(self) -> None:
        """Cancel jobs and close the core."""
        if self.context is not None:
            await asyncio.to_thread(self.context.close)
        if self.services is not None:
            self.services.close()


def _relative(folder: Path, root: Path) -> str | None:
    """Return `folder` as Jupyter's contents API names it, None when it is outside of `root`."""
    folder, root = folder.resolve(), root.resolve()
    if not folder.is_relative_to(root):
        return None
    relative = folder.relative_to(root).as_posix()
    return "" if relative == "." else relative

"""Pictures of a package over REST."""

from __future__ import annotations

from packager_jupyter.api.packages import get_contents
from packager_jupyter.exports.plots import FORMATS, KINDS, plot
from packager_jupyter.server.api.packages import RESOURCE, VERSION, PackageHandler
from packager_jupyter.server.rules import Operation, Query, Route, Rule


class PlotHandler(PackageHandler):
    """``api/v1/packages/<name>/plot``."""

    async def get(self, package: str) -> None:
        """Draw one picture."""
        query = self.query()
        version = query["version"]

        def draw() -> bytes:
            contents = get_contents(self.services, package, version)
            title = f"{package}@{version}" if version else package
            return plot(contents, kind=query["kind"], shape=query["format"], title=title)

        data = await self.call(draw)
        self.set_header("Content-Type", FORMATS[query["format"]])
        self.finish(data)


PLOT_ROUTES = [
    Route(
        "api/v1/packages/{package}/plot",
        PlotHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "read",
                Operation(
                    summary="A picture of what the package holds",
                    response_media_type="image/png",
                    query=(
                        VERSION,
                        Query("kind", "What to draw.", default="treemap", choices=tuple(KINDS)),
                        Query("format", "PNG or SVG.", default="png", choices=tuple(FORMATS)),
                    ),
                ),
            )
        },
        "Pictures",
    ),
]

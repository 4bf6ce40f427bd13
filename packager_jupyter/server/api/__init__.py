"""The REST API, one module per noun; `API_ROUTES` is its part of the route table."""

from __future__ import annotations

from packager_jupyter.server.api.files import FILE_ROUTES
from packager_jupyter.server.api.jobs import JOB_ROUTES
from packager_jupyter.server.api.keys import KEY_ROUTES
from packager_jupyter.server.api.packages import ONE_PACKAGE_ROUTE, PACKAGE_ROUTES
from packager_jupyter.server.api.plot import PLOT_ROUTES
from packager_jupyter.server.api.registries import REGISTRY_API_ROUTES
from packager_jupyter.server.api.shares import SHARE_API_ROUTES
from packager_jupyter.server.api.sources import SOURCE_ROUTES
from packager_jupyter.server.api.status import STATUS_ROUTES
from packager_jupyter.server.api.urls import URL_ROUTES

API_ROUTES = [
    *STATUS_ROUTES,
    *SOURCE_ROUTES,
    *PACKAGE_ROUTES,
    *FILE_ROUTES,
    *KEY_ROUTES,
    *URL_ROUTES,
    *PLOT_ROUTES,
    ONE_PACKAGE_ROUTE,
    *SHARE_API_ROUTES,
    *REGISTRY_API_ROUTES,
    *JOB_ROUTES,
]

"""The REST API, one module per noun; `API_ROUTES` is its part of the route table."""

from __future__ import annotations

from packager_jupyter.server.api.jobs import JOB_ROUTES
from packager_jupyter.server.api.status import STATUS_ROUTES

API_ROUTES = [*STATUS_ROUTES, *JOB_ROUTES]

"""The one table: every address that any host answers, who may use it, and what it is for."""

from __future__ import annotations

from functools import cache

from packager_jupyter.server.rules import Route, Rule

__all__ = ["Route", "Rule", "root_routes", "routes"]


@cache
def routes() -> tuple[Route, ...]:
    """Return all routes, in the order in which hosts try them.

    The routes for which speed matters come first: every request for a file of a share passes here.
    """
    from packager_jupyter.server.api import API_ROUTES
    from packager_jupyter.server.api.status import NOTHING, SERVICE_ROUTES
    from packager_jupyter.server.registry.pypi import PYPI_ROUTES
    from packager_jupyter.server.registry.terraform import TERRAFORM_ROUTES
    from packager_jupyter.server.share import SHARE_ROUTES

    return (
        *SHARE_ROUTES,
        *PYPI_ROUTES,
        *TERRAFORM_ROUTES,
        *SERVICE_ROUTES,
        *API_ROUTES,
        NOTHING,
    )


@cache
def root_routes() -> tuple[Route, ...]:
    """Return the routes that protocols fix at the root of a host: for the standalone server alone.

    They come after `routes`, none of which answers at their addresses.
    """
    from packager_jupyter.server.registry.oci import OCI_ROUTES
    from packager_jupyter.server.registry.terraform import TERRAFORM_ROOT_ROUTES

    return (*OCI_ROUTES, *TERRAFORM_ROOT_ROUTES)

"""The OCI distribution API at ``/v2/``, over whichever store the artifacts are in.

Only the standalone server has it: the specification fixes it at the root of a host, where inside
Jupyter or behind a prefix nothing of ours stands.
"""

from __future__ import annotations

from packager_jupyter.server.registry.oci.base import PULL, READ, WRITE, VersionHandler
from packager_jupyter.server.registry.oci.blobs import BlobHandler
from packager_jupyter.server.registry.oci.listing import (
    CatalogHandler,
    ReferrersHandler,
    TagsHandler,
)
from packager_jupyter.server.registry.oci.manifests import ManifestHandler
from packager_jupyter.server.registry.oci.uploads import UploadHandler, UploadsHandler
from packager_jupyter.server.rules import Route

OCI_ROUTES: tuple[Route, ...] = (
    Route("v2/", VersionHandler, PULL, "Distribution API, and whether a login is right"),
    Route("v2/_catalog", CatalogHandler, PULL, "Repositories of artifacts"),
    Route(
        "v2/{repository}/manifests/{reference}",
        ManifestHandler,
        {**PULL, "PUT": WRITE, "DELETE": WRITE},
        "A manifest",
    ),
    Route(
        "v2/{repository}/blobs/uploads/", UploadsHandler, {"POST": WRITE}, "Begin a blob's upload"
    ),
    Route(
        "v2/{repository}/blobs/uploads/{upload}",
        UploadHandler,
        {"GET": READ, "PATCH": WRITE, "PUT": WRITE, "DELETE": WRITE},
        "A blob's upload",
    ),
    Route("v2/{repository}/blobs/{digest}", BlobHandler, {**PULL, "DELETE": WRITE}, "A blob"),
    Route("v2/{repository}/tags/list", TagsHandler, PULL, "Tags of a repository"),
    Route(
        "v2/{repository}/referrers/{digest}", ReferrersHandler, PULL, "What refers to a manifest"
    ),
)

"""What all requests of one server share besides the core: threads, jobs, numbers, the prefix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packager_jupyter.server.jobs import JobTable
from packager_jupyter.server.metrics import Metrics
from packager_jupyter.server.pool import BoundedPool
from packager_jupyter.server.registry.admission import Admissions

if TYPE_CHECKING:
    from packager_jupyter.errors import PackagerError
    from packager_jupyter.server.auth import Authenticator
    from packager_jupyter.server.base import PackagerHandler
    from packager_jupyter.services import Services


@dataclass
class ServerContext:
    """One server's working parts.

    Attributes
    ----------
    prefix : str
        Path of our root on the host, beginning and ending with ``/``.
    root_relative : str or None
        Jupyter's root to `Settings.root_dir`, as Jupyter's contents API names it; None without
        Jupyter or when drafts live outside its root.
    admissions : Admissions
        Who was let in to which feed.
    in_flight : set of PackagerHandler
        Requests that are being answered.
    start_error : PackagerError or None
        Why the core could not be opened; every request is answered with it.
    is_draining : bool
        Set when the server is about to stop: new requests are refused.
    """

    prefix: str
    root_relative: str | None = None
    pool: BoundedPool = field(default_factory=BoundedPool)
    jobs: JobTable = field(default_factory=JobTable)
    metrics: Metrics = field(default_factory=Metrics)
    admissions: Admissions = field(default_factory=Admissions)
    in_flight: set[PackagerHandler] = field(default_factory=set)
    start_error: PackagerError | None = None
    is_draining: bool = False

    def close(self) -> None:
        """Cancel jobs, wait for them a little, and let the threads go; blocks."""
        self.jobs.close()
        self.pool.close()


def settings_for(
    services: Services | None, authenticator: Authenticator, context: ServerContext
) -> dict[str, Any]:
    """Return the application settings that every handler of ours reads."""
    return {
        "packager": services,
        "packager_auth": authenticator,
        "packager_context": context,
    }

"""Work in the background: what runs, how far it is, and stopping it."""

from __future__ import annotations

from packager_jupyter.api.shapes.common import JobList, JobShown
from packager_jupyter.server.api.handler import ApiHandler
from packager_jupyter.server.rules import Operation, Route, Rule

RESOURCE = "packager:jobs"


class JobsHandler(ApiHandler):
    """``api/v1/jobs``."""

    def get(self) -> None:
        """List the caller's jobs, newest first."""
        jobs = self.context.jobs.list(owner=self.principal.name)
        self.write_json({"items": [job.to_json() for job in jobs], "cursor": None})


class JobHandler(ApiHandler):
    """``api/v1/jobs/<id>``."""

    def get(self, job: str) -> None:
        """Show one job."""
        self.write_json(self.context.jobs.get(job, owner=self.principal.name).to_json())

    def delete(self, job: str) -> None:
        """Ask it to stop; a job that has ended stays as it is."""
        self.write_json(self.context.jobs.cancel(job, owner=self.principal.name).to_json())


JOB_ROUTES = [
    Route(
        "api/v1/jobs",
        JobsHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "read",
                Operation(summary="The caller's jobs, newest first", responses={200: JobList}),
            )
        },
        "Jobs",
    ),
    Route(
        "api/v1/jobs/{job}",
        JobHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "read",
                Operation(summary="One job", responses={200: JobShown}),
            ),
            "DELETE": Rule(
                "user",
                RESOURCE,
                "write",
                Operation(summary="Ask a job to stop", responses={200: JobShown}),
            ),
        },
        "A job",
    ),
]

"""Long work with progress: adding folders, publishing. Kept in memory, one table per server.

A job is a function in a thread that reports files and bytes; cancelling makes its next report
raise, which rolls its transaction back. Finished jobs are remembered for a while so that whoever
asked can read the outcome; they die with the server, as the work itself is always whole or absent.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from packager_jupyter.errors import BusyError, CancelledError, NotFoundError, PackagerError
from packager_jupyter.server.failures import failure_of
from packager_jupyter.server.turns import working

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    Progress = Callable[[int, int], None]
    Work = Callable[[Progress], dict[str, Any]]

JobState = Literal["running", "done", "failed", "cancelled"]

MAX_RUNNING = 4
MAX_WAITING = 64
MAX_FINISHED = 200
CLOSE_S = 5.0

log = logging.getLogger(__name__)


@dataclass
class Job:
    """One piece of work; read by `to_json`, changed only by its table.

    Attributes
    ----------
    id : str
        Unguessable, though only its owner may see it anyway.
    kind : str
        What is done: ``add``, ``publish``.
    subject : str
        The package it is done to.
    owner : str
    started_s, ended_s : int
        Unix seconds, UTC.
    files, bytes : int
        Progress so far.
    result : dict or None
        What the work returned.
    error : dict or None
        The error shape when it failed.
    """

    id: str
    kind: str
    subject: str
    owner: str
    started_s: int
    state: JobState = "running"
    files: int = 0
    bytes: int = 0
    total_files: int | None = None
    ended_s: int | None = None
    result: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    def report(self, files: int, size_bytes: int) -> None:
        """Take note of progress; this is the `Progress` that the work calls.

        Raises
        ------
        CancelledError
            When somebody cancelled the job.
        """
        self.files, self.bytes = files, size_bytes
        if self.cancelled.is_set():
            raise CancelledError(
                "The work was cancelled.", remedy="Nothing was changed. Start it again when ready."
            )

    def to_json(self) -> dict[str, Any]:
        """Return what the REST API shows."""
        shown: dict[str, Any] = {
            "id": self.id,
            "kind": self.kind,
            "subject": self.subject,
            "state": self.state,
            "files": self.files,
            "bytes": self.bytes,
            "started_s": self.started_s,
        }
        optional = {
            "total_files": self.total_files,
            "ended_s": self.ended_s,
            "result": self.result,
            "error": self.error,
        }
        return shown | {name: value for name, value in optional.items() if value is not None}


class JobTable:
    """The jobs of one server. Safe to use from any thread.

    Parameters
    ----------
    max_running, max_waiting : int
        Beyond their sum a new job is refused.
    max_finished : int
        How many finished jobs are remembered, the oldest forgotten first.
    """

    def __init__(
        self,
        *,
        max_running: int = MAX_RUNNING,
        max_waiting: int = MAX_WAITING,
        max_finished: int = MAX_FINISHED,
    ) -> None:
        self._threads = ThreadPoolExecutor(max_running, thread_name_prefix="packager-job")
        self._max_open = max_running + max_waiting
        self._max_finished = max_finished
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._futures: dict[str, Future[None]] = {}
        self._lock = threading.Lock()

    def start(
        self, kind: str, *, subject: str, owner: str, work: Work, total_files: int | None = None
    ) -> Job:
        """Queue `work` and return its job at once.

        Raises
        ------
        BusyError
            Too many jobs run or wait already.
        """
        job = Job(
            id=secrets.token_hex(8),
            kind=kind,
            subject=subject,
            owner=owner,
            started_s=int(time.time()),
            total_files=total_files,
        )
        with self._lock:
            if sum(other.state == "running" for other in self._jobs.values()) >= self._max_open:
                raise BusyError(
                    "Too many jobs wait already.",
                    remedy="Wait until some have ended, then try again.",
                    retry_after_s=10,
                )
            self._jobs[job.id] = job
            self._forget()
            # Under the lock, so that no job slips in behind `close`.
            self._futures[job.id] = self._threads.submit(self._run, job, work)
        return job

    def get(self, job_id: str, *, owner: str) -> Job:
        """Return one job of `owner`.

        Raises
        ------
        NotFoundError
            Unknown, forgotten, or somebody else's.
        """
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None or job.owner != owner:
            raise NotFoundError(
                "There is no such job.",
                remedy="It may have ended before the server was restarted; look at its outcome.",
            )
        return job

    def list(self, *, owner: str) -> list[Job]:
        """Return the jobs of `owner`, newest first."""
        with self._lock:
            return [job for job in reversed(self._jobs.values()) if job.owner == owner]

    def cancel(self, job_id: str, *, owner: str) -> Job:
        """Ask a job to stop at its next report; one that has ended stays as it is."""
        job = self.get(job_id, owner=owner)
        job.cancelled.set()
        return job

    def counts(self) -> dict[str, int]:
        """Return how many jobs are in each state, for the metrics."""
        with self._lock:
            states = [job.state for job in self._jobs.values()]
        return {state: states.count(state) for state in ("running", "done", "failed", "cancelled")}

    def close(self, *, wait_s: float = CLOSE_S) -> None:
        """Cancel everything and wait until running work has undone itself, for `wait_s` at most."""
        with self._lock:
            for job in self._jobs.values():
                job.cancelled.set()
            self._threads.shutdown(wait=False, cancel_futures=True)
            running = [future for future in self._futures.values() if not future.cancelled()]
        wait(running, timeout=wait_s)

    def _run(self, job: Job, work: Work) -> None:
        try:
            job.report(0, 0)  # cancelled while it waited
            with working:
                result = work(job.report)
        except CancelledError as error:
            self._end(job, "cancelled", error=error.to_json())
        except PackagerError as error:
            self._end(job, "failed", error=error.to_json())
        except Exception as error:  # the thread's last resort: log it and show it
            log.exception("job %s (%s %s) failed", job.id, job.kind, job.subject)
            failure = failure_of(error, status=500, request_id=f"job {job.id}")
            self._end(job, "failed", error=failure.body)
        else:
            self._end(job, "done", result=result)

    def _end(
        self,
        job: Job,
        state: JobState,
        *,
        result: dict[str, Any] | None = None,
        error: dict[str, str] | None = None,
    ) -> None:
        with self._lock:
            job.result, job.error = result, error
            job.ended_s = int(time.time())
            job.state = state
            self._futures.pop(job.id, None)

    def _forget(self) -> None:
        finished = [job.id for job in self._jobs.values() if job.state != "running"]
        for job_id in finished[: max(0, len(finished) - self._max_finished)]:
            del self._jobs[job_id]

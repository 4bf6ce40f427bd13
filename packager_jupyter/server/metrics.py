"""Numbers about one server for Prometheus: requests, jobs, the process.

The registry is our own: inside Jupyter the process-wide one belongs to jupyter_server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

if TYPE_CHECKING:
    from packager_jupyter.server.jobs import JobTable

MEDIA_TYPE = CONTENT_TYPE_LATEST
_BUCKETS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class Metrics:
    """Counters of one server; labels are routes of the table, never addresses."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._registry = CollectorRegistry()
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "packager_requests",
            "Requests answered.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "packager_request_seconds",
            "Time from the first byte of a request to the end of its answer.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._jobs = Gauge(
            "packager_jobs", "Jobs remembered, by state.", ["state"], registry=self._registry
        )

    def observe(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        # Routes, methods and statuses are few; asking for their series anew costs more than the
        # counting.
        series = self._series.get((route, method, status))
        if series is None:
            series = (
                self._requests.labels(route, method, str(status)),
                self._seconds.labels(route),
            )
            self._series[route, method, status] = series
        series[0].inc()
        series[1].observe(seconds)

    def render(self, jobs: JobTable) -> bytes:
        """Return the numbers in Prometheus' text format."""
        for state, count in jobs.counts().items():
            self._jobs.labels(state).set(count)
        return generate_latest(self._registry)

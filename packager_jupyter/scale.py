"""Verifying and hashing on a Dask cluster: the same functions, on batches of pointers.

Every worker opens the services with the settings of the caller, so it must see the same data
folder; no credential is sent over the network. Needs the extra ``dask``.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from packager_jupyter.config import Settings
from packager_jupyter.errors import BadInputError, PackagerError, StorageUnreachableError
from packager_jupyter.packages.hashing import hash_pointer
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.packages.verify import Problem, Verifier, VerifyReport
from packager_jupyter.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from packager_jupyter.packages.base import Contents, Progress
    from packager_jupyter.packages.verify import Kind

VERIFY_BATCH = 20_000
"""Pointers in a task: many, because a folder that two tasks share is listed twice."""

_TIMEOUT_S = 20


@contextmanager
def cluster(address: str) -> Iterator[Any]:
    """Yield a client of a running Dask cluster.

    Raises
    ------
    BadInputError
        The extra is not installed.
    StorageUnreachableError
        No cluster answers at that address.
    """
    try:
        import distributed
    except ImportError as error:
        raise BadInputError(
            "Dask is not installed here.",
            remedy="Install the extra: pip install 'packager_jupyter[dask]'.",
        ) from error
    try:
        typed: Any = distributed
        client = typed.Client(address, timeout=_TIMEOUT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise StorageUnreachableError(
            f"No Dask cluster answers at {address}.",
            remedy="Start one (dask scheduler, dask worker) or correct the address, for example "
            "tcp://127.0.0.1:8786.",
        ) from error
    with client:
        yield client


def verify_on(
    client: Any,
    settings: Settings,
    contents: Contents,
    *,
    on_problem: Callable[[Problem], None],
    is_deep: bool = False,
    jobs: int = 16,
    progress: Progress | None = None,
) -> VerifyReport:
    """Check a package as `verify.Verifier` does, in batches on a cluster."""
    report = VerifyReport()
    done_bytes = 0
    pointers = contents.iter_pointers()
    batches = iter(lambda: _packed(islice(pointers, VERIFY_BATCH)), [])
    config = settings_of(settings)
    tasks = ((verify_batch, config, batch, is_deep, jobs) for batch in batches)
    for files, size_bytes, unhashed, found in run_bounded(client, tasks):
        report.files += files
        report.unhashed += unhashed
        done_bytes += size_bytes
        for row in found:
            problem = Problem(*row)
            report.problems[problem.kind] += 1
            on_problem(problem)
        if progress:
            progress(report.files, done_bytes)
    return report


def hash_on(client: Any, settings: Settings, algorithms: Sequence[str], jobs: int) -> Any:
    """Return a `compute` for `hashing.hash_draft` that works on a cluster."""
    config = settings_of(settings)

    def compute(batches: Iterator[list[Pointer]]) -> Iterator[list[tuple[Pointer, Any]]]:
        tasks = ((hash_batch, config, _packed(batch), tuple(algorithms), jobs) for batch in batches)
        for answers in run_bounded(client, tasks):
            yield [
                (Pointer.from_line(line), sums or PackagerError(failure[0], remedy=failure[1]))
                for line, sums, failure in answers
            ]

    return compute


def run_bounded(client: Any, tasks: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """Yield results as they come; only a few tasks per thread of the cluster are under way."""
    import distributed

    typed: Any = distributed
    at_once = 2 * max(1, sum(client.nthreads().values()))
    waiting = iter(tasks)
    first = [client.submit(*task, pure=False) for task in islice(waiting, at_once)]
    running = typed.as_completed(first, loop=client.loop)
    for future in running:
        yield future.result()
        for task in islice(waiting, 1):
            running.add(client.submit(*task, pure=False))


def settings_of(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain values; they hold no secret."""
    return {name: getattr(settings, name) for name in settings.trait_names(config=True)}


def _packed(pointers: Iterable[Pointer]) -> list[bytes]:
    return [pointer.to_line() for pointer in pointers]


# --- on the workers ---------------------------------------------------------------------------


@cache
def _services(config: tuple[tuple[str, Any], ...]) -> Services:
    return Services.open(Settings(**dict(config)))


def _open_source(config: dict[str, Any]) -> Callable[[str], Any]:
    wanted = {name: config[name] for name in ("data_dir", "root_dir")}
    return _services(tuple(wanted.items())).sources.open


class Batch:
    """Some pointers, as `Verifier` reads a package."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._pointers = {one.path: one for one in map(Pointer.from_line, lines)}
        self.bytes = sum(pointer.size_bytes for pointer in self._pointers.values())

    def iter_pointers(self) -> Iterator[Pointer]:
        """Yield them."""
        yield from self._pointers.values()

    def get(self, path: str) -> Pointer:
        """Return one."""
        return self._pointers[path]


def verify_batch(
    config: dict[str, Any],
    lines: Sequence[bytes],
    is_deep: bool,  # noqa: FBT001  # a task has no keywords
    jobs: int,
) -> tuple[int, int, int, list[tuple[str, Kind, str]]]:
    """Check some pointers; return files, bytes, unhashed files and the problems."""
    batch: Any = Batch(lines)
    found: list[Problem] = []
    opened = _open_source(config)
    verifier = Verifier(batch, opened, on_problem=found.append, is_deep=is_deep, jobs=jobs)
    report = verifier.run()
    rows = [(one.path, one.kind, one.message) for one in found]
    return report.files, batch.bytes, report.unhashed, rows


def hash_batch(
    config: dict[str, Any], lines: Sequence[bytes], algorithms: Sequence[str], jobs: int
) -> list[tuple[bytes, Mapping[str, str] | None, tuple[str, str]]]:
    """Hash some pointers; return each with its checksums, or with message and remedy."""
    from concurrent.futures import ThreadPoolExecutor

    opened = _open_source(config)

    def one(line: bytes) -> tuple[bytes, Mapping[str, str] | None, tuple[str, str]]:
        answer = hash_pointer(Pointer.from_line(line), opened, algorithms)
        if isinstance(answer, PackagerError):
            return line, None, (answer.message, answer.remedy)
        return line, answer, ("", "")

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, lines))

"""What a Dask worker runs for us: judges that it keeps for the length of a run (see `crew`)."""

from __future__ import annotations

import platform
import threading
from collections.abc import Sequence
from typing import Any

from distributed import WorkerPlugin, get_worker

from mucode import __version__
from mucode.execution.sandbox import open_sandbox
from mucode.types import Half, Job, Verdict


class Bench(WorkerPlugin):  # type: ignore[misc]  # distributed is untyped here
    """The judges of one worker process: as many as it has threads, behind the isolation that its machine allows."""

    def __init__(self, timeout: float, allow_weak: bool) -> None:
        self._timeout, self._allow_weak = timeout, allow_weak

    def setup(self, worker: Any) -> None:
        self._one_at_a_time = threading.Lock()  # a pool is not for several threads, of which a worker has some
        self._pool = open_sandbox(worker.state.nthreads, self._timeout, self._allow_weak)

    def teardown(self, worker: Any) -> None:
        self._pool.close()

    @property
    def isolation(self) -> str:
        return self._pool.isolation

    def judge(self, jobs: Sequence[tuple[Job, Half]]) -> list[Verdict]:
        """Verdicts in the order of the jobs."""
        with self._one_at_a_time:
            numbers = [self._pool.submit(job, half) for job, half in jobs]
            found: dict[int, Verdict] = {}
            while len(found) < len(numbers):
                found |= self._pool.wait()
        return [found[number] for number in numbers]


def judge(bench: str, jobs: Sequence[tuple[Job, Half]]) -> list[Verdict]:
    """Runs on a worker: verdicts by its bench of that name."""
    verdicts: list[Verdict] = get_worker().plugins[bench].judge(jobs)
    return verdicts


def isolation(bench: str, dask_worker: Any) -> str:
    """Runs on a worker, which Dask hands in: its bench's isolation."""
    name: str = dask_worker.plugins[bench].isolation
    return name


def version() -> tuple[str, str]:
    """Runs on a worker: what its labels may depend on."""
    return __version__, platform.python_version()

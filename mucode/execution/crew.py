"""Judges on several machines: the workers of a Dask cluster, each with judges of its own behind its machine's isolation.

What crosses the network are jobs and verdicts. The tests cross it as well: the cluster belongs to us, as its judges do.
"""

from __future__ import annotations

import platform
import queue
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from mucode import __version__
from mucode.types import Half, Job, MucodeError, Verdict

SCHEME = "dask://"
_TOGETHER = 16  # jobs that travel and are judged as one piece of work
_PATIENCE = 30.0  # seconds for the scheduler and the first worker


class Crew:
    """A `Sandbox` of judges elsewhere, which also takes jobs while others run. Not for several threads; close it."""

    def __init__(self, address: str, timeout: float, allow_weak: bool) -> None:
        """
        Args:
            address: dask://HOST:PORT of the scheduler.
            timeout: wall seconds for one program.
            allow_weak: see `open_sandbox`; it holds for every worker.

        Raises:
            MucodeError: Dask is not installed here, nothing answers there, a worker cannot isolate programs or is of
                another version.
        """
        self._client, self._bench = _connected(address), f"mucode-{uuid.uuid4().hex}"
        self._address = address
        self._numbers = 0
        self._asked: list[tuple[int, Job, Half]] = []
        self._under_way: dict[int, Any] = {}  # futures, by their first job's number: one that is forgotten is cancelled
        self._ended: queue.SimpleQueue[tuple[list[int], Any]] = queue.SimpleQueue()
        self._done: list[tuple[int, Verdict]] = []
        try:
            self.isolation = self._set_up(timeout, allow_weak)
        except BaseException:
            self.close()
            raise

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        """Verdicts in the order of `jobs`; equal jobs run once."""
        numbers: dict[Job, int] = {}
        for job in jobs:
            if job not in numbers:
                numbers[job] = self.submit(job, half)
        own, others = dict.fromkeys(numbers.values()), []
        found: dict[int, Verdict] = {}
        while len(found) < len(own):
            for number, verdict in self.wait():
                if number in own:
                    found[number] = verdict
                else:
                    others.append((number, verdict))
        self._done = others + self._done
        return [found[numbers[job]] for job in jobs]

    def submit(self, job: Job, half: Half) -> int:
        """Queue a job; the number under which `wait` will give its verdict."""
        self._numbers += 1
        self._asked.append((self._numbers, job, half))
        return self._numbers

    def wait(self, timeout: float | None = None, also: Sequence[int] = ()) -> list[tuple[int, Verdict]]:
        """Verdicts that are there, waiting for at least one, or `timeout` seconds. [] when nothing is under way.

        Args:
            also: no descriptors can be waited for here: always empty.

        Raises:
            MucodeError: the cluster has gone, or gave up a piece of work.
        """
        if also:
            raise ValueError("a crew waits for no descriptors")
        self._send()
        if self._under_way and not self._done:
            try:
                self._take(*self._ended.get(timeout=timeout))
            except queue.Empty:
                return []
        while not self._ended.empty():
            self._take(*self._ended.get())
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Give up what is under way, and the judges with it."""
        self._under_way.clear()
        if self._client.status == "running":
            self._client.unregister_worker_plugin(self._bench)
        self._client.close()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set_up(self, timeout: float, allow_weak: bool) -> str:
        """Judges for every worker, those that come later included; the isolation that they found."""
        from mucode.execution.bench import Bench, isolation, version

        for worker, theirs in self._client.run(version).items():
            if theirs != (__version__, platform.python_version()):
                raise MucodeError(
                    f"the worker {worker} has mucode {theirs[0]} on Python {theirs[1]}, not {__version__} on "
                    f"{platform.python_version()}: install the same there, or labels could differ"
                )
        self._client.register_plugin(Bench(timeout, allow_weak), name=self._bench)
        return " and ".join(sorted(set(self._client.run(isolation, self._bench).values())))

    def _send(self) -> None:
        from mucode.execution.bench import judge

        for start in range(0, len(self._asked), _TOGETHER):
            some = self._asked[start : start + _TOGETHER]
            numbers, jobs = [number for number, _, _ in some], [(job, half) for _, job, half in some]
            future = self._client.submit(judge, self._bench, jobs, pure=False)
            self._under_way[numbers[0]] = future
            future.add_done_callback(lambda ended, numbers=numbers: self._ended.put((numbers, ended)))
        self._asked.clear()

    def _take(self, numbers: list[int], future: Any) -> None:
        del self._under_way[numbers[0]]
        if future.status != "finished":
            why = future.exception() if future.status == "error" else future.status
            raise MucodeError(f"{self._address} gave up a piece of work ({why}): see that its workers run, then again")
        self._done += zip(numbers, future.result(), strict=True)


def _connected(address: str) -> Any:
    """A client of the cluster, at least one worker of which is there."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MucodeError(f"{address} needs Dask: `make install EXTRAS=dask`, on the workers as well") from error
    at = f"tcp://{address.removeprefix(SCHEME)}"
    try:
        client = Client(at, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise MucodeError(f"no Dask scheduler answers at {address}: start one, or correct --workers") from error
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError as error:
        client.close()
        raise MucodeError(f"the Dask scheduler at {address} has no workers: start some (`dask worker`)") from error
    return client

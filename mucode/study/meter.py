"""Hours and energy of a piece, run by run: a file that is renewed while it runs, so that a kill loses seconds only."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mucode.records import write_json

SPENT = Path(".mucode/spent")  # in a workspace
POWERCAP = Path("/sys/class/powercap")  # where Linux counts what processor packages draw
PERIOD = 20.0  # seconds between two renewals


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall time, and the energy of all processor packages; None: the machine does not tell."""

    seconds: float
    joules: float | None

    def __add__(self, other: Spent) -> Spent:
        both = None if self.joules is None or other.joules is None else self.joules + other.joules
        return Spent(self.seconds + other.seconds, both)

    def as_json(self) -> dict[str, float | None]:
        return asdict(self)


@contextlib.contextmanager
def metered(workspace: Path, counters: Path = POWERCAP, period: float = PERIOD) -> Iterator[None]:
    """Keep an account of the block in the workspace, whatever else the machine does meanwhile."""
    file = workspace / SPENT / f"{time.time_ns()}-{os.getpid()}.json"
    done = threading.Event()
    thread = threading.Thread(target=_keep, args=(file, counters, period, done, _counted(counters)), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def runs(workspace: Path) -> dict[str, Spent]:
    """What each run in the workspace has cost, by the run's name."""
    return {file.stem: Spent(**json.loads(file.read_text())) for file in sorted((workspace / SPENT).glob("*.json"))}


def together(costs: Iterable[Spent]) -> Spent:
    """Their sum."""
    own = list(costs)
    return sum(own[1:], start=own[0]) if own else Spent(0.0, None)


def _keep(file: Path, counters: Path, period: float, done: threading.Event, last: dict[str, tuple[int, int]]) -> None:
    started, drawn = time.monotonic(), 0.0
    while True:
        finished = done.wait(period)
        now = _counted(counters)
        drawn += sum(_since(last[name], now[name]) for name in last.keys() & now.keys())
        last = now
        write_json(file, Spent(time.monotonic() - started, drawn if last else None).as_json())
        if finished:
            return


def _counted(counters: Path) -> dict[str, tuple[int, int]]:
    """(microjoules, where the counter starts again) of each processor package that may be read.

    A laptop's `psys` counts the whole machine, packages included, so it is left out.
    """
    found = {}
    for package in sorted(counters.glob("*-rapl:?")):
        with contextlib.suppress(OSError):  # only the administrator may, on most machines
            if not (package / "name").read_text().startswith("package"):
                continue
            numbers = [int((package / name).read_text()) for name in ("energy_uj", "max_energy_range_uj")]
            found[package.name] = (numbers[0], numbers[1])
    return found


def _since(before: tuple[int, int], now: tuple[int, int]) -> float:
    """Joules between two readings, the counter having started again at most once."""
    difference = now[0] - before[0]
    return (difference if difference >= 0 else difference + now[1]) / 1e6

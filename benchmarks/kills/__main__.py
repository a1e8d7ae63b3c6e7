"""Kills a retrain again and again: `python -m benchmarks.kills --times 20`.

First `make quickstart` runs undisturbed in one clone. Then it is started in another, and at a random moment a random process
of it gets SIGKILL: make, the flow, the Prefect server, dvc, the stage, `mucode register`, a judge or its zygote. Whoever it
was, all others have to end (a judge and a zygote are replaced, and the run goes on), the next start has to go on, and when
all is done both dvc.lock have to be byte-identical. `--size default --times 3` does it to the real model.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.kills.clone import Clone, clone
from benchmarks.processes import PARTS, Watch

REPOSITORY = Path(__file__).parents[2]
REPLACED = {"judge", "zygote"}  # whose loss a run survives
REPORTED = {"dvc", "stage", "register"}  # whose loss the flow reports before it ends
PATIENCE = 20.0  # seconds that everything else has for its end
TO_REPORT = 180.0  # seconds for that: MLflow gets its records, on a busy machine


@dataclasses.dataclass(frozen=True, slots=True)
class Kill:
    """Who is to be killed and when: a share of the seconds that an undisturbed run takes, from the start of a run."""

    victim: str
    moment: float


@dataclasses.dataclass(frozen=True, slots=True)
class Death:
    """What happened: at which stage, and what became of the run."""

    victim: str
    seconds: float  # since the run's start
    stage: str  # the one at work, or the latest
    ended: float  # seconds until the run was over; 0 when it was to go on
    said: str
    wrong: str  # "" if all went as it should


def main() -> int:
    """Print a line for each kill and one JSON line; 0 if every run recovered and the files are the same."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        undisturbed, disturbed = (
            clone(REPOSITORY, Path(folder) / name, options.size) for name in ("undisturbed", "disturbed")
        )  # both now: the code may be worked on meanwhile
        seconds = finish(undisturbed)
        sys.stdout.write(f"undisturbed: {seconds:.0f} s\n")
        sys.stdout.flush()
        deaths: list[Death] = []
        locks: list[bytes] = []
        for death in kill_all(disturbed, plan(options.times, options.seed), seconds, locks):
            deaths.append(death)
            _tell(death)
        finish(disturbed)
        locks.append(disturbed.lock_file)
        return _conclude(deaths, [lock == undisturbed.lock_file for lock in locks], disturbed.flow_runs(), options)


def plan(times: int, seed: int) -> list[Kill]:
    """Random moments; every part comes up once before one comes up again."""
    source = random.Random(seed)
    victims: list[str] = []
    while len(victims) < times:
        victims += source.sample(list(PARTS), len(PARTS))
    return [Kill(victim, source.uniform(0.02, 0.4)) for victim in victims[:times]]


def kill_all(work: Clone, kills: Sequence[Kill], undisturbed: float, locks: list[bytes]) -> Iterator[Death]:
    """One kill after the other, each in a run that goes on where the one before was killed.

    A run that comes to its end gives its dvc.lock to `locks`, and the work begins from nothing again.
    """
    waiting = list(reversed(kills))
    while waiting:
        process = work.start()
        with Watch(process.pid) as watch:
            run = Run(work, process, watch)
            while waiting and run.reaches(waiting[-1], undisturbed):
                yield run.suffers(waiting.pop())
            if run.failed_by_itself:
                raise SystemExit(f"a run failed without a kill: {work.said('mucode: ')} ({work.output})")
            if process.wait() == 0:
                locks.append(work.lock_file)
                work.forget()


@dataclasses.dataclass
class Run:
    """A run on its way."""

    work: Clone
    process: subprocess.Popen[bytes]
    watch: Watch
    started: float = dataclasses.field(default_factory=time.monotonic)
    killed: bool = False  # by a kill that it cannot survive

    @property
    def failed_by_itself(self) -> bool:
        return not self.killed and self.process.poll() not in (None, 0)

    def reaches(self, kill: Kill, undisturbed: float) -> bool:
        """Let the run go on until the kill is done: when its moment has come and its victim lives; False: it ended."""
        due = time.monotonic() + kill.moment * undisturbed
        while self.process.poll() is None:
            if time.monotonic() > due and self.watch.kill(kill.victim):
                return True
            time.sleep(0.02)
        return False

    def suffers(self, kill: Kill) -> Death:
        """What the kill, just done, brought about."""
        at = time.monotonic()
        left: list[str] = []
        wrong = ""
        if kill.victim not in REPLACED:
            self.killed = True
            wrong = self._end(TO_REPORT if kill.victim in REPORTED else PATIENCE)
            left = self.watch.left(PATIENCE)
        return Death(
            victim=kill.victim,
            seconds=round(at - self.started, 1),
            stage=self.work.said("Running stage ").strip("':"),
            ended=round(time.monotonic() - at, 1),
            said=self.work.said("mucode: "),
            wrong=wrong or (f"left over: {', '.join(left)}" if left else ""),
        )

    def _end(self, patience: float) -> str:
        try:
            return "it counts as a success" if self.process.wait(patience) == 0 else ""
        except subprocess.TimeoutExpired:
            return f"it goes on after {patience:.0f} s"


def finish(work: Clone) -> float:
    """Let a run come to its end; its seconds."""
    started = time.monotonic()
    process = work.start()
    with Watch(process.pid):
        process.wait()
    if process.returncode != 0:
        raise SystemExit(f"`make quickstart` fails undisturbed: {work.said('mucode: ')} ({work.output})")
    return time.monotonic() - started


def _conclude(deaths: Sequence[Death], same: Sequence[bool], runs: dict[str, int], options: argparse.Namespace) -> int:
    alive = sum(runs.get(state, 0) for state in ("RUNNING", "PENDING"))
    result = {
        "benchmark": "kills",
        "size": options.size,
        "seed": options.seed,
        "kills": dict(sorted(Counter(death.victim for death in deaths).items())),
        "wrong": [dataclasses.asdict(death) for death in deaths if death.wrong],
        "finished_runs": len(same),
        "of_them_identical": sum(same),
        "flow_runs": runs,
    }
    sys.stdout.write(json.dumps(result) + "\n")
    return int(bool(result["wrong"]) or not all(same) or alive > 0)


def _tell(death: Death) -> None:
    verdict = death.wrong or "as it should"
    sys.stdout.write(
        f"{death.victim:7} after {death.seconds:6.1f} s, at {death.stage or '(no stage yet)'}: over after "
        f"{death.ended:.1f} s, {verdict}; {death.said or '(nothing said)'}\n"
    )
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", default="tiny")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""The systems under comparison, each in a process of its own that is told what to roll out."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mucode.execution import open_sandbox
from mucode.execution.pool import Pool
from mucode.generator import load_generator
from mucode.problems import load_problems
from mucode.rollout import Rollouts, play
from mucode.types import Generator, MucodeError, Problem, Sampling

_TIMEOUT = 5.0  # seconds for a program
OURS, PEERS = ("arrival", "fixed"), ("batched", "batched, fence", "one by one")


@dataclass(frozen=True)
class Ask:
    """What to roll out."""

    problems: int
    rollouts: int  # of each
    turns: int
    new_tokens: int
    seed: int


@dataclass
class Told:
    """How it went, or the sum over several times."""

    rollouts: int = 0
    replies: int = 0
    tokens: int = 0
    passed: int = 0
    seconds: float = 0.0
    processor: float = 0.0  # seconds of this process, judges not included
    idle: float = 0.0  # seconds between first and last work of the generator
    peak_gb: float = 0.0

    def add(self, other: Told) -> None:
        """Count another time."""
        for field in dataclasses.fields(self):
            ours, theirs = getattr(self, field.name), getattr(other, field.name)
            setattr(self, field.name, max(ours, theirs) if field.name == "peak_gb" else ours + theirs)

    @property
    def per_rollout(self) -> float:
        """Wall seconds."""
        return self.seconds / self.rollouts


class System:
    """A system's process."""

    def __init__(self, name: str, base: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.rollouts", "--serve", name, "--base", str(base)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name, self.total = name, Told()

    def run(self, ask: Ask) -> Told:
        """Roll out, and add it to the total."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(dataclasses.asdict(ask)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise MucodeError(f"the process of {self.name!r} ended: read its message above")
        told = Told(**json.loads(line))
        self.total.add(told)
        return told

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve(name: str, base: Path, asked: IO[str], answers: IO[str]) -> None:
    """A system's process: a line in, a line out."""
    problems = [problem for problem, _ in load_problems("starter", None) if problem.split == "train"]
    roll_out = _system(name, base)
    with open_sandbox(timeout=_TIMEOUT) as sandbox:
        roll_out(problems[:1], Ask(1, 1, 2, 2, 0), sandbox)  # the model and the judges have started
        for line in asked:
            told = _measured(lambda ask: roll_out(problems[: ask.problems], ask, sandbox), Ask(**json.loads(line)))
            answers.write(json.dumps(dataclasses.asdict(told)) + "\n")
            answers.flush()


def _system(name: str, base: Path) -> Callable[[list[Problem], Ask, Pool], list[Rollouts]]:
    if name in OURS:
        generator = load_generator(base)
        return lambda problems, ask, sandbox: [_play(problems, ask, sandbox, generator, name)]
    generator = _generate(base, at_fence=name == "batched, fence")
    if name == "one by one":
        return lambda problems, ask, sandbox: [_play([p], ask, sandbox, generator, "fixed") for p in problems]
    return lambda problems, ask, sandbox: [_play(problems, ask, sandbox, generator, "fixed")]


def _generate(base: Path, at_fence: bool) -> Generator:
    from benchmarks.rollouts.peers import Generate
    from mucode.training.weights import best_dtype, load_causal_model, load_tokenizer

    return Generate(load_causal_model(base, best_dtype()), load_tokenizer(base), at_fence)


def _play(problems: list[Problem], ask: Ask, sandbox: Pool, generator: Generator, schedule: str) -> Rollouts:
    return play(
        problems,
        generator,
        sandbox,
        turns=ask.turns,
        rollouts=ask.rollouts,
        sampling=Sampling(0.7, 1.0, ask.new_tokens),
        seed=ask.seed,
        iteration=1,
        schedule=schedule,
    )


def _measured(roll_out: Callable[[Ask], list[Rollouts]], ask: Ask) -> Told:
    started, used = time.perf_counter(), time.process_time()
    parts = roll_out(ask)
    seconds, processor = time.perf_counter() - started, time.process_time() - used
    rollouts = [rollout for part in parts for rollout in part.episodes]
    turns = [turn for rollout in rollouts for turn in rollout.turns]
    return Told(
        rollouts=len(rollouts),
        replies=len(turns),
        tokens=sum(turn.completion.completion_tokens for turn in turns),
        passed=sum(rollout.turns[-1].verdict.passed for rollout in rollouts),
        seconds=seconds,
        processor=processor,
        idle=sum(part.idle_share for part in parts) / len(parts) * seconds,
        peak_gb=_peak_gb(),
    )


def _peak_gb() -> float:
    """Of this process since it was started; getrusage would count the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e6 for line in lines if line.startswith("VmHWM"))


def environment() -> dict[str, Any]:
    """What the figures depend on."""
    import os
    import platform

    import torch
    import transformers

    from mucode.training.weights import best_dtype

    return {
        "processor": _processor_name(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "dtype": best_dtype(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", ""),
    }


def _processor_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")

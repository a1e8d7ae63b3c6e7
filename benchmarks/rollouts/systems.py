"""The systems under comparison, each in a process of its own that is told what to roll out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.apart import Apart, answer_questions, answers_alone, peak_gb
from mucode.execution import open_sandbox
from mucode.execution.pool import Pool
from mucode.generator import load_generator
from mucode.problems import load_problems
from mucode.rollout import Rollouts, play
from mucode.types import Generator, Problem, Sampling

_TIMEOUT = 5.0  # seconds for a program
OURS, PEERS = ("arrival", "fixed"), ("batched", "batched, fence", "one by one", "llama.cpp")


def installed(peers: Sequence[str]) -> list[str]:
    """Those of the peers that can run here."""
    return [name for name in peers if name != "llama.cpp" or find_spec("xllamacpp")]


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
    """A system, and what it has done so far."""

    def __init__(self, name: str, base: Path) -> None:
        self._process = Apart("benchmarks.rollouts", name, base)
        self.name, self.total = name, Told()

    def run(self, ask: Ask) -> Told:
        """Roll out, and add it to the total."""
        told = Told(**self._process.ask(**dataclasses.asdict(ask)))
        self.total.add(told)
        return told

    def close(self) -> None:
        """End its process."""
        self._process.close()


def serve(name: str, base: Path) -> None:
    """A system's process."""
    answers = answers_alone()
    problems = [problem for problem, _ in load_problems("starter", None) if problem.split == "train"]
    roll_out = _system(name, base)
    with open_sandbox(timeout=_TIMEOUT) as sandbox:
        roll_out(problems[:1], Ask(1, 1, 2, 2, 0), sandbox)  # the model and the judges have started

        def told(question: dict[str, Any]) -> dict[str, Any]:
            ask = Ask(**question)
            return dataclasses.asdict(_measured(lambda: roll_out(problems[: ask.problems], ask, sandbox)))

        answer_questions(answers, told)


def _system(name: str, base: Path) -> Callable[[list[Problem], Ask, Pool], list[Rollouts]]:
    if name in OURS:
        generator = load_generator(base)
        return lambda problems, ask, sandbox: [_play(problems, ask, sandbox, generator, name)]
    generator = _peer(name, base)
    if name == "one by one":
        return lambda problems, ask, sandbox: [_play([p], ask, sandbox, generator, "fixed") for p in problems]
    return lambda problems, ask, sandbox: [_play(problems, ask, sandbox, generator, "fixed")]


def _peer(name: str, base: Path) -> Generator:
    from benchmarks.rollouts.llama_cpp import LlamaCpp
    from benchmarks.rollouts.peers import Generate
    from mucode.training.weights import best_dtype, load_causal_model, load_tokenizer

    if name == "llama.cpp":
        return LlamaCpp(base, load_tokenizer(base))
    return Generate(load_causal_model(base, best_dtype()), load_tokenizer(base), name == "batched, fence")


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


def _measured(roll_out: Callable[[], list[Rollouts]]) -> Told:
    started, used = time.perf_counter(), time.process_time()
    parts = roll_out()
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
        peak_gb=peak_gb(),
    )

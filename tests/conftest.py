"""Builders: small problems, scripted players, and a judge that runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import settings

from mucode.records import Experience
from mucode.types import (
    Completion,
    Half,
    Job,
    Problem,
    Sampling,
    State,
    Status,
    Test,
    Verdict,
)

settings.register_profile("mucode", deadline=None, derandomize=True)  # a busy machine fails nobody
settings.load_profile("mucode")

SAMPLING = Sampling(temperature=0.7, top_p=1.0, max_new_tokens=32)


def make_problem(name: str = "p") -> Problem:
    return Problem(
        id=f"toy/{name}",
        source="toy",
        split="train",
        text=f"Write the function {name}.",
        entry_point=name,
        public_tests=(Test(f"assert {name}(1) == 1"),),
    )


@dataclass(frozen=True)
class TabularSandbox:
    """A sandbox for programs that say themselves how they fare: "right", "public only", anything else is wrong."""

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        return [self._verdict(job.program, half) for job in jobs]

    def _verdict(self, program: str, half: Half) -> Verdict:
        passed = program.startswith("right") or (half == "public" and program.startswith("public only"))
        return Verdict(Status.PASSED if passed else Status.FAILED, int(passed), 1, "" if passed else "wrong")


@dataclass(frozen=True)
class FunctionGenerator:
    """Replies come from a function of (state, seed)."""

    reply: Callable[[State, int], str | None]

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        programs = [self.reply(state, seed) for state, seed in zip(states, seeds, strict=True)]
        return [Completion(program or "no code here", program, 10, 5) for program in programs]


@dataclass(frozen=True)
class FunctionVerifier:
    """Scores come from a function of the program."""

    value: Callable[[str], float]

    def score(self, problems: Sequence[Problem], programs: Sequence[str]) -> list[float]:
        return [self.value(program) for program in programs]


def make_experience(
    program: str | None,
    reward: float = 0.0,
    *,
    problem: str = "toy/p",
    iteration: int = 1,
    rollout: int = 0,
    turn: int = 1,
) -> Experience:
    return Experience(
        problem_id=problem,
        iteration=iteration,
        rollout=rollout,
        turn=turn,
        reply=program or "no code here",
        program=program,
        status=Status.PASSED if reward else Status.FAILED,
        tests_passed=int(reward),
        tests_total=1,
        feedback="" if reward else "wrong",
        reward=reward,
    )


@pytest.fixture
def problems() -> list[Problem]:
    return [make_problem(name) for name in ("a", "b", "c")]

"""Builders: small problems, scripted players, and a judge that runs nothing."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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

FAST = "not slow"
SLOW_THROUGHOUT = "\npytestmark = pytest.mark.slow"
OF_THE_SHELL = (  # settings of a machine (docs/operations.md) by which a test would ask a server or take another model
    "MLFLOW_ARTIFACTS_DESTINATION",
    "MLFLOW_AUTH_CONFIG_PATH",
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_TRACKING_URI",
    "MUCODE_RUN_REMOTE",
    "MUCODE_SERVER_URL",
    "MUCODE_STUDY_MODEL",
    "MUCODE_TRAINING_PROCESSES",
    "MUCODE_WORKERS",
    "PREFECT_API_DATABASE_CONNECTION_URL",
    "PREFECT_API_URL",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL",
)

ANOTHER_LOCALE = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}  # whose encoding knows no µ


def pytest_configure(config: pytest.Config) -> None:
    """The fast suite tries 30 examples of each property, the whole one 200; a busy machine fails nobody.

    What the shell says of servers, and DVC's settings for all repositories of a user, are not the tests'.
    """
    for name in OF_THE_SHELL:
        os.environ.pop(name, None)
    os.environ["DVC_GLOBAL_CONFIG_DIR"] = "/nonexistent"
    examples = 30 if config.option.markexpr == FAST else 200
    settings.register_profile("mucode", deadline=None, derandomize=True, max_examples=examples)
    settings.load_profile("mucode")
    gc.set_threshold(50_000, 20, 50)  # a tenth of the fast suite's time is the collector's


def pytest_collection_finish() -> None:
    gc.freeze()  # what is imported stays: the collector need not look through it again and again


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where no slow test is wanted, files of nothing else are not imported: they would take torch along, ten seconds."""
    if config.option.markexpr != FAST or collection_path.suffix != ".py":
        return None
    return True if SLOW_THROUGHOUT in collection_path.read_text() else None


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

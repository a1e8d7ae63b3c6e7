"""A few steps, their labels and what was known before: a clean file, and what it takes to spoil it."""

from __future__ import annotations

import dataclasses
from typing import Any

from mucode.checks import GateReport
from mucode.config import Gates
from mucode.records import Experience, Label, Step
from mucode.types import Problem, Status, Test

GATES = Gates(
    min_pass_rate=0.1,
    max_pass_rate=0.9,
    max_pass_rate_drift=0.5,
    max_status_drift=0.6,
    max_length_ratio=4.0,
    max_duplicate_drift=0.6,
    audit_share=0.01,
    audit_least=8,
    max_flaky_share=0.25,
)
RIGHT, WRONG = "def f(x):\n    return x\n", "def f(x):\n    return 0\n"


def problem(id: str, split: str = "train") -> Problem:
    return Problem(id, "starter", split, "Return x.", "f", (Test("assert f(1) == 1"),))


PROBLEMS = [
    problem("starter/1"),
    problem("starter/2"),
    problem("starter/161", split="validation"),
    problem("starter/201", split="test"),
]


def step(id: str, rollout: int, turn: int, program: str | None, status: Status, iteration: int = 2) -> Step:
    return Step(id, iteration, rollout, turn, program or "Sorry.", program, status, 0, 1, "", 10, 10)


STEPS = [
    step("starter/1", 0, 1, WRONG, Status.FAILED),
    step("starter/1", 0, 2, RIGHT, Status.PASSED),
    step("starter/1", 1, 1, "def f(x):\n    return 1\n", Status.PASSED),
    step("starter/2", 0, 1, None, Status.NO_CODE),
    step("starter/2", 0, 2, WRONG, Status.TIMEOUT),
    step("starter/2", 1, 1, RIGHT, Status.PASSED),
]
PRIVATE = [Status.FAILED, Status.PASSED, Status.FAILED, Status.NO_CODE, Status.TIMEOUT, Status.PASSED]


def label(of: Step, private: Status) -> Label:
    passed = of.status is Status.PASSED and private is Status.PASSED
    total = 0 if private is Status.NO_CODE else 4
    right = 4 if private is Status.PASSED else 0
    key = (of.problem_id, of.iteration, of.rollout, of.turn)
    return Label(*key, "train", of.program, of.status is Status.PASSED, private, right, total, float(passed))


LABELS = [label(of, private) for of, private in zip(STEPS, PRIVATE, strict=True)]


def experience(id: str, program: str | None, reward: float) -> Experience:
    status = Status.PASSED if reward else Status.FAILED
    return Experience(id, 1, 0, 1, program or "Sorry.", program, status, 0, 1, "", reward)


def wrong_before(id: str, program: str) -> Experience:
    """Its public tests passed, the private ones did not."""
    return dataclasses.replace(experience(id, program, 0.0), status=Status.PASSED)


PREVIOUS = [
    experience("starter/1", RIGHT, 1.0),
    experience("starter/2", WRONG, 0.0),
    experience("starter/2", None, 0.0),
]


def with_changed(row: int, **values: Any) -> list[Label]:
    return [dataclasses.replace(old, **values) if at == row else old for at, old in enumerate(LABELS)]


def names(report: GateReport) -> list[str]:
    return [expectation.name for expectation in report.refused]

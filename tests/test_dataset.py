from __future__ import annotations

from collections.abc import Sequence

import pytest

from mucode.dataset import experiences, label_steps, union
from mucode.records import Step
from mucode.types import Answer, Half, Job, MucodeError, Problem, Status, Test, Verdict
from tests.conftest import TabularSandbox, make_experience


def make_step(problem: str, program: str | None, status: Status, rollout: int = 0) -> Step:
    return Step(problem, 1, rollout, 1, program or "no", program, status, 0, 1, "", 10, 5)


def answers(problems: Sequence[Problem]) -> list[Answer]:
    return [Answer(problem.id, (Test("assert True"),), "right") for problem in problems]


def test_a_reward_needs_the_public_and_the_private_tests(problems: list[Problem]) -> None:
    steps = [
        make_step("toy/a", "right", Status.PASSED),
        make_step("toy/a", "public only", Status.PASSED, rollout=1),
        make_step("toy/a", "right but flaky", Status.FAILED, rollout=2),
        make_step("toy/a", None, Status.NO_CODE, rollout=3),
    ]
    labels = label_steps(steps, problems, answers(problems), TabularSandbox())
    assert [label.reward for label in labels] == [1.0, 0.0, 0.0, 0.0]
    assert labels[3].private_status is Status.NO_CODE


def test_equal_programs_run_once(problems: list[Problem]) -> None:
    ran: list[str] = []

    class Counting(TabularSandbox):
        def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
            ran.extend(job.program for job in jobs)
            return super().judge(jobs, half)

    steps = [make_step("toy/a", "right", Status.PASSED, rollout=i) for i in range(3)]
    assert len(label_steps(steps, problems, answers(problems), Counting())) == 3
    assert ran == ["right"]


def test_a_failure_of_the_judge_is_an_error_and_never_a_label(problems: list[Problem]) -> None:
    class Broken(TabularSandbox):
        def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
            return [Verdict(Status.INTERNAL, 0, 0) for _ in jobs]

    with pytest.raises(MucodeError, match=r"toy/a: .*mucode doctor"):
        label_steps([make_step("toy/a", "right", Status.PASSED)], problems, answers(problems), Broken())


def test_a_step_without_a_label_is_named() -> None:
    with pytest.raises(MucodeError, match="toy/a, rollout 0, turn 1 has no label"):
        experiences([make_step("toy/a", "right", Status.PASSED)], [])


def test_the_union_keeps_old_and_new_once_each_in_order() -> None:
    old, new = make_experience("a"), make_experience("b", iteration=2)
    assert union([old], [new, old]) == [old, new]


def test_a_step_labelled_both_ways_is_refused() -> None:
    with pytest.raises(MucodeError, match="labelled both ways"):
        union([make_experience("a", 0.0)], [make_experience("a", 1.0)])

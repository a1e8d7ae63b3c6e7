"""How two halves become one label."""

from __future__ import annotations

import pytest

from mucode.label.oracle import Oracle, Outcome
from mucode.label.rows import Task, task_from_row
from mucode.types import Status

from .scripted import PUBLIC_ONLY, RIGHT, SLOW, UNJUDGED, WRONG, ScriptedSandbox


def answered(oracle: Oracle, *asked: tuple[Task, str]) -> list[Outcome]:
    for task, completion in asked:
        oracle.ask(task, completion)
    oracle.settle()
    return list(oracle.answers())


def make_task(tests: int = 3, task_id: int = 1) -> Task:
    return task_from_row({"task_id": task_id, "test_list": ["assert f(1) == 1"] * tests}, ScriptedSandbox().judge)


def bare_task() -> Task:
    row = {
        "task_id": "mine",
        "prompt": 'def f(x):\n    """Nothing to see."""\n',
        "entry_point": "f",
        "test": "def check(candidate):\n    assert candidate(1) == 1\n    assert candidate(2) == 2\n",
    }
    return task_from_row(row, ScriptedSandbox().judge)


@pytest.mark.parametrize(
    ("program", "passed", "public_passed", "status", "tests_passed"),
    [
        (RIGHT, True, True, "passed", 3),
        (PUBLIC_ONLY, False, True, "error", 1),
        (WRONG, False, False, "failed", 0),
        (SLOW, False, False, "timeout", 0),
        ("I cannot do this.", False, False, "no_code", 0),
    ],
)
def test_a_label_passes_only_if_both_halves_do(
    program: str, passed: bool, public_passed: bool, status: str, tests_passed: int
) -> None:
    (outcome,) = answered(Oracle(ScriptedSandbox()), (make_task(), program))
    assert outcome.row(7) == {
        "task_id": 7,
        "passed": passed,
        "public_passed": public_passed,
        "status": status,
        "tests_passed": tests_passed,
        "tests_total": 3,
    }


def test_a_right_program_runs_once_for_all_its_tests() -> None:
    sandbox = ScriptedSandbox()
    answered(Oracle(sandbox), (make_task(), RIGHT))
    ((job, half),) = sandbox.asked
    assert half == "private"
    assert len(job.private_tests) == 3


def test_without_public_tests_the_public_half_counts_as_passed() -> None:
    sandbox = ScriptedSandbox()
    outcomes = answered(Oracle(sandbox), (bare_task(), WRONG), (bare_task(), "no"))
    assert [(o.passed, o.public_passed, o.status) for o in outcomes] == [
        (False, True, Status.FAILED),
        (False, False, Status.NO_CODE),
    ]
    assert outcomes[1].tests_total == 2  # asserts, not tests
    assert len(sandbox.asked) == 1


def test_equal_pairs_run_once_and_different_problems_apart() -> None:
    sandbox = ScriptedSandbox()
    oracle = Oracle(sandbox)
    one, two = make_task(task_id=1), make_task(tests=2, task_id=2)
    first = answered(oracle, (one, RIGHT), (one, f"So:\n```\n{RIGHT}"), (two, RIGHT), (one, WRONG), (one, WRONG))
    assert [outcome.tests_total for outcome in first] == [3, 3, 2, 3, 3]
    asked = len(sandbox.asked)
    assert asked == 4  # the wrong one is asked its public half again
    assert answered(oracle, (one, WRONG), (two, RIGHT)) == [first[3], first[2]]
    assert len(sandbox.asked) == asked


def test_what_the_judge_failed_at_is_asked_again() -> None:
    sandbox = ScriptedSandbox()
    oracle = Oracle(sandbox)
    for _ in range(2):
        (outcome,) = answered(oracle, (make_task(), UNJUDGED))
        assert outcome.status is Status.INTERNAL
    assert len(sandbox.asked) == 4


def test_answers_come_in_the_order_asked_and_no_earlier_than_known() -> None:
    oracle = Oracle(ScriptedSandbox())
    for program in (WRONG, "no", RIGHT):
        oracle.ask(make_task(), program)
    assert list(oracle.answers()) == []
    oracle.work()  # the scripted sandbox begins with the last
    assert list(oracle.answers()) == []
    assert len(oracle) == 3
    oracle.settle()
    assert [outcome.status for outcome in oracle.answers()] == [Status.FAILED, Status.NO_CODE, Status.PASSED]
    assert len(oracle) == 0

"""Rows of CodeContests: inputs with the outputs expected, some public."""

from __future__ import annotations

from typing import Any

import pytest

from mucode.problems import problem_from_codecontests_row
from mucode.types import MucodeError, Test, TestKind

ROW: dict[str, Any] = {
    "task_id": "1_A",
    "description": "Add.",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["2 2\n"], "output": ["4\n"]},
    "generated_tests": {"input": [" 3 3"], "output": ["6"]},
}


def test_inputs_and_outputs_stay_as_they_are_and_only_the_public_ones_are_the_problem_s() -> None:
    problem, answer = problem_from_codecontests_row(ROW, "codecontests", "test")
    assert (problem.id, problem.text, problem.entry_point) == ("codecontests/1_A", "Add.", "")
    assert problem.public_tests == (Test("1 2\n", "3\n", TestKind.STDIO),)
    assert [(test.code, test.expected) for test in answer.private_tests] == [("2 2\n", "4\n"), (" 3 3", "6")]


def test_a_row_may_have_no_public_test() -> None:
    problem, answer = problem_from_codecontests_row({**ROW, "public_tests": None}, "codecontests", "test")
    assert (len(problem.public_tests), len(answer.private_tests)) == (0, 2)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"public_tests": {"input": ["1"], "output": []}}, "1 inputs and 0 outputs"),
        ({"public_tests": {"input": "1", "output": "1"}}, "two lists of texts"),
        ({"public_tests": [["1", "2"]]}, "two lists of texts"),
        ({"public_tests": {"input": [1], "output": ["1"]}}, "two lists of texts"),
        ({"public_tests": {"input": [], "output": []}, "private_tests": None, "generated_tests": None}, "no tests"),
    ],
)
def test_a_row_that_could_not_be_judged_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(MucodeError, match=complaint):
        problem_from_codecontests_row({**ROW, **change}, "codecontests", "test")

"""HumanEval: its docstring examples, what is public, what belongs to the problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mucode.problems import load_problems, problem_from_humaneval_row
from mucode.problems.examples import docstring_examples
from mucode.problems.humaneval import is_packaged, packaged_rows
from mucode.types import Answer, MucodeError, Problem, Test

REQUIRED = ("task_id", "prompt", "entry_point", "test")


@pytest.fixture(scope="module")
def humaneval() -> dict[str, tuple[Problem, Answer]]:
    return {problem.id: (problem, answer) for problem, answer in load_problems("humaneval")}


def own_row(**changes: Any) -> dict[str, Any]:
    plain = {
        "task_id": "mine/1",
        "prompt": 'def double(x):\n    """Twice x.\n    >>> double(2)\n    4\n    >>> double(3)\n    7\n    """\n',
        "entry_point": "double",
        "canonical_solution": "    return 2 * x\n",
        "test": "def check(candidate):\n    assert candidate(5) == 10\n",
    }
    return {**plain, **changes}


def test_all_problems_are_there_and_22_have_no_public_test(humaneval: dict[str, tuple[Problem, Answer]]) -> None:
    bare = [int(name.split("/")[1]) for name, (problem, _) in humaneval.items() if not problem.public_tests]
    assert list(humaneval) == [f"humaneval/{number}" for number in range(164)]
    assert len(bare) == 22
    assert bare[:3] == [38, 41, 50]
    assert 116 in bare  # its own examples contradict its reference


def test_the_official_check_is_private_and_comes_last(humaneval: dict[str, tuple[Problem, Answer]]) -> None:
    for problem, answer in humaneval.values():
        assert answer.private_tests[-1].code.endswith(f"\n\ncheck({problem.entry_point})")
        assert "def check(" in answer.private_tests[-1].code


def test_a_false_example_is_dropped_and_the_true_ones_are_shared_out(
    humaneval: dict[str, tuple[Problem, Answer]],
) -> None:
    problem, answer = humaneval["humaneval/47"]  # says that a median is 15.0 where it is 8.0
    assert [test.code for test in problem.public_tests] == ["assert median([3, 1, 2, 4, 5]) == 3"]
    assert len(answer.private_tests) == 1
    problem, answer = humaneval["humaneval/148"]  # ("Venus") is no tuple
    assert len(answer.private_tests) == 2


def test_imports_and_helper_functions_of_the_prompt_belong_to_the_problem(
    humaneval: dict[str, tuple[Problem, Answer]],
) -> None:
    problem, answer = humaneval["humaneval/32"]
    assert problem.preamble.startswith("import math\n\n\ndef poly(")
    assert "def find_zero" not in problem.preamble
    assert answer.reference.startswith(problem.stub)
    assert problem.stub.strip() in problem.text


def test_a_row_without_the_reference_is_split_as_the_loader_splits_it(
    humaneval: dict[str, tuple[Problem, Answer]],
) -> None:
    for row in packaged_rows():
        pair = problem_from_humaneval_row({name: row[name] for name in REQUIRED})
        assert pair == humaneval[row["task_id"].lower()]


def test_an_unknown_row_without_a_reference_has_no_public_test() -> None:
    problem, answer = problem_from_humaneval_row(own_row(canonical_solution=None))
    assert problem.public_tests == ()
    assert (len(answer.private_tests), answer.reference) == (1, "")


def test_the_caller_may_check_the_examples_elsewhere() -> None:
    asked: list[str] = []

    def only_the_second(problem: Problem, reference: str, examples: Sequence[Test]) -> list[bool]:
        asked.append(reference)
        return [False, True]

    problem, _ = problem_from_humaneval_row(own_row(), only_the_second)
    assert [test.code for test in problem.public_tests] == ["assert double(3) == 7"]
    assert asked == [own_row()["prompt"] + own_row()["canonical_solution"]]


def test_only_the_package_s_own_references_count_as_packaged() -> None:
    row = packaged_rows()[0]
    assert is_packaged(row)
    assert is_packaged({name: row[name] for name in REQUIRED})
    assert not is_packaged({**row, "canonical_solution": "    import os\n"})
    assert not is_packaged(own_row())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"entry_point": "triple"}, "defines no function 'triple'"),
        ({"entry_point": ""}, "defines no function ''"),
        ({"test": "assert double(1) == 2"}, r"no function check\(candidate\)"),
        ({"test": "def check(candidate):\n\ncheck(f)"}, "mine/1: a test is no Python"),
        ({"test": "def check(candidate): pass"}, "mine/1: a test asserts nothing"),
        ({"prompt": "import (\ndef double(x):\n"}, "what stands before the function is no Python"),
        ({"prompt": None}, "prompt must be there"),
        ({"task_id": ""}, "task_id must be there"),
    ],
)
def test_a_malformed_row_is_refused_in_one_sentence(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(MucodeError, match=complaint):
        problem_from_humaneval_row(own_row(**changes))


@pytest.mark.parametrize(
    ("docstring", "example"),
    [
        (">>> f(1)\n    2", "f(1) == 2"),
        (">>> f([])\n\n    >>> f", "f([]) == None"),
        (">>> f([]) == None", "f([]) == None"),
        (">>> round(f(1), 2) # so\n    -0.5", "round(f(1), 2) == -0.5"),
        (">>> f(['3'])\n    ['a',\n     'b']", "f(['3']) == ['a', 'b']"),
        ("f(1, 4) => true", "f(1, 4) == True"),
        ("f('hi') returns 'lm'", "f('hi') == 'lm'"),
        ("f(14,-15) should return 20.", "f(14, -15) == 20"),
        ("f(3.6) ➞ False # so", "f(3.6) == False"),
        ("f(15)   # returns 'db'", "f(15) == 'db'"),
        ("f('5 apples') ->19 - 5 - 6 = 8", "f('5 apples') == 8"),
        ("f([\n  [1],\n  [2]], 1) == [(0, 0)]", "f([[1], [2]], 1) == [(0, 0)]"),
        ("for f('(', ')') == 1", "f('(', ')') == 1"),
        ("grade([4.0]) ==> ['A+']", "f([4.0]) == ['A+']"),
    ],
)
def test_every_form_of_example_is_read(docstring: str, example: str) -> None:
    assert docstring_examples(f'def f(x) -> int:\n    """\n    {docstring}\n    """\n', "f") == [f"assert {example}"]


@pytest.mark.parametrize(
    "docstring",
    ["f(a) => False", "f(n) = n! * f(n-1)", "ord('a') = 0", "f(1) is odd", "f(1) == x", "f(1", "f(exec('x = 1')) == 1"],
)
def test_what_is_no_literal_example_is_left_alone(docstring: str) -> None:
    assert docstring_examples(f'def f(x) -> int:\n    """{docstring}\n    """\n', "f") == []

"""A user's problem in each form that it may come in."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from mucode.problems.humaneval import packaged_rows
from mucode.solve import read_problem
from mucode.types import MucodeError, Problem

MBPP: dict[str, Any] = {
    "task_id": 2,
    "text": "Write a function to add.",
    "code": "def add(a, b):\n    return a + b",
    "test_setup_code": "import math",
    "test_list": ["assert add(1, 2) == 3", "assert add(1, 3) == 4"],
    "challenge_test_list": ["assert add(0, 0) == 0"],
}
HUMANEVAL = {
    "task_id": "HumanEval/x",
    "prompt": 'import math\n\ndef twice(x):\n    """Double it.\n    >>> twice(2)\n    4\n    >>> twice(3)\n    6\n    """\n',
    "entry_point": "twice",
    "canonical_solution": "    raise RuntimeError\n",
    "test": "def check(candidate):\n    assert candidate(5) == 10",
}


def read(content: str | dict[str, Any], *tests: str) -> Problem:
    text = content if isinstance(content, str) else json.dumps(content)
    return read_problem(None, io.StringIO(text), tests)


def codes(problem: Problem) -> list[str]:
    return [test.code for test in problem.public_tests]


def test_plain_text_is_the_task_and_tests_come_from_the_options() -> None:
    problem = read("Write a function f.\n", "assert f(1) == 2", "assert f(2) == 3")
    assert problem.text == "Write a function f."
    assert codes(problem) == ["assert f(1) == 2", "assert f(2) == 3"]
    assert problem.entry_point == "f"


def test_plain_text_alone_is_a_problem_without_tests() -> None:
    assert read("Write a function f.").public_tests == ()


def test_every_assert_of_a_row_of_mbpp_is_public_and_neither_challenges_nor_reference_are_told() -> None:
    problem = read(MBPP, "assert add(2, 2) == 4")
    assert codes(problem) == [*MBPP["test_list"], "assert add(2, 2) == 4"]
    assert (problem.text, problem.entry_point, problem.setup) == ("Write a function to add.", "add", "import math")
    assert "return" not in repr(problem)


def test_a_row_of_humaneval_gives_its_docstring_examples_and_its_check_stays_out() -> None:
    problem = read(HUMANEVAL)
    assert codes(problem) == ["assert twice(2) == 4", "assert twice(3) == 6"]
    assert problem.stub == HUMANEVAL["prompt"]
    assert problem.preamble == "import math"
    assert "RuntimeError" not in repr(problem)


def test_a_prompt_needs_neither_check_nor_reference() -> None:
    bare = {name: HUMANEVAL[name] for name in ("prompt", "entry_point")}
    assert read(bare) == read(HUMANEVAL)


def test_every_row_of_humaneval_can_be_read() -> None:
    problems = [read(row) for row in packaged_rows()]
    assert sum(bool(problem.public_tests) for problem in problems) >= 142


def test_the_own_form_may_name_function_and_setup() -> None:
    problem = read({"text": "t", "tests": ["assert f(g(1)) == 2"], "entry_point": "g", "setup": "K = 1"})
    assert (problem.entry_point, problem.setup) == ("g", "K = 1")


def test_equal_problems_draw_equal_samples_and_others_do_not() -> None:
    assert read("t", "assert f(1) == 2").id == read({"text": "t", "tests": ["assert f(1) == 2"]}).id
    assert read("t", "assert f(1) == 2").id != read("t", "assert f(1) == 3").id


def test_a_file_named_json_is_json_and_another_one_is_text(tmp_path: Path) -> None:
    for name in ("problem.json", "problem.txt"):
        (tmp_path / name).write_text("[1] is a list")
    assert read_problem(tmp_path / "problem.txt", io.StringIO()).text == "[1] is a list"
    with pytest.raises(MucodeError, match=r"problem\.json is no JSON"):
        read_problem(tmp_path / "problem.json", io.StringIO())


@pytest.mark.parametrize(
    ("content", "culprit"),
    [
        ("", "has no text"),
        ('{"text": ', "is no JSON"),
        ('{"text": "a"}\n{"text": "b"}', "several rows"),
        ({"tests": ["assert f(1)"]}, "has no text"),
        ({"text": 3}, "input: text must be text"),
        ({"text": "t", "test": []}, "'test' is none of text, tests"),
        ({"text": "t", "tests": "assert f(1)"}, "input: tests must be a list"),
        ({"text": "t", "tests": ["f(1"]}, "input: a test is no Python"),
        ({"text": "t", "tests": ["f(1)"]}, "asserts nothing"),
        ({"text": "t", "setup": "import ("}, "setup is no Python"),
        ({"text": "t", "entry_point": "f g"}, "entry_point 'f g'"),
        ({"prompt": "def f(x): ...", "entry_point": "g"}, "no function 'g'"),
    ],
)
def test_a_bad_problem_is_refused_in_one_sentence(content: str | dict[str, Any], culprit: str) -> None:
    with pytest.raises(MucodeError, match=culprit) as error:
        read(content)
    assert "\n" not in str(error.value)


def test_a_mark_of_utf_8_before_the_problem_is_no_part_of_it() -> None:
    assert read("\ufeff" + json.dumps(MBPP)) == read(MBPP)
    assert read("\ufeffWrite f.").text == "Write f."


@pytest.mark.parametrize("content", ["Write \udcff.", '{"text": "\\ud800"}', {**MBPP, "text": "\ud800"}])
def test_half_a_character_is_refused_before_any_model_reads_it(content: str | dict[str, Any]) -> None:
    with pytest.raises(
        MucodeError, match=r"standard input: half a character is in it \(\\u(dcff|d800)\): write all of it"
    ):
        read(content)


@pytest.mark.parametrize("content", ["Write f.", MBPP, HUMANEVAL])
def test_an_optional_test_must_assert_something(content: str | dict[str, Any]) -> None:
    with pytest.raises(MucodeError, match="asserts nothing"):
        read(content, "f(1)")


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match="nowhere cannot be read"):
        read_problem(tmp_path / "nowhere", io.StringIO())
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(MucodeError, match="binary is not UTF-8"):
        read_problem(tmp_path / "binary", io.StringIO())

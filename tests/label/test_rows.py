"""What `mucode label` accepts, and what it refuses before anything runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mucode.label.rows import read_problem_rows, requests, survey, task_from_row
from mucode.problems import load_problems
from mucode.problems.humaneval import packaged_rows
from mucode.types import MucodeError

from .scripted import ScriptedSandbox

MBPP_ROW = {"task_id": 2, "test_list": ["assert f(1) == 1"]}
HUMANEVAL_ROW = {
    "task_id": "mine/1",
    "prompt": 'def f(x):\n    """\n    >>> f(1)\n    1\n    >>> f(2)\n    3\n    """\n',
    "entry_point": "f",
    "test": "def check(candidate):\n    assert candidate(1) == 1\n",
}


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_both_formats_are_recognised_with_their_own_task_ids(tmp_path: Path) -> None:
    rows = read_problem_rows(write(tmp_path / "p.jsonl", [MBPP_ROW, HUMANEVAL_ROW, {**MBPP_ROW, "task_id": "2"}]))
    assert list(rows) == [2, "mine/1", "2"]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([MBPP_ROW, {"task_id": 3}], "line 2: neither MBPP's format"),
        ([MBPP_ROW, {"task_id": 3, "test_list": []}], "line 2: mbpp/3 has no tests"),
        ([{"test_list": ["assert f(1)"]}], "line 1: task_id must be there"),
        ([MBPP_ROW, HUMANEVAL_ROW, MBPP_ROW], "line 3: task_id 2 is there a second time"),
        ([{**HUMANEVAL_ROW, "entry_point": "g"}], "line 1: humaneval/mine/1: the prompt defines no function 'g'"),
        ([[1]], "line 1 is JSON, but no object"),
        ([], "holds no problems"),
    ],
)
def test_a_bad_problem_file_is_refused_by_line(tmp_path: Path, rows: list[Any], complaint: str) -> None:
    with pytest.raises(MucodeError, match=complaint):
        read_problem_rows(write(tmp_path / "p.jsonl", rows))


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"task_id": 9, "completion": "x"}, "line 2: no problem has the task_id 9"),
        ({"task_id": "2", "completion": "x"}, "line 2: no problem has the task_id '2'"),
        ({"task_id": True, "completion": "x"}, "line 2: task_id must be there"),
        ({"task_id": 2.0, "completion": "x"}, "line 2: task_id must be there"),
        ({"completion": "x"}, "line 2: task_id must be there"),
        ({"task_id": 2}, "line 2: completion must be there as text"),
        ({"task_id": 2, "completion": None}, "line 2: completion must be there as text"),
        ({"task_id": 2, "completion": ["x"]}, "line 2: completion must be there as text"),
        ("x", "line 2 is JSON, but no object"),
    ],
)
def test_a_bad_completion_is_refused_by_line(tmp_path: Path, row: Any, complaint: str) -> None:
    path = write(tmp_path / "c.jsonl", [{"task_id": 2, "completion": "x"}, row])
    with pytest.raises(MucodeError, match=complaint):
        survey(path, {2: MBPP_ROW})


def test_completions_come_in_order_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"task_id": 2, "completion": "a", "model": "m"}\r\n\n{"task_id": 2, "completion": "b"}')
    assert [request.completion for request in requests(path, {2: MBPP_ROW})] == ["a", "b"]
    assert survey(path, {2: MBPP_ROW}).count == 2


def test_a_row_is_split_as_the_loaders_split_it() -> None:
    loaded = {problem.id: (problem, answer) for problem, answer in load_problems("humaneval")}
    for row in packaged_rows()[:60]:
        problem, answer = task_from_row(row, ScriptedSandbox().judge)
        known, known_answer = loaded[row["task_id"].lower()]
        assert (problem.public_tests, problem.stub) == (known.public_tests, known.stub)
        assert answer.private_tests == known_answer.private_tests


def test_the_examples_of_a_foreign_row_are_checked_in_the_sandbox() -> None:
    sandbox = ScriptedSandbox()
    task_from_row({**HUMANEVAL_ROW, "canonical_solution": "    return x\n"}, sandbox.judge)
    assert [job.problem.public_tests[0].code for job, _ in sandbox.asked] == ["assert f(1) == 1", "assert f(2) == 3"]


def test_problems_that_share_a_number_are_told_apart() -> None:
    ids = {task_from_row({**MBPP_ROW, "task_id": number}, ScriptedSandbox().judge)[0].id for number in (2, "2")}
    assert len(ids) == 2

"""The stream: in order, at once, and unmoved by malformed lines."""

from __future__ import annotations

import json
import os
import tempfile
from itertools import pairwise
from typing import Any

import pytest

from mucode.label.stream import Lines, Stream

from .scripted import PUBLIC_ONLY, RIGHT, ScriptedSandbox

PROBLEM = {"task_id": "a", "test_list": ["assert f(1) == 1", "assert f(2) == 2"]}


def line(completion: Any = RIGHT, problem: Any = PROBLEM) -> bytes:
    return json.dumps({"problem": problem, "completion": completion}).encode() + b"\n"


def answers(*lines: bytes, sandbox: ScriptedSandbox | None = None) -> list[dict[str, Any]]:
    with tempfile.TemporaryFile() as source:
        source.writelines(lines)
        source.seek(0)
        stream = Stream(source.fileno(), sandbox or ScriptedSandbox(isolation="bubblewrap"))
        return [json.loads(answer) for answer in stream.answers()]


def test_an_answer_has_the_label_the_seconds_and_the_isolation() -> None:
    assert answers(line()) == [
        {
            "task_id": "a",
            "passed": True,
            "public_passed": True,
            "status": "passed",
            "tests_passed": 2,
            "tests_total": 2,
            "seconds": 0.5,
            "isolation": "bubblewrap",
        }
    ]


def test_answers_come_in_the_order_of_the_lines() -> None:
    found = answers(*(line(RIGHT if n % 3 else PUBLIC_ONLY, {**PROBLEM, "task_id": n}) for n in range(100)))
    assert [(a["task_id"], a["passed"]) for a in found] == [(n, n % 3 != 0) for n in range(100)]


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (b"not json\n", "no JSON"),
        (b"\n", "no JSON"),
        (b"\xff\n", "not UTF-8"),
        (b"[]\n", "no object"),
        (b"[" * 100_000 + b"\n", "no JSON"),
        (b"{}\n", "problem must be there"),
        (line(problem=[]), "problem must be there"),
        (line(problem={"task_id": 1}), "neither MBPP's format"),
        (line(problem={**PROBLEM, "test_list": ["f(1"]}), "is no Python"),
        (line(problem={"test_list": ["assert f(1)"]}), "task_id must be there"),
        (line(completion=3), "completion must be there"),
    ],
)
def test_a_malformed_line_is_answered_and_the_stream_goes_on(bad: bytes, complaint: str) -> None:
    before, error, after = answers(line(), bad, line())
    assert before == after
    assert list(error) == ["error"]
    assert complaint in error["error"]


def test_an_answer_does_not_wait_for_the_next_line() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as client:
        stream = Stream(reading, ScriptedSandbox()).answers()
        for _ in range(3):
            client.write(line())
            assert json.loads(next(stream))["passed"]  # would hang if the stream waited for more
        client.write(b'{"half of a li')
        client.close()
        assert "no JSON" in json.loads(next(stream))["error"]
        assert list(stream) == []
    os.close(reading)


@pytest.mark.parametrize("cuts", [[], [1], [2], [3], [1, 2, 3, 4, 5]])
def test_lines_are_whole_wherever_the_reads_cut_them(cuts: list[int]) -> None:
    data, lines = b"ab\n\ncd", Lines()
    for start, end in pairwise([0, *cuts, len(data)]):
        assert lines.feed(data[start:end])
    assert not lines.feed(b"")
    assert list(lines.whole) == [b"ab", b"", b"cd"]


def test_a_problem_that_comes_again_is_not_checked_again() -> None:
    row = {
        "task_id": "mine/1",
        "prompt": 'def f(x):\n    """\n    >>> f(1)\n    1\n    """\n',
        "entry_point": "f",
        "canonical_solution": "    return x\n",
        "test": "def check(candidate):\n    assert candidate(1) == 1\n",
    }
    sandbox = ScriptedSandbox()
    answers(line(problem=row), line(problem=row), line(problem=row), sandbox=sandbox)
    assert len(sandbox.asked) == 2  # the docstring example on the reference, and the one program

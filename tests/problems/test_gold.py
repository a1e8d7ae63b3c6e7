"""The gold check, with the real sandbox: references pass their own tests, or their problem is refused by name."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import replace

import pytest

from mucode.execution import open_sandbox
from mucode.problems import load_problems, problem_from_mbpp_row
from mucode.problems.gold import PATIENCE, gold_check, require_gold
from mucode.problems.mbpp import PATH_VARIABLE
from mucode.types import Answer, MucodeError, Problem, Test


def make_pair(number: int, reference: str) -> tuple[Problem, Answer]:
    tests = ["assert double(1) == 2", "assert double(2) == 4"]
    return problem_from_mbpp_row({"task_id": number, "code": reference, "test_list": tests}, "mbpp", "train")


def test_a_broken_problem_is_found_in_either_half_and_refused_by_name() -> None:
    references = ["def double(x): return 2 * x", "def double(x): return 2", "def double(x): return 4", ""]
    pairs = [make_pair(number, reference) for number, reference in enumerate(references)]
    problems, answers = [problem for problem, _ in pairs], [answer for _, answer in pairs]
    with open_sandbox(workers=2) as sandbox:
        broken = gold_check(problems, answers, sandbox)
        with pytest.raises(MucodeError, match=r"mbpp/1 \(private: failed, 0 of 1 tests\); mbpp/2 \(public"):
            require_gold(problems, answers, sandbox)
        require_gold(problems[:1], answers[:1], sandbox)
    assert [entry.problem_id for entry in broken] == ["mbpp/1", "mbpp/2"]


def test_a_reference_slower_than_programs_may_be_is_sound_and_named(caplog: pytest.LogCaptureFixture) -> None:
    slow = "import time\ndef double(x):\n    time.sleep(0.3)\n    return 2 * x"
    problem, answer = make_pair(7, slow)
    with caplog.at_level(logging.WARNING, logger="mucode"), open_sandbox(workers=1, timeout=PATIENCE * 0.2) as sandbox:
        require_gold([problem], [answer], sandbox, timeout=0.2)
    assert re.search(r"the reference of mbpp/7 takes \d+\.\d+ s", caplog.text)
    assert "and programs get 0.2 s" in caplog.text


@pytest.mark.parametrize(
    ("setup", "test", "named"),
    [
        ("", "assert isclose(double(1.5), 3)", "isclose"),
        ("", "assert double(1.5) == mul(1.5, 2)", "mul"),
        ("", "assert double(mul(1, 1)) == 2", ""),
        ("from math import isclose", "assert isclose(double(1.5), 3)", ""),
        ("", "from math import isclose\nassert isclose(double(1.5), 3)", ""),
        ("", "assert abs(double(1.5) - 3) < 1e-9", ""),
    ],
)
def test_what_else_of_a_program_s_own_an_assert_calls_is_named(
    setup: str, test: str, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    reference = "from math import isclose\nfrom operator import mul\ndef double(x): return 2 * x"
    row = {"task_id": 7, "code": reference, "test_setup_code": setup, "test_list": [test]}
    problem, answer = problem_from_mbpp_row(row, "mbpp", "train")
    assert problem.entry_point == "double"
    with caplog.at_level(logging.WARNING, logger="mucode"), open_sandbox(workers=1) as sandbox:
        assert gold_check([problem], [answer], sandbox) == []
    assert caplog.text.count("mbpp/7 call " + named) == (named != "")


def test_a_problem_without_any_test_is_broken() -> None:
    problem, answer = make_pair(1, "def double(x): return 2 * x")
    empty = replace(problem, public_tests=()), replace(answer, private_tests=())
    with open_sandbox(workers=1) as sandbox:
        (broken,) = gold_check([empty[0]], [empty[1]], sandbox)
    assert broken.reason == "it has no test at all"


def test_a_check_that_lost_its_asserts_is_noticed() -> None:
    """What fault 1 of the reference implementation comes to: a check with an empty body."""
    problem, answer = load_problems("humaneval")[0]
    gutted = Test("def check(candidate): pass\n\ncheck(has_close_elements)")
    with open_sandbox(workers=1) as sandbox:
        (broken,) = gold_check([problem], [replace(answer, private_tests=(gutted,))], sandbox)
    assert (broken.problem_id, broken.reason) == ("humaneval/0", "private: its tests assert nothing")


@pytest.mark.slow
@pytest.mark.parametrize("source", ["starter", "humaneval", "mbpp"])
def test_every_reference_of_every_source_passes_its_own_tests(source: str) -> None:
    if source == "mbpp" and PATH_VARIABLE not in os.environ:
        pytest.skip(f"{PATH_VARIABLE} names no local mbpp.jsonl")
    pairs = load_problems(source)
    with open_sandbox(timeout=30.0) as sandbox:  # mbpp/123 computes for seconds
        assert gold_check([problem for problem, _ in pairs], [answer for _, answer in pairs], sandbox) == []

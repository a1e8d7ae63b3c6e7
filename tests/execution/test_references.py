"""References of MBPP and HumanEval, and mutants of theirs, get the verdict that one ordinary interpreter gives them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.mutants import mutants
from mucode.execution import open_sandbox
from mucode.problems import load_problems
from mucode.types import Job
from tests.execution.ordinary import ordinary_passes


@pytest.fixture(scope="module")
def references() -> list[Job]:
    """Every MBPP and HumanEval problem with its reference and all its tests."""
    path = os.environ.get("MUCODE_MBPP")
    if path is None:
        pytest.skip("MUCODE_MBPP names no file with MBPP")
    rows = map(json.loads, Path(path).read_text().splitlines())
    challenges = {f"mbpp/{row['task_id']}": row["challenge_test_list"] for row in rows}
    return list(_jobs("mbpp", Path(path), challenges)) + list(_jobs("humaneval", None, {}))


def _jobs(source: str, path: Path | None, more: dict[str, list[str]]) -> Iterator[Job]:
    for problem, answer in load_problems(source, path):
        tests = dict.fromkeys([*problem.public_tests, *answer.private_tests])
        extra = [type(answer.private_tests[0])(code) for code in more.get(problem.id, ())]
        yield Job(problem, answer.reference, tuple(dict.fromkeys([*tests, *extra])))


@pytest.mark.slow
def test_every_reference_passes(references: list[Job]) -> None:
    with open_sandbox(2, timeout=10.0) as patient:
        verdicts = patient.judge(references, "private")
    assert len(references) == 974 + 164
    assert [given.problem.id for given, verdict in zip(references, verdicts, strict=True) if not verdict.passed] == []
    assert all(verdict.tests_passed == verdict.tests_total for verdict in verdicts)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # in the references, when mutants are made of them
def test_judge_and_ordinary_python_agree_on_mutants(references: list[Job]) -> None:
    chosen = [
        Job(given.problem, mutant, given.private_tests)
        for given in references
        for mutant in mutants(given.program)[:3]
    ]  # fmt: skip
    chosen = chosen[:: max(1, len(chosen) // 2000)]
    with open_sandbox(2, timeout=3.0) as sandbox:
        verdicts = sandbox.judge(chosen, "private")
    disagreements = {
        given.problem.id: verdict
        for given, verdict in zip(chosen, verdicts, strict=True)
        if verdict.passed is not ordinary_passes(given, seconds=4)
    }
    assert len(chosen) >= 2000
    assert disagreements == {}

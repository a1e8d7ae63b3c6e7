"""What stages hand on: each test set is searched as its name says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mucode import evaluation, stages
from mucode.config import dump_yaml, read_yaml
from mucode.evaluation import TestSet
from mucode.records import write_rows
from mucode.search import Conditions
from mucode.types import Problem
from tests.conftest import make_problem

ROOT = Path(__file__).resolve().parents[1]
SETS = [
    {"source": "starter", "split": "test", "limit": 2, "public_tests": True, "feedback": "execution"},
    {"source": "starter", "split": "test", "limit": 0, "public_tests": False, "feedback": "execution"},
    {"source": "starter", "split": "test", "limit": 0, "public_tests": True, "feedback": "random"},
]


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[TestSet]:
    """The test sets that stages ask for, in a workspace of four test problems and two validation problems."""
    values = read_yaml(ROOT / "params.yaml")
    values["problems"] |= {"source": "starter", "benchmarks": SETS}
    values["search"] |= {
        "turns": 3,
        "candidates": 4,
        "other_candidates": [2],
        "greedy": True,
        "searches": 2,
        "benchmarks": [],
    }
    (tmp_path / "params.yaml").write_text(dump_yaml(values))
    splits = ["test"] * 4 + ["validation"] * 2 + ["train"]
    rows = [Problem(**_fields(number, split)) for number, split in enumerate(splits)]
    write_rows(tmp_path / "problems.parquet", rows, Problem)
    monkeypatch.chdir(tmp_path)
    seen: list[TestSet] = []

    def run_searches(stage: str, sets: Sequence[TestSet], *rest: Any) -> None:
        seen.extend(sets)

    monkeypatch.setattr(evaluation, "run_searches", run_searches)
    return seen


def _fields(number: int, split: str) -> dict[str, Any]:
    problem = make_problem(f"p{number}")
    names = ("text", "entry_point", "public_tests")
    return {"id": f"starter/{number}", "source": "starter", "split": split} | {n: getattr(problem, n) for n in names}


def call(stage: Any, turns: int) -> None:
    paths = {name: Path(f"{name}.parquet") for name in ("problems", "answers", "base", "generator", "verifier", "out")}
    stage(**paths, seed=7, turns=turns)


def test_every_test_set_is_searched_under_its_own_conditions(searched: list[TestSet]) -> None:
    call(stages.benchmark, turns=0)
    found = {each.name: (each.settings.conditions, len(each.problems)) for each in searched}
    assert found == {
        "starter/test": (Conditions(True, "execution"), 2),
        "starter/test/no-public-tests": (Conditions(False, "execution"), 4),
        "starter/test/random-feedback": (Conditions(True, "random"), 4),
    }
    settings = [each.settings for each in searched]
    assert {(s.candidates, s.turns, s.searches, s.seed, s.greedy) for s in settings} == {((4, 2), 3, 2, 7, True)}


def test_a_method_of_fewer_turns_searches_no_longer(searched: list[TestSet]) -> None:
    for stage in (stages.benchmark, stages.evaluate):
        call(stage, turns=1)
    assert {each.settings.turns for each in searched} == {1}


def test_validation_is_searched_on_validation_problems_alone(searched: list[TestSet]) -> None:
    call(stages.evaluate, turns=0)
    (one,) = searched
    assert (one.name, [problem.id for problem in one.problems]) == ("starter/validation", ["starter/4", "starter/5"])
    assert (one.settings.conditions, one.settings.greedy) == (Conditions(), False)

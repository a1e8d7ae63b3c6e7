"""What becomes of parameters: each test set is searched as its name says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mucode import settings
from mucode.config import Config, parse_config
from mucode.policies import Conditions
from mucode.yaml_files import read_yaml
from tests.conftest import make_problem

ROOT = Path(__file__).resolve().parents[1]
SETS = [
    {"source": "starter", "split": "test", "limit": 2, "public_tests": True, "feedback": "execution"},
    {"source": "starter", "split": "test", "limit": 0, "public_tests": False, "feedback": "execution"},
    {"source": "starter", "split": "test", "limit": 0, "public_tests": True, "feedback": "random"},
]


PROBLEMS = [
    dataclasses.replace(make_problem(f"p{number}"), id=f"starter/{number}", source="starter", split=split)
    for number, split in enumerate(["test"] * 4 + ["validation"] * 2 + ["train"])
]


@pytest.fixture
def config() -> Config:
    values = read_yaml(ROOT / "params.yaml")
    values["problems"] |= {"source": "starter", "benchmarks": SETS}
    values["search"] |= {"turns": 3, "candidates": 4, "other_candidates": [2], "greedy": True, "searches": 2}
    values["search"]["benchmarks"] = []
    return parse_config(values, Path("params.yaml"))


def test_every_test_set_is_searched_under_its_own_conditions(config: Config) -> None:
    sets = settings.test_sets(config, PROBLEMS, seed=7, turns=0)
    assert {each.name: (each.settings.conditions, len(each.problems)) for each in sets} == {
        "starter/test": (Conditions(True, "execution"), 2),
        "starter/test/no-public-tests": (Conditions(False, "execution"), 4),
        "starter/test/random-feedback": (Conditions(True, "random"), 4),
    }
    how = [each.settings for each in sets]
    assert {(s.candidates, s.turns, s.searches, s.seed, s.greedy) for s in how} == {((4, 2), 3, 2, 7, True)}


def test_a_method_of_fewer_turns_searches_no_longer(config: Config) -> None:
    sets = [*settings.test_sets(config, PROBLEMS, 7, turns=1), settings.validation_set(config, PROBLEMS, 7, turns=1)]
    assert {each.settings.turns for each in sets} == {1}


def test_validation_is_searched_on_validation_problems_alone(config: Config) -> None:
    one = settings.validation_set(config, PROBLEMS, seed=7, turns=0)
    assert (one.name, [problem.id for problem in one.problems]) == ("starter/validation", ["starter/4", "starter/5"])
    assert (one.settings.conditions, one.settings.greedy) == (Conditions(), False)

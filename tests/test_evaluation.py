"""What the stages that search tell MLflow."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from statistics import fmean

import pytest

from mucode.evaluation import TestSet, accuracies, instance_of, run_searches, verifier_metrics
from mucode.metrics import Bootstrap, auc_within, distinct
from mucode.policies import SearchSettings
from mucode.records import SearchChoice, SearchSample, write_rows
from mucode.search import Players, search
from mucode.selection import Pair
from mucode.tracking.runs import LATER, UNTRACKED
from mucode.types import Answer, Problem, Sampling
from tests.conftest import make_problem
from tests.report.conftest import FEW
from tests.report.study import (
    ScriptedGenerator,
    ScriptedSandbox,
    ScriptedVerifier,
    World,
    make_config,
    make_problems,
)
from tests.training.tiny_model import tiny_base
from tests.training.tiny_pair import train_pair

Found = tuple[list[TestSet], list[SearchSample], list[SearchChoice]]


@pytest.fixture(scope="module")
def found() -> Found:
    """Searches of scripted players, with the control of independent samples."""
    problems = make_problems("test", 16)
    world = World(skill=0.2)
    players = Players(ScriptedGenerator(world), ScriptedVerifier(world), ScriptedSandbox())
    settings = SearchSettings(("lv", "pt+lv"), (4,), 2, 1, Sampling(0.7, 1.0, 64), 0, independent=True, greedy=True)
    samples, choices = search(
        "starter/test", problems, {p.id: Answer(p.id, (), "") for p in problems}, players, settings
    )
    return [TestSet("starter/test", problems, settings)], samples, choices


def test_every_policy_has_an_accuracy_of_its_own(found: Found) -> None:
    sets, _, choices = found
    named = accuracies(sets, choices)
    assert set(named) == {
        f"starter/test/{name}" for name in ("lv-4", "lv-8-independent", "pt_lv-4", "pt_lv-8-independent", "greedy-1")
    }
    rewards = [row.reward for row in choices if (row.selector, row.n, row.turn) == ("pt+lv", 4, 2)]
    assert named["starter/test/pt_lv-4"] == fmean(rewards)


def test_the_verifier_is_measured_on_the_samples_with_numbers_of_problems_and_intervals(found: Found) -> None:
    sets, samples, _ = found
    config = make_config(report=FEW)
    named = verifier_metrics(sets, samples, config)
    assert named["starter/test/pass_4"] == named["starter/test/bon_oracle"]
    assert named["starter/test/bon_random"] <= named["starter/test/bon_lv"] <= named["starter/test/bon_oracle"]
    for name in ("auc_within", "auc_pooled", "pair_accuracy", "bon_lv"):
        assert named[f"starter/test/{name}/low"] <= named[f"starter/test/{name}"] <= named[f"starter/test/{name}/high"]
    scored = distinct(samples)
    within = auc_within(scored, Bootstrap(0.95, 100))
    assert within is not None
    assert named["starter/test/auc_within"] == within.value
    assert named["starter/test/auc_within/problems"] == within.n
    assert named["starter/test/programs"] == len(scored)
    assert 0 <= named["starter/test/ece_scaled"] <= 1


def test_a_raw_calibration_error_is_for_cross_entropy_only(found: Found) -> None:
    sets, samples, _ = found
    assert "starter/test/ece_raw" not in verifier_metrics(sets, samples, make_config(report=FEW))
    assert "starter/test/ece_raw" in verifier_metrics(sets, samples, make_config(report=FEW, verifier={"loss": "bce"}))


def test_a_set_without_correct_programs_has_no_area_and_no_calibration(found: Found) -> None:
    sets, samples, _ = found
    wrong = [dataclasses.replace(row, reward=0.0) for row in samples]
    names = verifier_metrics(sets, wrong, make_config(report=FEW))
    assert names["starter/test/correct"] == 0
    assert not any("auc" in name or "ece" in name for name in names)


def test_a_search_is_called_as_its_stage_is_in_the_plan() -> None:
    plan = make_config(study={"seeds": [0, 1], "methods": ["mucode", "star"], "iterations": 2}).plan
    for key, item in plan["evaluations"].items():
        assert instance_of(Path("data/evaluations", item["out"])) == key
    for key in plan["benchmarks"]:
        assert instance_of(Path("data/benchmarks", key)) == key


@pytest.mark.slow
def test_mlflow_is_told_of_a_search_under_its_stage_s_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(LATER, "1")
    problem, base = make_problem(), tiny_base(Path("base"))
    train_pair(problem, "def p(x):\n    return x", "def p(x):\n    return None", base, Path())
    write_rows(Path("problems"), [problem], Problem)
    write_rows(Path("answers"), [], Answer)
    for stage, out in [("evaluate", "evaluations/base-0/0"), ("benchmark", "benchmarks/mucode-0")]:
        read, pair = [Path("problems"), Path("answers"), base], Pair(base, Path("verifier"))
        run_searches(stage, [], read, pair, ScriptedSandbox(), make_config(report=FEW), Path(out))
    kept = [json.loads(path.read_text()) for path in sorted(UNTRACKED.glob("*.json"))]
    assert [(one["stage"], one["key"]) for one in kept] == [("evaluate", "base-0"), ("benchmark", "mucode-0")]

"""A study of several methods, sets and controls: compared with each other, and still one readable page."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import pytest

from mucode.report import write_report
from mucode.report.budget import budgets
from mucode.report.comparisons import compared_methods, comparisons, main_comparisons
from mucode.report.curves import TURNED, models_of
from mucode.report.results import headline, results, table
from mucode.report.sources import Material
from tests.report.study import Study, World, make_config, write_study
from tests.report.test_page import read
from tests.report.test_results import material_of

PLAIN, BLIND, RANDOM = "starter/test", "starter/test/no-public-tests", "starter/test/random-feedback"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    test = {"source": "starter", "split": "test", "limit": 40}
    config = make_config(
        report={"resamples": 100},
        problems={
            "benchmarks": [
                test | {"public_tests": True, "feedback": "execution"},
                test | {"public_tests": False, "feedback": "execution"},
                test | {"public_tests": True, "feedback": "random"},
            ]
        },
        study={"methods": ["instruct_single", "instruct", "star", "multi_star", "mucode"]},
        search={"other_candidates": [2], "independent": True, "greedy": True, "selectors": ["lv", "pt+lv", "oracle"]},
    )
    worlds = {"star": World(skill=0.05), "multi_star": World(skill=0.1), "mucode": World(skill=0.4)}
    return write_study(tmp_path_factory.mktemp("methods"), config, problems=8, worlds=worlds)


@pytest.fixture(scope="module")
def material(study: Study) -> Material:
    return material_of(study)


@pytest.fixture(scope="module")
def out(study: Study) -> Path:
    write_report(out=study.root / "out", **study.arguments())
    return study.root / "out"


def final(study: Study, group: str, selector: str, benchmark: str = PLAIN) -> dict[str, float]:
    _, choices = study.searches(group)
    return {
        row.problem_id: row.reward
        for row in choices
        if (row.benchmark, row.selector, row.n) == (benchmark, selector, 4) and row.final
    }


def test_mucode_against_multi_star_comes_first_and_every_two_methods_once(material: Material) -> None:
    assert compared_methods(material) == [("mucode", "multi_star"), ("mucode", "star"), ("multi_star", "star")]


def test_a_comparison_is_the_paired_difference_of_the_two_methods_searches(study: Study, material: Material) -> None:
    one, other = final(study, "mucode-0", "pt+lv"), final(study, "multi_star-0", "pt+lv")
    found = comparisons(material, PLAIN, [headline(material, PLAIN)])[0]
    assert found.name == "mucode \u2212 multi_star"
    assert found.change.difference.value == pytest.approx(fmean(one.values()) - fmean(other.values()))
    assert found.change.better == sum(one[problem] > other[problem] for problem in one)
    assert found.change.worse == sum(one[problem] < other[problem] for problem in one)


def test_the_file_of_differences_names_both_sides(out: Path) -> None:
    rows = json.loads((out / "differences.json").read_text())
    sides = {(row["method"], row["against"]) for row in rows}
    before = {(name, "instruct") for name in ("instruct_single", "star", "multi_star", "mucode")}
    assert sides == before | {("mucode", "multi_star"), ("mucode", "star"), ("multi_star", "star")}
    assert {row["benchmark"] for row in rows} == {PLAIN, BLIND, RANDOM}


def test_single_turn_methods_answer_at_turn_one(study: Study, material: Material) -> None:
    _, choices = study.searches("base-0")
    first = [r.reward for r in choices if (r.benchmark, r.selector, r.n, r.turn) == (PLAIN, "pt+lv", 4, 1)]
    row = next(
        row for row in table(material, PLAIN) if row.method == "instruct_single" and row.measure.selector == "pt+lv"
    )
    assert row.accuracy.value == pytest.approx(fmean(first))
    turns = {(row.method, row.turns) for row in results(material) if row.headline and row.metric == "bon"}
    assert turns == {("instruct_single", 1), ("star", 1), ("instruct", 2), ("multi_star", 2), ("mucode", 2)}


def test_the_same_first_turn_samples_are_not_compared_with_themselves(material: Material) -> None:
    changes = {row.method: row.change for row in table(material, PLAIN) if row.measure.metric == "pass@1"}
    assert changes["instruct_single"] is None
    assert changes["star"] is not None


def test_without_public_tests_lv_decides_and_nothing_is_chosen_by_tests(material: Material) -> None:
    assert headline(material, PLAIN).selector == headline(material, RANDOM).selector == "pt+lv"
    assert headline(material, BLIND).selector == "lv"
    assert {row.measure.selector for row in table(material, BLIND)} == {None, "greedy", "lv", "oracle"}
    assert {one.measure.selector for one in main_comparisons(material, BLIND)} == {None, "greedy", "lv"}


def test_equal_budgets_compare_turns_with_independent_samples(study: Study, material: Material) -> None:
    found = {(b.method, b.n, b.selector): b for b in budgets(material, PLAIN)}
    assert {method for method, _, _ in found} == {"instruct", "multi_star", "mucode"}  # star has one turn
    one = found["mucode", 4, "pt+lv"]
    _, choices = study.searches("mucode-0")
    alone = [r.reward for r in choices if (r.benchmark, r.selector, r.n) == (PLAIN, "pt+lv", 8)]
    assert len(alone) == 8
    assert one.independent.value == pytest.approx(fmean(alone))
    assert one.fed.value == pytest.approx(fmean(final(study, "mucode-0", "pt+lv").values()))
    assert one.change.difference.value == pytest.approx(one.fed.value - one.independent.value)


def test_a_search_that_ends_early_draws_fewer_programs(study: Study, material: Material) -> None:
    _, choices = study.searches("mucode-0")
    first = [r for r in choices if (r.benchmark, r.selector, r.n, r.turn) == (PLAIN, "pt+lv", 4, 1)]
    passed = fmean(row.public_passed for row in first)
    found = {(b.method, b.n, b.selector): b for b in budgets(material, PLAIN)}
    assert found["mucode", 4, "pt+lv"].drawn == pytest.approx(4 * (2 - passed))
    blind = {(b.method, b.n, b.selector): b for b in budgets(material, BLIND)}
    assert blind["mucode", 4, "lv"].drawn == 8
    _, choices = study.searches("multi_star-0")
    right = fmean(r.reward for r in choices if (r.benchmark, r.selector, r.n, r.turn) == (BLIND, "oracle", 4, 1))
    assert blind["multi_star", 4, "oracle"].drawn == pytest.approx(4 * (2 - right))
    assert 0 < right < 1


def test_where_nobody_else_can_choose_the_page_goes_by_the_greedy_search(tmp_path: Path) -> None:
    blind = {"source": "starter", "split": "test", "limit": 40, "public_tests": False, "feedback": "execution"}
    search = {"greedy": True, "selectors": ["pt", "pt+lv"], "validation_selectors": ["pt+lv"]}
    config = make_config(report={"resamples": 100}, problems={"benchmarks": [blind]}, search=search)
    study = write_study(tmp_path, config, problems=3)
    write_report(out=tmp_path / "out", **study.arguments())
    assert headline(material_of(study), BLIND).selector == "greedy"
    assert "On starter/test/no-public-tests (3 problems), greedy solves" in (tmp_path / "out/report.html").read_text()


def test_a_number_of_programs_that_is_named_twice_is_searched_once(tmp_path: Path) -> None:
    study = write_study(tmp_path, make_config(search={"other_candidates": [2, 4, 2]}), problems=3)
    _, choices = study.searches("mucode-0")
    assert len(choices) == len(set(choices))
    assert {choice.n for choice in choices} == {2, 4}


def test_pass_at_n_stands_beside_pass_at_1_in_the_file_only(material: Material) -> None:
    metrics = {row.metric: row.headline for row in results(material)}
    assert metrics == {"pass@1": True, "pass@2": False, "pass@4": False, "bon": metrics["bon"]}
    found = {row.metric: row.accuracy for row in results(material) if row.method == "mucode" and row.benchmark == PLAIN}
    assert found["pass@1"] <= found["pass@2"] <= found["pass@4"]


def test_methods_of_one_turn_have_no_curve_over_turns(material: Material) -> None:
    assert [method for method, _ in models_of(material, PLAIN, TURNED)] == ["instruct", "multi_star", "mucode"]


def test_the_page_says_under_which_conditions_each_set_was_searched(out: Path) -> None:
    page = (out / "report.html").read_text(encoding="utf-8")
    words = " ".join("".join(read(page).words).split())
    for phrase in (
        "public tests neither shown nor run",
        "a control: feedback of other problems\u2019 programs",
        "(instruct_single and star: one)",
        "One program a turn at temperature 0",
        "Methods compared with each other",
        "Equal budget: turns or more samples",
        "Every trained verifier on the validation problems",
    ):
        assert phrase in words
    assert "On starter/test/no-public-tests (8 problems), best of 4, lv solves" in words


def test_the_markdown_compares_methods_below_each_table(out: Path) -> None:
    lines = (out / "table.md").read_text().splitlines()
    assert sum(line.startswith("| answers by") for line in lines) == 3
    assert sum(line.startswith("| methods") for line in lines) == 3
    assert any(line.startswith("| mucode - multi_star | best of 4, pt+lv") for line in lines)


def test_one_method_alone_keeps_its_page_short(tmp_path: Path) -> None:
    study = write_study(tmp_path, make_config(report={"resamples": 100}), problems=3)
    write_report(out=tmp_path / "out", **study.arguments())
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "compared with each other" not in page
    assert "Equal budget" not in page
    assert "Selector by selector" not in page
    assert "| methods" not in (tmp_path / "out/table.md").read_text()

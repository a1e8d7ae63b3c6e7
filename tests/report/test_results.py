"""The numbers of the table are those of the rows behind it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from statistics import fmean

import pytest

from mucode.metrics import calibration_error
from mucode.report.comparisons import differences
from mucode.report.curves import picked
from mucode.report.grid import grid
from mucode.report.headline import seed_by_seed
from mucode.report.held_out import held_out
from mucode.report.panels import by_samples, preference
from mucode.report.results import results, table
from mucode.report.sources import Folders, Material, Origin, read_material
from mucode.report.verifiers import judge
from mucode.report.words import percent
from mucode.yaml_files import read_yaml
from tests.report.conftest import FEW
from tests.report.study import PARAMS, Study, World, make_config, write_study


def material_of(study: Study) -> Material:
    arguments = study.arguments()
    config = arguments.pop("config")
    return read_material(Folders(**arguments), config)


@pytest.fixture(scope="module")
def material(study: Study) -> Material:
    return material_of(study)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Two methods, two seeds, two iterations, two searches."""
    block = {**read_yaml(PARAMS)["methods"]["mucode"], "beta_learned": 0.0}
    config = make_config(
        report=FEW,
        methods={"mucode_ov": block},
        study={"methods": ["mucode", "mucode_ov"], "seeds": [0, 1], "iterations": 2, "final_verifier": True},
        search={"searches": 2},
    )
    worlds = {"mucode_ov": World(skill=0.05), "mucode-0/1": World(skill=0.4), "mucode-0/2": World(skill=0.05)}
    return material_of(write_study(tmp_path_factory.mktemp("several"), config, problems=8, worlds=worlds))


def test_best_of_n_is_the_mean_reward_of_the_final_choices(study: Study, out: Path) -> None:
    rows = json.loads((out / "results.json").read_text())
    for group, method in (("base-0", "instruct"), ("mucode-0", "mucode")):
        _, choices = study.searches(group)
        for selector in study.config.search.selectors:
            rewards = [row.reward for row in choices if row.selector == selector and row.final]
            found = [r for r in rows if (r["method"], r["selector"]) == (method, selector) and r["headline"]]
            assert [r["accuracy"] for r in found] == [pytest.approx(fmean(rewards), abs=1e-6)]
            assert found[0]["ci_low"] <= found[0]["accuracy"] <= found[0]["ci_high"]
            assert (found[0]["metric"], found[0]["n"], found[0]["turns"], found[0]["problems"]) == ("bon", 4, 2, 12)


def test_every_turn_is_a_row_of_the_file_and_a_single_turn_method_reads_the_first(study: Study, out: Path) -> None:
    rows = json.loads((out / "results.json").read_text())
    turns = [(r["turns"], r["headline"]) for r in rows if (r["method"], r["selector"]) == ("mucode", "lv")]
    assert turns == [(1, False), (2, True)]
    material = material_of(study)
    named = study.config.study.model_copy(update={"methods": ("instruct_single", "mucode")})
    single = dataclasses.replace(material, config=study.config.model_copy(update={"study": named}))
    both = {(r.method, r.turns): r for r in results(single) if r.selector == "pt"}
    assert both["instruct_single", 1].accuracy == both["instruct", 1].accuracy
    assert both["instruct_single", 1].headline
    assert not both["instruct", 1].headline
    assert ("instruct_single", 2) not in both


def test_pass_at_1_is_the_mean_reward_of_the_first_turn(study: Study, out: Path) -> None:
    samples, _ = study.searches("base-0")
    rewards = [row.reward for row in samples if row.turn == 1]
    rows = json.loads((out / "results.json").read_text())
    found = next(row for row in rows if row["metric"] == "pass@1" and row["method"] == "instruct")
    assert found["accuracy"] == pytest.approx(fmean(rewards), abs=1e-6)
    assert (found["n"], found["turns"], found["selector"]) == (1, 1, None)


def test_differences_are_after_minus_before_and_count_the_problems_that_changed(study: Study, out: Path) -> None:
    def answers(group: str) -> dict[str, float]:
        return {row.problem_id: row.reward for row in study.searches(group)[1] if row.selector == "pt+lv" and row.final}

    before, after = answers("base-0"), answers("mucode-0")
    change = next(row for row in json.loads((out / "differences.json").read_text()) if row["selector"] == "pt+lv")
    assert change["difference"] == pytest.approx(fmean(after.values()) - fmean(before.values()), abs=1e-6)
    assert change["better"] == sum(after[problem] > before[problem] for problem in before)
    assert change["worse"] == sum(after[problem] < before[problem] for problem in before)


def test_the_markdown_table_and_the_page_show_the_same_numbers(material: Material, out: Path) -> None:
    text = (out / "table.md").read_text()
    page = (out / "report.html").read_text(encoding="utf-8")
    rows = table(material, "starter/test")
    assert len(rows) == 2 * 6
    for row in rows:
        shown = f"{100 * row.accuracy.value:.1f}"
        assert any(row.measure.name in line and shown in line for line in text.splitlines())
        assert f"{shown}\u00a0%" in page


def test_the_markdown_columns_are_aligned_for_a_terminal(out: Path) -> None:
    lines = [line for line in (out / "table.md").read_text().splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    assert len({tuple(i for i, letter in enumerate(line) if letter == "|") for line in lines}) == 1


def test_seeds_are_rows_of_their_own_in_the_file_and_one_row_in_the_table(several: Material) -> None:
    rows = [row for row in results(several) if row.selector == "lv" and row.headline]
    assert [(row.method, row.seed) for row in rows] == [
        ("instruct", 0), ("instruct", 1), ("mucode", 0), ("mucode", 1), ("mucode_ov", 0), ("mucode_ov", 1),
    ]  # fmt: skip
    pooled = {row.method: row.accuracy for row in table(several, "starter/test") if row.measure.selector == "lv"}
    assert pooled["mucode"].value == pytest.approx(fmean(row.accuracy for row in rows if row.method == "mucode"))
    assert pooled["mucode"].n == 8


def test_each_seed_stands_beside_the_mean_of_all(several: Material, material: Material) -> None:
    rows = table(several, "starter/test")
    head, *lines = seed_by_seed(several, rows)
    assert head[2:] == ("seed 0", "seed 1", "all", "apart")
    for row, line in zip(rows, lines, strict=True):
        assert fmean(row.seeds) == pytest.approx(row.accuracy.value)
        assert line[2:5] == tuple(percent(value) for value in (*row.seeds, row.accuracy.value))
        assert line[5] == f"{100 * (max(row.seeds) - min(row.seeds)):.1f}"
    assert len({row.seeds for row in rows if row.method == "mucode"}) > 1
    assert seed_by_seed(material, table(material, "starter/test")) == []


def test_a_difference_is_told_seed_by_seed_too(several: Material) -> None:
    rows = table(several, "starter/test")
    accuracies = {(row.method, row.measure): row.seeds for row in rows}
    for change in differences(several, "starter/test", rows):
        measure = next(
            row.measure
            for row in rows
            if (row.measure.selector, row.measure.metric) == (change.selector, change.metric)
        )
        after, before = accuracies[change.method, measure], accuracies[change.against, measure]
        assert change.by_seed == pytest.approx([one - other for one, other in zip(after, before, strict=True)])
        assert fmean(change.by_seed) == pytest.approx(change.difference)


def test_the_study_is_one_table_with_every_row_of_the_file_in_it(several: Material) -> None:
    rows = results(several)
    _, _, *lines = grid(several, rows).splitlines()
    shown: dict[tuple[str, str, int, str, int], str] = {}
    for line in lines:
        benchmark, answers, n, method, *turns = (cell.strip() for cell in line.strip("|").split("|"))
        shown |= {(benchmark, answers, int(n), method, turn): cell for turn, cell in enumerate(turns, 1) if cell}
    wanted: dict[tuple[str, str, int, str, int], list[float]] = {}
    for row in rows:
        wanted.setdefault((row.benchmark, row.selector or "pass@N", row.n, row.method, row.turns), []).append(
            row.accuracy
        )
    assert shown.keys() == wanted.keys()
    for key, seeds in wanted.items():
        each = " / ".join(f"{100 * value:.1f} %" for value in seeds)
        assert shown[key].startswith(f"{100 * fmean(seeds):.1f} % [")
        assert shown[key].endswith(f"({each})")


def test_every_verifier_is_measured_on_problems_that_none_was_trained_on(several: Material) -> None:
    rows = held_out(several)
    trained = {item["out"] for item in several.config.plan["verifiers"].values()}
    on_validation = [row for row in rows if row.benchmark == "starter/validation"]
    assert {row.verifier for row in on_validation} == trained
    assert all(row.scaled_on == "other fifths" for row in on_validation)
    tested = {(row.verifier, row.generator) for row in rows if row.benchmark == "starter/test"}
    assert tested >= {("base-0", "base"), ("mucode-0/2", "mucode-0/1")}  # the pair that validation chose
    one = next(row for row in rows if (row.benchmark, row.generator) == ("starter/test", "mucode-0/1"))
    found = judge(several, Origin("mucode", 0), "starter/test")
    assert (one.auc_within, one.pairs, one.bon_lv) == (found.found.auc_within, found.found.pairs, found.found.bon_lv)
    assert one.ece_scaled == calibration_error(found.bins)


def test_a_raw_calibration_error_is_given_after_cross_entropy_only(several: Material) -> None:
    assert all(row.ece_raw is None for row in held_out(several))
    section = several.config.verifier.model_copy(update={"loss": "bce"})
    bce = dataclasses.replace(several, config=several.config.model_copy(update={"verifier": section}))
    assert all((row.ece_raw is None) == (row.ece_scaled is None) for row in held_out(bce))
    assert any(row.ece_raw is not None for row in held_out(bce))


def test_calibration_is_fitted_on_the_pair_that_validation_chose(several: Material) -> None:
    origin = Origin("mucode", 0)
    assert several.chosen[origin] == 1  # its second generator is worse
    assert "seed by seed: mucode 1, " in picked(several)
    other = dataclasses.replace(several, chosen={**several.chosen, origin: 2})
    bins = judge(several, origin, "starter/test").bins
    assert bins != judge(other, origin, "starter/test").bins
    assert sum(group.n for group in bins) == len(judge(several, origin, "starter/test").found.scored)


def test_the_curve_by_n_ends_where_the_search_s_first_turn_stands(material: Material, study: Study) -> None:
    searches = material.test[Origin("mucode", 0)]
    curves = {name: dict(points) for name, _, points in by_samples(material, "starter/test", [searches], 2)}
    for selector in ("lv", "pt", "pt+lv", "oracle"):
        first = [row.reward for row in searches.choices if row.selector == selector and row.turn == 1]
        assert curves[selector][4].value == pytest.approx(fmean(first))
        assert curves[selector][1].value == pytest.approx(curves["random"][1].value)


def test_a_selector_s_order_of_preference_starts_with_its_pick(material: Material) -> None:
    searches = material.test[Origin("instruct", 0)]
    for choice in searches.choices:
        if choice.selector in {"lv", "pt", "pt+lv"} and choice.turn == 1:
            state = [row for row in searches.samples if (row.problem_id, row.turn) == (choice.problem_id, 1)]
            order = preference(state, choice.selector)
            assert order[0] == choice.candidate
            assert sorted(order) == [0, 1, 2, 3]

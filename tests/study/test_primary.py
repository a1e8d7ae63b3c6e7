"""The comparison that was fixed beforehand: when it is shown, and what it says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from statistics import fmean

import pytest

from mucode.metrics import Bootstrap
from mucode.report.sources import Origin, Searches
from mucode.study.cells import Cell, difference, value
from mucode.study.collected import Collected, collect, read_study
from mucode.study.page import markdown
from mucode.study.pieces import chosen
from mucode.study.primary import SEEDS, Primary, primary, standard_error, there
from mucode.study.tables import NOT_RUN, shared_seeds
from mucode.study.turns import BEST, BY_TURN, ELSEWHERE, ONE, ONE_ELSEWHERE, by_turn_table
from mucode.study.verdict import decided, primary_words
from tests.study.conftest import finish
from tests.study.pieces import only, rewards, with_one_seed, without


def test_the_primary_difference_is_paired_over_both_seeds(folder: Path, pieces: list[Collected]) -> None:
    found = primary(pieces)
    assert found is not None
    ours, rival = ([rewards(folder, "main", f"{m}-{seed}") for seed in (0, 1)] for m in ("mucode", "multi_star"))
    changes = [fmean([a[p] for a in ours]) - fmean([b[p] for b in rival]) for p in ours[0]]
    assert found.comparison.difference.value == pytest.approx(fmean(changes))
    assert found.ours.searches == found.rival.searches == 4


def test_with_fewer_searches_than_fixed_no_number_of_the_primary_comparison_is_shown(pieces: list[Collected]) -> None:
    fewer = [with_one_seed(only(pieces, "main"))]
    assert primary(fewer) is None
    paragraph = " ".join(primary_words(fewer, judge=True))
    assert "so far: mucode 2 with seed 0, 0 with seed 1; multi_star 2 with seed 0, 0 with seed 1." in paragraph
    assert "%" not in paragraph


def test_one_method_s_second_seed_is_not_compared_with_nothing(pieces: list[Collected]) -> None:
    half = [without(only(pieces, "main"), Origin("multi_star", 1))]
    assert primary(half) is None
    assert there(half) == {"mucode": {0: 2, 1: 2}, "multi_star": {0: 2, 1: 0}}


def test_searches_added_later_do_not_change_the_primary_comparison(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    more = {
        origin: Searches((), (*found.choices, *(dataclasses.replace(c, search=c.search + 2) for c in found.choices)))
        for origin, found in main.material.test.items()
    }
    doubled = dataclasses.replace(main, material=dataclasses.replace(main.material, test=more))
    assert there([doubled])["mucode"] == {0: 4, 1: 4}
    assert primary([doubled]) == primary([main])


def test_turns_are_compared_under_the_seeds_that_all_methods_have(pieces: list[Collected]) -> None:
    half = [without(only(pieces, "main"), Origin("multi_star", 1))]
    assert shared_seeds(half, BY_TURN[BEST]) == {0}
    assert all(cell.endswith("× 2") for row in by_turn_table(half).rows[:3] for cell in row[2:5])


def test_each_training_s_difference_is_told(pieces: list[Collected]) -> None:
    found = primary(pieces)
    assert found is not None
    assert fmean(each.value for each in found.by_seed.values()) == pytest.approx(found.comparison.difference.value)
    assert "By training: " in markdown(pieces)


def points(cell: str) -> float:
    """ "−4.0 [-9.3, +1.0]" -> -4.0."""
    return float(cell.split(maxsplit=1)[0].replace("\u2212", "-"))


def of_changes(better: int, worse: int) -> Primary:
    """A primary comparison over 40 problems, so many of them changed in all their searches."""
    won = [1.0] * better + [0.0] * (40 - better)
    lost = [0.0] * better + [1.0] * worse + [0.0] * (40 - better - worse)
    ours, rival = (
        Cell({seed: {str(place): (value, value) for place, value in enumerate(values)} for seed in SEEDS})
        for values in (won, lost)
    )
    bootstrap = Bootstrap(0.95, 400)
    first, second = value(ours, bootstrap), value(rival, bootstrap)
    found = difference(rival, ours, bootstrap)
    assert first is not None
    assert second is not None
    assert found is not None
    return Primary(ours, rival, (first, second), found, bootstrap)


def test_the_interval_decides_and_where_the_claims_rule_would_not_the_page_says_so() -> None:
    assert decided(of_changes(10, 0)).endswith("The interval decides: µCode beats Multi-STaR here.")
    assert decided(of_changes(0, 10)).endswith("Multi-STaR beats µCode here.")
    assert "holds zero" in decided(of_changes(6, 5))
    open_by_the_other_rule = decided(of_changes(5, 0))  # 5 : 0 is p = 0.06
    assert "µCode beats Multi-STaR here." in open_by_the_other_rule
    assert "this would be open" in open_by_the_other_rule


def test_searches_won_and_lost_are_told_and_a_test_that_weighs_them() -> None:
    found = of_changes(5, 1)
    assert found.moved == (20, 4)
    assert of_changes(10, 0).by_size < 0.01
    assert of_changes(6, 5).by_size > 0.5


def test_the_difference_turn_by_turn_is_paired_and_ends_in_the_primary_one(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    found = primary([main])
    assert found is not None
    rows = {row[:2]: row[2:] for row in by_turn_table([main]).rows}
    first, _, last, gain = map(points, rows[BEST, "mucode minus multi_star"])
    assert last == pytest.approx(100 * found.comparison.difference.value, abs=0.05)
    assert gain == pytest.approx(last - first, abs=0.11)
    own = [points(rows[BEST, method][3]) for method in ("multi_star", "mucode")]
    assert gain == pytest.approx(own[1] - own[0], abs=0.11)


def test_humaneval_stands_beside_mbpp_once_its_piece_has_run(pieces: list[Collected], tmp_path: Path) -> None:
    (piece,) = chosen(["humaneval"])
    collect(finish(piece, tmp_path / "run"), tmp_path / "study" / piece.name)
    main = by_turn_table([only(pieces, "main")]).rows
    both = by_turn_table([only(pieces, "main"), *read_study(tmp_path / "study")]).rows
    assert {row[0] for row in both} - {row[0] for row in main} == {ELSEWHERE, ONE_ELSEWHERE}
    lead = {row[:2]: row[4] for row in both}[ELSEWHERE, "mucode minus multi_star"]
    ours, rival = (
        [rewards(tmp_path / "study", piece.name, f"{m}-{seed}") for seed in (0, 1)] for m in ("mucode", "multi_star")
    )
    changes = [fmean([a[p] for a in ours]) - fmean([b[p] for b in rival]) for p in ours[0]]
    assert points(lead) == pytest.approx(100 * fmean(changes), abs=0.051)


def test_every_seed_s_greedy_search_of_the_base_model_counts(pieces: list[Collected]) -> None:
    """A server's greedy replies are not the same under every seed."""
    rows = {row[:2]: row[2:] for row in by_turn_table([only(pieces, "main")]).rows}
    assert rows[ONE, "instruct"][2].endswith("× 2")
    assert rows[ONE, "mucode"][2].endswith("× 2")


def test_the_difference_rests_on_all_seeds_of_the_two_though_the_base_model_has_one(pieces: list[Collected]) -> None:
    whole, half = only(pieces, "main"), without(only(pieces, "main"), Origin("instruct", 1))
    rows = {row[:2]: row[2:] for row in by_turn_table([half]).rows}
    assert all(rows[BEST, method][2].endswith("× 2") for method in ("instruct", "multi_star", "mucode"))
    assert all(cell.endswith("n = 8 × 4") for cell in rows[BEST, "mucode minus multi_star"])
    assert rows[BEST, "mucode minus multi_star"] == by_turn_table([whole]).rows[3][2:]


def test_methods_that_share_no_seed_are_not_put_side_by_side(pieces: list[Collected]) -> None:
    apart = [without(only(pieces, "main"), Origin("multi_star", 0), Origin("mucode", 1), Origin("instruct", 1))]
    assert {cell for row in by_turn_table(apart).rows[:3] for cell in row[2:]} == {NOT_RUN}


def test_a_study_without_its_main_piece_says_that_the_comparison_was_not_run(pieces: list[Collected]) -> None:
    assert "Not run yet." in markdown([only(pieces, "selectors")])


def test_the_standard_error_is_that_of_the_problems_differences() -> None:
    before = {"a": (0.0, 1.0), "b": (0.0,), "c": (1.0,)}
    after = {"a": (1.0, 1.0), "b": (0.0,), "c": (0.0,)}
    assert standard_error(before, after) == pytest.approx(
        (((0.5 + 1 / 6) ** 2 + (1 / 6) ** 2 + (5 / 6) ** 2) / 6) ** 0.5
    )


def test_seeds_added_later_do_not_change_the_primary_comparison(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    third = {dataclasses.replace(o, seed=2): found for o, found in main.material.test.items() if o.seed == 0}
    more = dataclasses.replace(main.material, test={**main.material.test, **third})
    assert primary([dataclasses.replace(main, material=more)]) == primary([main])

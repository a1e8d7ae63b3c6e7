"""ROC curves and areas against brute force."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.metrics import Bootstrap, Curve, Scored, auc, auc_within, distinct, pair_accuracy, roc, roc_within
from mucode.records import SearchSample

FEW = Bootstrap(confidence=0.95, resamples=200)
scores = st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 2.0])  # few values, so that ties are common
programs = st.lists(st.builds(Scored, st.sampled_from("ab"), scores, st.booleans()), max_size=14)


def wins(rows: list[Scored], within: bool) -> list[float]:
    """1, 0.5 or 0 of every correct/wrong pair."""
    return [
        1.0 if right.score > wrong.score else 0.5 if right.score == wrong.score else 0.0
        for right in rows
        for wrong in rows
        if right.correct and not wrong.correct and (not within or right.problem_id == wrong.problem_id)
    ]


def area(curve: Curve) -> float:
    xs, ys = curve.false_positive_rate, curve.true_positive_rate
    return sum((xs[i + 1] - xs[i]) * (ys[i] + ys[i + 1]) / 2 for i in range(len(xs) - 1))


def agrees(value: float | None, pairs: list[float]) -> bool:
    return value is None if not pairs else value == pytest.approx(fmean(pairs))


@given(programs)
def test_auc_is_the_share_of_pairs_ranked_rightly(rows: list[Scored]) -> None:
    assert agrees(auc(rows), wins(rows, within=False))


@given(programs)
def test_pair_accuracy_compares_programs_of_one_problem_only(rows: list[Scored]) -> None:
    assert agrees(pair_accuracy(rows), wins(rows, within=True))


@given(programs)
def test_within_problems_each_problem_with_both_classes_counts_once(rows: list[Scored]) -> None:
    areas = [wins([row for row in rows if row.problem_id == problem], within=True) for problem in "ab"]
    result = auc_within(rows, FEW)
    assert agrees(result.value if result else None, [fmean(pairs) for pairs in areas if pairs])
    assert result is None or result.n == sum(bool(pairs) for pairs in areas)


@given(programs)
def test_the_areas_of_the_curves_are_the_numbers_beside_them(rows: list[Scored]) -> None:
    pooled, within, mean = roc(rows), roc_within(rows), auc_within(rows, FEW)
    assert (area(pooled) if pooled else None) == (None if pooled is None else pytest.approx(auc(rows)))
    assert (area(within) if within else None) == (None if mean is None else pytest.approx(mean.value))


@given(programs)
def test_curves_start_at_the_origin_and_never_fall(rows: list[Scored]) -> None:
    for curve in (roc(rows), roc_within(rows)):
        if curve is not None:
            points = list(zip(curve.false_positive_rate, curve.true_positive_rate, strict=True))
            assert points[0] == (0.0, 0.0)
            assert points[-1] == pytest.approx((1.0, 1.0))
            assert all(a[0] <= b[0] and a[1] <= b[1] + 1e-12 for a, b in pairwise(points))


def test_a_free_shift_per_problem_hurts_the_pooled_area_only() -> None:
    rows = [Scored("a", 10.0, True), Scored("a", 9.0, False), Scored("b", 1.0, True), Scored("b", 0.0, False)]
    within = auc_within(rows, FEW)
    assert within is not None
    assert within.value == 1.0
    assert auc(rows) == 0.75


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        auc([Scored("a", math.nan, True), Scored("a", 0.0, False)])


def test_distinct_counts_a_repeated_program_once_and_leaves_out_codeless_replies() -> None:
    def row(candidate: int, program: str | None, reward: float) -> SearchSample:
        score = -math.inf if program is None else 1.0
        return SearchSample("starter/test", "a", 0, 1, "s", candidate, program, False, score, reward, 1)

    assert distinct([row(0, "p", 1.0), row(1, "p", 1.0), row(2, None, 0.0)]) == [Scored("a", 1.0, True)]

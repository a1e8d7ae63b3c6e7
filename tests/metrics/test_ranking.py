"""ROC curves and areas against brute force."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.metrics import (
    Bootstrap,
    Curve,
    Scored,
    auc,
    auc_pooled,
    auc_within,
    distinct,
    pair_accuracy,
    pair_count,
    roc,
    roc_within,
)
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
    found = pair_accuracy(rows, FEW)
    assert agrees(found.value if found else None, wins(rows, within=True))
    assert pair_count(rows) == len(wins(rows, within=True))


@given(programs)
def test_the_pooled_area_comes_with_an_interval_over_problems(rows: list[Scored]) -> None:
    found = auc_pooled(rows, FEW)
    assert agrees(found.value if found else None, wins(rows, within=False))
    if found:
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.n == len({row.problem_id for row in rows})


def test_resampling_draws_a_problem_with_all_its_programs() -> None:
    a = [Scored("a", 2.0, True), Scored("a", 1.0, False)]  # ranked rightly
    b = [Scored("b", 1.0, True), Scored("b", 2.0, False)]  # and wrongly
    within, pooled = pair_accuracy(a + b, FEW), auc_pooled(a + b, FEW)
    assert within is not None
    assert pooled is not None
    # of four equally likely draws one is a twice and one is b twice
    assert (within.low, within.value, within.high) == (0.0, 0.5, 1.0)
    assert (pooled.low, pooled.value, pooled.high) == (0.0, 0.5, 1.0)


def test_more_problems_narrow_the_interval() -> None:
    def rows(many: int) -> list[Scored]:
        return [Scored(f"{i:03}", float(right == (i % 4 > 0)), right) for i in range(many) for right in (True, False)]

    few, several = (pair_accuracy(rows(many), FEW) for many in (8, 200))
    assert few is not None
    assert several is not None
    assert few.value == several.value == 0.75
    assert several.high - several.low < (few.high - few.low) / 3


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

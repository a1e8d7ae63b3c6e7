"""Platt scaling and calibration error."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.metrics import Bin, Scored, calibration_error, fit_platt, reliability

scores = st.integers(-(10**6), 10**6).map(lambda thousandths: thousandths / 1000)  # far enough apart to be told apart
scored = st.lists(st.builds(Scored, st.just("a"), scores, st.booleans()), min_size=1, max_size=30)


def loss(rows: list[Scored], slope: float, intercept: float) -> float:
    """Cross-entropy against Platt's smoothed targets."""
    positives = sum(row.correct for row in rows)
    total = 0.0
    for row in rows:
        target = (positives + 1) / (positives + 2) if row.correct else 1 / (len(rows) - positives + 2)
        logit = slope * row.score + intercept
        total += max(logit, 0) + math.log1p(math.exp(-abs(logit))) - target * logit
    return total


@given(scored)
def test_no_small_change_of_the_fitted_numbers_lowers_the_loss(rows: list[Scored]) -> None:
    platt = fit_platt(rows)
    assert platt is not None
    least = loss(rows, platt.slope, platt.intercept)
    size = max(1.0, *(abs(row.score) for row in rows))
    for slope, intercept in ((1e-3 / size, 0), (-1e-3 / size, 0), (0, 1e-3), (0, -1e-3)):
        assert loss(rows, platt.slope + slope, platt.intercept + intercept) >= least - 1e-9


def test_the_true_slope_and_intercept_are_found() -> None:
    rng = random.Random(0)
    draws = [rng.gauss(3, 2) for _ in range(20_000)]
    platt = fit_platt([Scored("a", s, rng.random() < 1 / (1 + math.exp(-(0.8 * s - 1.5)))) for s in draws])
    assert platt is not None
    assert platt.slope == pytest.approx(0.8, abs=0.05)
    assert platt.intercept == pytest.approx(-1.5, abs=0.12)


def test_one_class_or_equal_scores_give_a_constant_probability() -> None:
    alone = fit_platt([Scored("a", float(i), False) for i in range(8)])
    equal = fit_platt([Scored("a", 2.0, i < 3) for i in range(8)])
    assert alone is not None
    assert equal is not None
    assert alone.probabilities([0.0, 100.0]) == pytest.approx([0.1, 0.1], abs=1e-6)  # 1 / (8 + 2)
    assert equal.probabilities([2.0]) == pytest.approx([(3 * 4 / 5 + 5 / 7) / 8])


def test_nothing_to_fit_on_gives_none_and_an_infinite_score_is_refused() -> None:
    assert fit_platt([]) is None
    with pytest.raises(ValueError, match="infinite"):
        fit_platt([Scored("a", -math.inf, False)])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_bins_hold_every_program_once_and_the_error_is_a_share(pairs: list[tuple[float, bool]]) -> None:
    bins = reliability([p for p, _ in pairs], [right for _, right in pairs])
    error = calibration_error(bins)
    assert sum(group.n for group in bins) == len(pairs)
    assert sum(group.n * group.correct for group in bins) == pytest.approx(sum(right for _, right in pairs))
    assert error is not None
    assert 0 <= error <= 1


def test_calibration_error_weighs_each_bin_by_its_programs() -> None:
    assert calibration_error([Bin(0.1, 0.1, 30), Bin(0.9, 0.5, 10)]) == pytest.approx(0.1)
    assert calibration_error([]) is None

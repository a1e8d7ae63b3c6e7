"""What a verifier's training is measured by, on samples whose numbers are known."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.metrics import Bootstrap, Scored, calibration_error, held_out_probabilities, quality, raw_bins, scaled_error
from mucode.records import SearchSample

FEW = Bootstrap(confidence=0.95, resamples=200)


def sample(problem: str, candidate: int, score: float, right: bool, program: str | None = "") -> SearchSample:
    name = f"{problem} {candidate}" if program == "" else program
    return SearchSample("starter/validation", problem, 0, 1, "s", candidate, name, right, score, float(right), 9)


def draws(many: int, seed: int, shift: float) -> list[Scored]:
    """Scores whose log odds are right but for a free shift of each problem."""
    rng = random.Random(seed)
    rows = []
    for problem in range(many):
        level = rng.gauss(0, shift)
        for _ in range(20):
            logit = rng.gauss(0, 2)
            rows.append(Scored(f"{problem:03}", logit + level, rng.random() < 1 / (1 + math.exp(-logit))))
    return rows


def test_each_number_says_what_the_verifier_did() -> None:
    rows = [
        sample("a", 0, 3.0, True), sample("a", 1, 1.0, False), sample("a", 2, -math.inf, False, None),
        sample("b", 0, 5.0, False), sample("b", 1, 4.0, True), sample("b", 2, 3.0, True),
        sample("c", 0, 9.0, False), sample("c", 1, 8.0, False), sample("c", 2, 7.0, False),
    ]  # fmt: skip
    found = quality(rows, 3, FEW)
    numbers = (
        found.auc_within,
        found.auc_pooled,
        found.pair_accuracy,
        found.bon_random,
        found.bon_lv,
        found.bon_oracle,
    )
    assert all(number is not None for number in numbers)
    values = [number.value for number in numbers if number]
    # within: a rightly, b wrongly, c has one kind only; pooled: 3 of the 15 pairs of a correct and a wrong program
    assert values == pytest.approx([1 / 2, 3 / 15, 1 / 3, 1 / 3, 1 / 3, 2 / 3])
    assert [number.n for number in numbers if number] == [2, 3, 2, 3, 3, 3]
    assert (len(found.scored), found.correct, found.pairs) == (8, 3, 3)
    assert not found.calibratable


def test_nothing_sampled_leaves_nothing_to_say() -> None:
    found = quality([], 4, FEW)
    assert (found.scored, found.pairs, found.auc_within, found.bon_lv) == ((), 0, None, None)


def test_a_probability_never_comes_from_its_own_problem() -> None:
    rows = draws(10, seed=0, shift=0.0)
    turned = [Scored(r.problem_id, r.score, not r.correct) if r.problem_id == "003" else r for r in rows]
    both = zip(rows, held_out_probabilities(rows), held_out_probabilities(turned), strict=True)
    same = {row.problem_id for row, before, after in both if before == after}
    assert same == {"003", "008"}  # its fold


def test_one_problem_has_no_other_to_be_scaled_on() -> None:
    assert held_out_probabilities([Scored("a", 1.0, True), Scored("a", 0.0, False)]) == []
    assert scaled_error([Scored("a", 1.0, True)]) is None


@given(st.integers(0, 20))
def test_there_is_a_probability_for_every_program_in_order(seed: int) -> None:
    rows = draws(4, seed, shift=0.5)
    found = held_out_probabilities(rows)
    assert len(found) == len(rows)
    assert all(0 <= p <= 1 for p in found)


def test_scaling_mends_a_score_that_boasts_and_a_calibrated_one_needs_none() -> None:
    rows = draws(60, seed=1, shift=0.0)
    boasting = [Scored(r.problem_id, 4 * r.score + 3, r.correct) for r in rows]
    raw, loud = calibration_error(raw_bins(rows)), calibration_error(raw_bins(boasting))
    scaled, mended = scaled_error(rows), scaled_error(boasting)
    assert raw is not None
    assert raw < 0.05
    assert loud is not None
    assert loud > 0.15
    assert scaled is not None
    assert mended == pytest.approx(scaled, abs=1e-6)  # scaling undoes slope and intercept
    assert scaled < 0.05

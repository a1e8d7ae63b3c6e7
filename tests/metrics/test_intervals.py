"""Intervals and paired comparisons."""

from __future__ import annotations

import random
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.metrics import Bootstrap, compare, estimate, mcnemar, pooled, sign_flip

FEW = Bootstrap(confidence=0.95, resamples=200)
values = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=3)
outcomes = st.dictionaries(st.text(max_size=3), values, min_size=1, max_size=8)


@given(outcomes)
def test_an_interval_holds_its_value_and_stays_within_bounds(table: dict[str, list[float]]) -> None:
    result = estimate(table, FEW)
    assert result is not None
    assert result.value == pytest.approx(fmean(fmean(row) for row in table.values()))
    assert 0 <= result.low <= result.value <= result.high <= 1
    assert result.n == len(table)


@given(outcomes)
def test_the_order_of_the_problems_does_not_matter(table: dict[str, list[float]]) -> None:
    assert estimate(table, FEW) == estimate(dict(reversed(table.items())), FEW)


@given(outcomes, outcomes)
def test_swapping_the_methods_mirrors_the_difference(one: dict[str, list[float]], two: dict[str, list[float]]) -> None:
    two = {problem: two.get(problem, [0.0]) for problem in one}
    there, back = compare(one, two, FEW), compare(two, one, FEW)
    assert there is not None
    assert back is not None
    assert there.difference.value == pytest.approx(-back.difference.value)
    assert (there.better, there.worse, there.p_value) == (back.worse, back.better, back.p_value)
    assert -1 <= there.difference.low <= there.difference.value <= there.difference.high <= 1


def test_no_problem_gives_no_estimate() -> None:
    assert estimate({}, FEW) is None
    assert compare({}, {}, FEW) is None


def test_no_success_at_all_leaves_the_exact_binomial_bound_not_certainty() -> None:
    result = estimate({str(i): [0.0] for i in range(40)}, FEW)
    assert result is not None
    assert (result.value, result.low) == (0.0, 0.0)
    assert result.high == pytest.approx(0.0881, abs=1e-4)  # 1 - 0.025 ** (1 / 40)


def test_a_single_problem_says_almost_nothing() -> None:
    result = estimate({"a": [1.0]}, FEW)
    assert result is not None
    assert (result.high, result.n) == (1.0, 1)
    assert result.low == pytest.approx(0.025)


def test_the_interval_is_about_two_standard_errors_wide() -> None:
    table = {str(i): [float(i % 4 == 0)] for i in range(400)}
    result = estimate(table, Bootstrap(confidence=0.95, resamples=2000))
    assert result is not None
    assert result.high - result.low == pytest.approx(2 * 1.96 * (0.25 * 0.75 / 400) ** 0.5, rel=0.1)


def searched(rng: random.Random, problems: int, searches: int, mean: float) -> dict[str, list[float]]:
    """Problems of unequal difficulty, each searched several times."""
    chances = [min(1.0, max(0.0, rng.gauss(mean, 0.15))) for _ in range(problems)]
    return {str(i): [float(rng.random() < p) for _ in range(searches)] for i, p in enumerate(chances)}


def test_the_chance_of_the_searches_is_counted_once() -> None:
    table = searched(random.Random(2), 400, 4, 0.4)
    result = estimate(table, Bootstrap(confidence=0.95, resamples=2000))
    assert result is not None
    error = stdev(fmean(row) for row in table.values()) / 400**0.5
    assert result.high - result.low == pytest.approx(2 * 1.96 * error, rel=0.1)


@pytest.mark.parametrize("searches", [1, 4])
def test_nine_of_ten_intervals_hold_the_truth(searches: int) -> None:
    rng = random.Random(1)
    covered = 0
    for _ in range(200):
        table = searched(rng, 60, searches, 0.5)
        result = estimate(table, Bootstrap(confidence=0.9, resamples=300))
        assert result is not None
        covered += result.low <= 0.5 <= result.high
    assert 165 <= covered <= 195


def test_pairing_makes_a_difference_surer_than_two_separate_intervals() -> None:
    before = {str(i): [float(i < 50)] for i in range(100)}
    after = {str(i): [float(i < 60)] for i in range(100)}
    result = compare(before, after, Bootstrap(confidence=0.95, resamples=1000))
    assert result is not None
    assert result.difference.low > 0
    assert (result.better, result.worse) == (10, 0)
    assert result.p_value == pytest.approx(2 / 2**10)


def test_methods_measured_on_other_problems_are_not_compared() -> None:
    with pytest.raises(ValueError, match="not the same problems"):
        compare({"a": [1.0]}, {"b": [1.0]}, FEW)


@pytest.mark.parametrize(
    ("better", "worse", "p"), [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (8, 2, 0.109375), (5, 5, 1.0)]
)
def test_mcnemar_is_the_two_sided_binomial_tail(better: int, worse: int, p: float) -> None:
    assert mcnemar(better, worse) == p == mcnemar(worse, better)


def test_the_permutation_test_counts_signs_and_looks_at_sizes() -> None:
    """Of the 2**6 signs of 4, 1, 1, 1, 1, 1 those sum to 9 in absolute value that are all alike: 2 of 64."""
    after = {str(place): [size / 4] for place, size in enumerate((4, 1, 1, 1, 1, 1))}
    before = {name: [0.0] for name in after}
    assert sign_flip(before, after) == pytest.approx(2 / 64)
    assert sign_flip(after, before) == pytest.approx(2 / 64)
    # One loss of size 1 more: |sum| >= 8 needs the 4 and five of the other six on one side: 2 * (6 + 1) of 128.
    after |= {"lost": [0.0]}
    before |= {"lost": [0.25]}
    assert sign_flip(before, after) == pytest.approx(14 / 128)


@given(st.integers(0, 12), st.integers(0, 12))
def test_of_changes_of_one_size_the_permutation_test_is_the_sign_test(better: int, worse: int) -> None:
    changes = [1.0] * better + [-1.0] * worse + [0.0]
    before = {str(place): [max(0.0, -change)] for place, change in enumerate(changes)}
    after = {str(place): [max(0.0, change)] for place, change in enumerate(changes)}
    assert sign_flip(before, after) == pytest.approx(mcnemar(better, worse))


def test_a_permutation_test_of_nothing_changed_finds_nothing() -> None:
    assert sign_flip({"a": [1.0], "b": [0.0]}, {"a": [1.0], "b": [0.0]}) == 1.0


def test_a_pooled_mean_counts_values_and_its_interval_draws_problems() -> None:
    many = Bootstrap(confidence=0.95, resamples=4000)
    table = {"often": [0.0] * 9, "seldom": [1.0]}
    found = pooled(table, many)
    assert found is not None
    assert (found.value, found.n) == (0.1, 2)  # the mean over problems would be a half
    assert (found.low, found.high) == (0.0, 1.0)
    alike = pooled({str(place): [float(place % 2)] for place in range(40)}, many)
    assert alike is not None
    usual = estimate({str(place): [float(place % 2)] for place in range(40)}, many)
    assert usual is not None
    assert (alike.low, alike.high) == pytest.approx((usual.low, usual.high), abs=0.03)
    assert pooled({}, many) is None


def test_a_problem_without_values_changes_no_pooled_mean_and_no_interval() -> None:
    table = {"a": [0.0, 1.0], "b": [1.0]}
    found = pooled(table | {"c": [], "d": []}, FEW)
    assert found == pooled(table, FEW)
    assert found is not None
    assert found.n == 2
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


def test_a_pooled_mean_of_equal_values_has_an_interval_all_the_same() -> None:
    table = {"often": [0.0] * 9, "seldom": [0.0], "never": []}
    found, signed = pooled(table, FEW), pooled(table, FEW, lower=-1.0)
    usual = estimate({"often": [0.0], "seldom": [0.0]}, FEW)
    assert found == usual
    assert found is not None
    assert signed is not None
    assert signed.low == -signed.high == -found.high

"""pass@k and best-of-N against brute force."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.metrics import best_of_subsets, first_turn_best, first_turn_passes, pass_at_k, search_rewards
from mucode.records import SearchChoice, SearchSample

rewards = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=8)


def sample(problem: str, search: int, turn: int, candidate: int, reward: float) -> SearchSample:
    return SearchSample("starter/test", problem, search, turn, "s", candidate, "p", False, 0.0, reward, 1)


def choice(problem: str, search: int, turn: int, reward: float, final: bool, selector: str = "lv") -> SearchChoice:
    return SearchChoice("starter/test", problem, search, selector, 4, turn, "s", 0, False, reward, final)


@given(rewards, st.data())
def test_pass_at_k_is_the_share_of_subsets_that_hold_a_correct_sample(values: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(values)))
    subsets = list(combinations(values, k))
    expected = Fraction(sum(max(subset) == 1.0 for subset in subsets), len(subsets))
    assert pass_at_k(len(values), int(sum(values)), k) == pytest.approx(float(expected), abs=1e-12)


@given(rewards, st.data())
def test_best_of_subsets_is_the_mean_first_reward_over_all_subsets(values: list[float], data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(values)))
    subsets = list(combinations(values, n))  # combinations keep the order, so each one's best-ranked member comes first
    assert best_of_subsets(values, n) == pytest.approx(sum(subset[0] for subset in subsets) / len(subsets), abs=1e-12)


@given(rewards, st.data())
def test_an_order_by_reward_turns_best_of_subsets_into_pass_at_k(values: list[float], data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(values)))
    ranked = sorted(values, reverse=True)
    assert best_of_subsets(ranked, n) == pytest.approx(pass_at_k(len(values), int(sum(values)), n), abs=1e-12)


def test_pass_at_k_of_thousands_of_samples_does_not_overflow() -> None:
    assert pass_at_k(5000, 1, 2500) == pytest.approx(0.5)


@pytest.mark.parametrize(("n", "correct", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_impossible_counts_are_refused(n: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="no pass@"):
        pass_at_k(n, correct, k)


def test_an_impossible_subset_is_refused() -> None:
    with pytest.raises(ValueError, match="no subset of 2 among 1"):
        best_of_subsets([1.0], 2)


def test_first_turn_passes_look_at_the_first_turn_only_and_keep_searches_apart() -> None:
    rows = [sample("a", 0, 1, i, float(i == 0)) for i in range(4)]
    rows += [sample("a", 1, 1, i, 0.0) for i in range(4)] + [sample("a", 0, 2, i, 1.0) for i in range(4)]
    assert first_turn_passes(rows) == {"a": (0.25, 0.0)}
    assert first_turn_passes(rows, k=4) == {"a": (1.0, 0.0)}


def test_the_best_scored_of_the_first_turn_answers_and_the_first_of_equals() -> None:
    rows = [sample("a", 0, 1, i, float(i == 2)) for i in range(3)]  # equal scores: the first, which is wrong
    liked = dataclasses.replace(rows[2], score=1.0)
    assert first_turn_best(rows, 3) == {"a": (0.0,)}
    assert first_turn_best([*rows[:2], liked], 3) == {"a": (1.0,)}
    assert first_turn_best([*rows[:2], liked], 1)["a"] == pytest.approx((1 / 3,))  # a blind pick


def test_the_greedy_reply_is_no_sample() -> None:
    rows = [sample("a", 0, 1, 0, 0.0), sample("a", 0, 1, -1, 1.0)]
    assert first_turn_passes(rows) == first_turn_best(rows, 1) == {"a": (0.0,)}


def test_search_rewards_are_the_answers_unless_a_turn_is_named() -> None:
    rows = [choice("a", 0, 1, 0.0, final=False), choice("a", 0, 2, 1.0, final=True)]
    rows += [choice("a", 0, 2, 0.0, final=True, selector="random")]
    assert search_rewards(rows, "lv", 4) == {"a": (1.0,)}
    assert search_rewards(rows, "lv", 4, turn=1) == {"a": (0.0,)}

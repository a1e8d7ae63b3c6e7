import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.types import Candidate, MucodeError
from mucode.verifier.pairs import both_kinds, distinct_candidates, preference_pairs

candidates = st.lists(
    st.builds(
        lambda problem, number: Candidate(f"toy/{problem}", f"program {number}", float(number % 2)),
        st.integers(0, 3),
        st.integers(0, 9),
    )
)
MIXED = [Candidate("toy/a", f"program {number}", float(number % 2)) for number in range(8)]


@given(candidates, st.randoms(use_true_random=False))
def test_the_order_of_the_data_does_not_matter(data: list[Candidate], shuffler: object) -> None:
    data = [*MIXED, *data]
    shuffled = list(data)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    assert preference_pairs(shuffled, 3, seed=1) == preference_pairs(data, 3, seed=1)


@given(candidates)
def test_a_pair_prefers_a_correct_program_to_a_wrong_one_of_the_same_problem(data: list[Candidate]) -> None:
    data = [*MIXED, *data]
    for pair in preference_pairs(data, 4, seed=0):
        assert Candidate(pair.problem_id, pair.chosen, 1.0) in data
        assert Candidate(pair.problem_id, pair.rejected, 0.0) in data


@given(candidates, st.integers(1, 40))
def test_a_problem_gives_all_its_pairs_or_the_limit_and_none_twice(data: list[Candidate], limit: int) -> None:
    data = distinct_candidates([*MIXED, *data])
    pairs = preference_pairs(data, limit, seed=0)
    assert len(set(pairs)) == len(pairs)
    for problem in {candidate.problem_id for candidate in data}:
        rewards = [candidate.reward for candidate in data if candidate.problem_id == problem]
        possible = rewards.count(1.0) * rewards.count(0.0)
        assert sum(pair.problem_id == problem for pair in pairs) == min(limit, possible)


def test_another_seed_draws_other_pairs() -> None:
    assert preference_pairs(MIXED, 3, seed=0) != preference_pairs(MIXED, 3, seed=1)


def test_equal_seeds_draw_equal_pairs_and_every_pair_has_its_chance() -> None:
    drawn = [preference_pairs(MIXED, 3, seed=seed) for seed in range(60)]
    assert drawn == [preference_pairs(MIXED, 3, seed=seed) for seed in range(60)]
    assert len({pair for pairs in drawn for pair in pairs}) == 4 * 4  # four correct programs, four wrong ones


def test_one_problem_more_leaves_the_pairs_of_the_others_as_they_were() -> None:
    more = [*MIXED, Candidate("toy/0", "x", 1.0), Candidate("toy/0", "y", 0.0)]
    assert preference_pairs(more, 3, seed=0)[1:] == preference_pairs(MIXED, 3, seed=0)


def test_without_any_pair_the_error_counts_what_there_is() -> None:
    data = [Candidate("toy/a", "x", 1.0), Candidate("toy/b", "y", 0.0), Candidate("toy/b", "z", 0.0)]
    with pytest.raises(MucodeError, match=r"1 correct, 2 wrong in all.*more rollouts"):
        preference_pairs(data, 3, seed=0)


def test_single_programs_need_both_kinds_too() -> None:
    with pytest.raises(MucodeError, match="0 correct, 1 wrong"):
        both_kinds([Candidate("toy/a", "x", 0.0), Candidate("toy/a", "x", 0.0)])


def test_a_program_with_two_rewards_is_refused_by_its_problem() -> None:
    with pytest.raises(MucodeError, match="toy/a"):
        distinct_candidates([Candidate("toy/a", "x", 0.0), Candidate("toy/a", "x", 1.0)])

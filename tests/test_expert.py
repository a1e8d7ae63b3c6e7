from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.config import load_config
from mucode.dataset import histories
from mucode.expert import Objective, best_candidate, candidates_by_problem, demonstrations, limited
from mucode.records import Experience
from mucode.types import Candidate, Demonstration
from tests.conftest import make_experience

METHODS = load_config(Path(__file__).parent.parent / "params.yaml").methods
SCORES = st.floats(-50, 50)
PROGRAMS = st.lists(st.sampled_from(["a", "bb", "ccc", None]), min_size=1, max_size=3)  # an episode's, turn by turn
EPISODES_OF_D = st.dictionaries(
    st.tuples(st.sampled_from(["toy/p", "toy/q"]), st.integers(1, 2), st.integers(0, 2)), PROGRAMS, max_size=12
)
CORRECT = st.sets(st.sampled_from([("toy/p", "a"), ("toy/p", "bb"), ("toy/q", "bb"), ("toy/q", "ccc")]))


def rows_of(episodes: dict[tuple[str, int, int], list[str | None]], correct: set[tuple[str, str]]) -> list[Experience]:
    return [
        make_experience(program, float((x, program) in correct), problem=x, iteration=i, rollout=k, turn=turn)
        for (x, i, k), programs in episodes.items()
        for turn, program in enumerate(programs, start=1)
    ]


DATASETS = st.builds(rows_of, EPISODES_OF_D, CORRECT)


def scored(experiences: list[Experience]) -> dict[tuple[str, str], float]:
    return {(row.problem_id, row.program): float(len(row.program)) for row in experiences if row.program is not None}


def relabelled(experiences: list[Experience], **changes: float | bool) -> list[Demonstration]:
    return imitated("mucode", experiences, **({"require_correct": False} | changes))


def imitated(method: str, experiences: list[Experience], **changes: float | bool) -> list[Demonstration]:
    """By one of params.yaml's methods; a program's score is its length."""
    return demonstrations(experiences, scored(experiences), **(METHODS[method].choice | changes))


UNSCORED = sorted(name for name, method in METHODS.items() if method.trains and not method.scored)


def test_without_the_verifier_do_the_oracles_choice_and_methods_that_keep_every_correct_episode() -> None:
    assert UNSCORED == ["mucode_ov", "multi_star", "star"]


@given(DATASETS)
def test_where_the_oracle_alone_chooses_the_verifier_breaks_no_tie(rows: list[Experience]) -> None:
    opposite = {key: -score for key, score in scored(rows).items()}
    assert demonstrations(rows, opposite, **METHODS["mucode_ov"].choice) == imitated("mucode_ov", rows)


@given(DATASETS, SCORES, st.sampled_from(UNSCORED))
def test_a_method_without_a_say_of_the_verifier_imitates_the_same_whatever_it_says(
    rows: list[Experience], score: float, method: str
) -> None:
    other = {pair: -score * value for pair, value in scored(rows).items()}
    assert demonstrations(rows, other, **METHODS[method].choice) == imitated(method, rows)


def test_a_correct_program_beats_a_better_scored_wrong_one() -> None:
    right, wrong = Candidate("p", "right", reward=1.0), Candidate("p", "wrong", reward=0.0)
    assert best_candidate([wrong, right], [9.0, -9.0], Objective(1.0, 0.1)) is right


@given(st.lists(st.tuples(st.booleans(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1))
def test_no_wrong_program_ever_outranks_a_correct_one(rows: list[tuple[bool, float]]) -> None:
    candidates = [Candidate("p", str(i), float(right)) for i, (right, _) in enumerate(rows)]
    best = best_candidate(candidates, [score for _, score in rows], Objective(1.0, 0.1))
    assert best.reward == max(c.reward for c in candidates)


@given(st.lists(SCORES, min_size=1))
def test_among_equals_the_higher_score_wins_even_where_the_sigmoid_saturates(scores: list[float]) -> None:
    candidates = [Candidate("p", str(i), 1.0) for i in range(len(scores))]
    best = best_candidate(candidates, scores, Objective(1.0, 0.1))
    assert scores[int(best.program)] == max(scores)


SCORED_CANDIDATES = st.lists(st.tuples(st.booleans(), SCORES), min_size=1)


def chosen(rows: list[tuple[bool, float]], objective: Objective) -> tuple[bool, float]:
    """The row that the expert picks."""
    candidates = [Candidate("p", str(place), float(right)) for place, (right, _) in enumerate(rows)]
    return rows[int(best_candidate(candidates, [score for _, score in rows], objective).program)]


@given(SCORED_CANDIDATES)
def test_the_corners_are_the_oracles_choice_alone_and_the_verifiers_alone(rows: list[tuple[bool, float]]) -> None:
    assert chosen(rows, Objective(1.0, 0.0))[0] == any(right for right, _ in rows)
    assert chosen(rows, Objective(0.0, 1.0))[1] == max(score for _, score in rows)


@given(SCORED_CANDIDATES, st.floats(0.01, 0.99))
def test_with_both_the_verifier_chooses_among_the_correct_programs_whatever_its_weight(
    rows: list[tuple[bool, float]], weight: float
) -> None:
    among = [row for row in rows if row[0]] or rows
    assert chosen(rows, Objective(1.0, weight)) == max(among, key=lambda row: row[1])


def test_ties_fall_to_the_first_candidate() -> None:
    candidates = [Candidate("p", "one", 1.0), Candidate("p", "two", 1.0)]
    assert best_candidate(candidates, [0.5, 0.5], Objective(1.0, 0.1)) is candidates[0]


def test_the_candidates_of_a_problem_come_from_all_turns_and_iterations_once_each() -> None:
    rows = [
        make_experience("b", turn=1),
        make_experience("a", 1.0, turn=2),
        make_experience("b", iteration=2),
        make_experience(None, rollout=1),
    ]
    assert [c.program for c in candidates_by_problem(rows)["toy/p"]] == ["a", "b"]


SIGHTINGS = st.lists(
    st.tuples(st.sampled_from(["toy/p", "toy/q"]), st.sampled_from(["a", "bb"]), st.sampled_from([0.0, 1.0]))
)


@given(SIGHTINGS, st.randoms(use_true_random=False))
def test_a_program_is_correct_if_it_was_at_every_sighting_in_whatever_order(
    sightings: list[tuple[str, str, float]], shuffler: Random
) -> None:
    rows = [make_experience(y, reward, problem=x, rollout=k) for k, (x, y, reward) in enumerate(sightings)]
    found = candidates_by_problem(rows)
    assert {(c.problem_id, c.program): c.reward for group in found.values() for c in group} == {
        (x, y): min(reward for *pair, reward in sightings if pair == [x, y]) for x, y, _ in sightings
    }
    shuffler.shuffle(rows)
    assert candidates_by_problem(rows) == found


@pytest.mark.parametrize("rewards", [(0.0, 1.0), (1.0, 0.0)])
def test_a_program_seen_with_both_rewards_is_no_correct_target(rewards: tuple[float, float]) -> None:
    rows = [make_experience("flaky", reward, rollout=k) for k, reward in enumerate(rewards)]
    assert relabelled(rows, require_correct=True) == []


@pytest.mark.parametrize("rewards", [(0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.trains])
def test_no_method_takes_a_program_for_correct_that_was_wrong_once(method: str, rewards: tuple[float, float]) -> None:
    flaky = [make_experience("flaky", reward, rollout=rollout) for rollout, reward in enumerate(rewards)]
    rows = [*flaky, make_experience("a", 1.0, rollout=2)]
    found = imitated(method, rows, require_correct=True, keep_correct=True)
    assert {each.program for each in found} <= {"a"}


@given(DATASETS)
def test_every_state_of_a_problem_with_a_program_appears_exactly_once(rows: list[Experience]) -> None:
    with_program = {row.problem_id for row in rows if row.program is not None}
    expected = Counter(
        (row.problem_id, history)
        for row, history in zip(rows, histories(rows), strict=True)
        if row.problem_id in with_program
    )
    found = relabelled(rows)
    assert len({(each.problem_id, each.history) for each in found}) == len(found)
    assert {(each.problem_id, each.history): each.weight for each in found} == expected


@given(DATASETS)
def test_every_target_is_a_program_of_its_problem_and_correct_where_any_is(rows: list[Experience]) -> None:
    rewards = {(row.problem_id, row.program): row.reward for row in rows}
    best = {problem: max(r for (p, _), r in rewards.items() if p == problem) for problem, _ in rewards}
    assert all(rewards[each.problem_id, each.program] == best[each.problem_id] for each in relabelled(rows))


@given(DATASETS)
def test_relabelling_does_not_depend_on_the_order_of_the_rows(rows: list[Experience]) -> None:
    def counted(demonstrations: list[Demonstration]) -> set[Demonstration]:
        return set(demonstrations)

    assert counted(relabelled(rows)) == counted(relabelled(rows[::-1]))


def test_an_old_state_gets_the_program_found_in_a_later_iteration() -> None:
    rows = [make_experience("wrong"), make_experience("right", 1.0, iteration=2)]
    assert {d.program for d in relabelled(rows)} == {"right"}


def test_a_later_state_carries_the_earlier_turns_as_history() -> None:
    rows = [make_experience("wrong", turn=1), make_experience("right", 1.0, turn=2)]
    by_length = {len(d.history): d for d in relabelled(rows)}
    assert by_length[0].program == by_length[1].program == "right"
    assert by_length[1].history[0].completion.program == "wrong"
    assert by_length[1].history[0].verdict.feedback == "wrong"


def test_problems_without_a_correct_program_are_left_out_on_request() -> None:
    rows = [make_experience("wrong"), make_experience("right", 1.0, problem="toy/q")]
    assert {d.problem_id for d in relabelled(rows)} == {"toy/p", "toy/q"}
    assert {d.problem_id for d in relabelled(rows, require_correct=True)} == {"toy/q"}


def test_a_correct_answer_of_its_own_is_kept_beside_the_best_on_request() -> None:
    rows = [
        make_experience("right", 1.0),
        make_experience("right too", 1.0, rollout=1),
        make_experience("no", rollout=2),
    ]
    assert {d.program for d in relabelled(rows)} == {"right too"}
    kept = relabelled(rows, keep_correct=True)
    assert {d.program: d.weight for d in kept} == {"right": 1.0, "right too": 3.0}  # the best once at each of 3 states


def test_a_limit_keeps_so_many_states_and_every_problems_weight() -> None:
    rows = [make_experience(f"wrong {i}", rollout=i, turn=turn) for i in range(4) for turn in (1, 2)]
    rows += [make_experience("right", 1.0, problem="toy/q")]
    kept = limited(relabelled(rows), 2, seed=0)
    assert [d.problem_id for d in kept] == ["toy/p", "toy/p", "toy/q"]
    assert sum(d.weight for d in kept if d.problem_id == "toy/p") == 8
    assert limited(relabelled(rows), 2, seed=0) == kept
    assert limited(relabelled(rows), 0, seed=0) == relabelled(rows)


def programs(demonstrations: list[Demonstration]) -> list[tuple[int, str]]:
    """(turn, program) of each demonstration."""
    return [(len(each.history) + 1, each.program) for each in demonstrations]


EPISODES = [
    make_experience("w", turn=1),
    make_experience("right", 1.0, turn=2),  # a mended episode
    make_experience("well", 1.0, rollout=1, turn=1),  # right at once
    make_experience("worse", rollout=2, turn=1),
    make_experience("the very worst", rollout=2, turn=2),  # never right, and the verifier's favourite
]


def test_multi_star_imitates_every_turn_of_the_episodes_that_end_correct_the_wrong_ones_included() -> None:
    assert programs(imitated("multi_star", EPISODES)) == [(1, "w"), (2, "right"), (1, "well")]


def test_own_answers_of_old_iterations_are_imitated_as_well() -> None:
    rows = [make_experience("old", 1.0), make_experience("new", 1.0, iteration=2)]
    assert programs(imitated("multi_star", rows)) == [(1, "old"), (1, "new")]


def test_the_best_episodes_are_so_many_of_each_problem() -> None:
    rows = [
        make_experience(name * length, problem=f"toy/{name}", rollout=length)  # a score is a length
        for name, lengths in (("p", (5, 6)), ("q", (1, 2)))
        for length in lengths
    ]
    assert programs(imitated("rft_lv", rows, top=1)) == [(1, "pppppp"), (1, "qq")]


def test_star_imitates_the_first_answers_that_are_correct() -> None:
    assert programs(imitated("star", EPISODES)) == [(1, "well")]


def test_rft_lv_imitates_the_episodes_that_the_verifier_likes_best_right_or_wrong() -> None:
    assert programs(imitated("rft_lv", EPISODES, top=1)) == [(1, "worse"), (2, "the very worst")]
    assert len(imitated("rft_lv", EPISODES)) == len(EPISODES)


def test_mucode_shows_the_best_program_at_every_state_of_every_episode() -> None:
    found = imitated("mucode", EPISODES)
    assert {each.program for each in found} == {"right"}
    assert sum(each.weight for each in found) == len(EPISODES)


def test_the_verifier_alone_may_choose_a_wrong_program() -> None:
    assert {each.program for each in imitated("mucode_lv", EPISODES)} == {"the very worst"}
    assert {each.program for each in imitated("mucode_ov", EPISODES)} <= {"right", "well"}


@pytest.mark.parametrize("method", ["multi_star", "rft_lv"])
def test_an_episode_that_ends_without_a_program_is_not_imitated(method: str) -> None:
    assert imitated(method, [make_experience("w", turn=1), make_experience(None, turn=2)]) == []


@given(DATASETS)
def test_relabelling_is_idempotent(rows: list[Experience]) -> None:
    """Once the targets are part of D as well, each problem keeps its target."""
    best = {each.problem_id: each.program for each in relabelled(rows)}
    rewards = {(row.problem_id, row.program): row.reward for row in rows}
    again = [make_experience(y, rewards[x, y], problem=x, iteration=3) for x, y in best.items()]
    assert {each.problem_id: each.program for each in relabelled([*rows, *again])} == best

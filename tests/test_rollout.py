from __future__ import annotations

from mucode.dataset import histories
from mucode.rollout import roll_out, to_steps
from mucode.types import Problem, Rollout, State, Status, StopReason
from tests.conftest import SAMPLING, FunctionGenerator, TabularSandbox


def episodes(
    problems: list[Problem], generator: FunctionGenerator, turns: int = 3, iteration: int = 1
) -> list[Rollout]:
    return roll_out(
        problems, generator, TabularSandbox(), turns=turns, rollouts=2, sampling=SAMPLING, seed=0, iteration=iteration
    )


def test_an_episode_ends_on_a_public_pass_and_nothing_is_generated_after_it(problems: list[Problem]) -> None:
    asked: list[int] = []

    def reply(state: State, seed: int) -> str:
        asked.append(state.turn)
        return "right" if state.turn == 2 else "wrong"

    rollouts = episodes(problems, FunctionGenerator(reply))
    assert {len(rollout.turns) for rollout in rollouts} == {2}
    assert {rollout.stop for rollout in rollouts} == {StopReason.PASSED_PUBLIC}
    assert sorted(asked) == [1] * 6 + [2] * 6


def test_a_program_that_only_the_private_tests_refuse_still_ends_the_episode(problems: list[Problem]) -> None:
    rollouts = episodes(problems, FunctionGenerator(lambda state, seed: "public only"))
    assert {len(rollout.turns) for rollout in rollouts} == {1}


def test_an_episode_without_a_pass_ends_after_t_turns(problems: list[Problem]) -> None:
    rollouts = episodes(problems, FunctionGenerator(lambda state, seed: "wrong"), turns=2)
    assert {(len(rollout.turns), rollout.stop) for rollout in rollouts} == {(2, StopReason.OUT_OF_TURNS)}


def test_a_reply_without_code_is_a_turn_like_any_other(problems: list[Problem]) -> None:
    rollouts = episodes(problems, FunctionGenerator(lambda state, seed: None if state.turn == 1 else "right"))
    assert [turn.verdict.status for turn in rollouts[0].turns] == [Status.NO_CODE, Status.PASSED]
    assert "no Python program" in rollouts[0].turns[0].verdict.feedback


def test_a_rollout_does_not_depend_on_which_problems_run_beside_it(problems: list[Problem]) -> None:
    generator = FunctionGenerator(lambda state, seed: f"wrong {seed}")
    together = [rollout for rollout in episodes(problems, generator) if rollout.problem_id == "toy/b"]
    assert episodes([problems[1]], generator) == together


def test_every_turn_of_every_rollout_of_every_iteration_draws_by_a_seed_of_its_own(problems: list[Problem]) -> None:
    seeds: list[int] = []

    def reply(state: State, seed: int) -> str:
        seeds.append(seed)
        return "wrong"

    for iteration in (1, 2):
        episodes(problems, FunctionGenerator(reply), turns=3, iteration=iteration)
    assert len(set(seeds)) == len(seeds) == 2 * 3 * 2 * 3  # iterations, problems, rollouts, turns


def test_the_next_turn_reads_the_feedback_of_the_last(problems: list[Problem]) -> None:
    read: list[str] = []

    def reply(state: State, seed: int) -> str:
        read.extend(turn.verdict.feedback for turn in state.history)
        return "wrong"

    episodes(problems[:1], FunctionGenerator(reply), turns=2)
    assert read == ["wrong", "wrong"]


def test_steps_hold_the_episodes_and_give_back_their_states(problems: list[Problem]) -> None:
    from mucode.dataset import experiences, label_steps
    from mucode.types import Answer, Test

    rollouts = episodes(problems, FunctionGenerator(lambda state, seed: "wrong" if state.turn < 3 else "right"))
    steps = to_steps(rollouts, iteration=1)
    answers = [Answer(problem.id, (Test("assert True"),), "right") for problem in problems]
    rows = experiences(steps, label_steps(steps, problems, answers, TabularSandbox()))
    assert [len(history) for history in histories(rows)] == [row.turn - 1 for row in rows]
    assert [row.reward for row in rows if row.turn == 3] == [1.0] * 6

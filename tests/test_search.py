from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, get_args

import pytest

from mucode.config import Selector
from mucode.policies import GREEDY, ORACLE, SELECTORS, UNTESTED, Conditions, SearchSettings
from mucode.prompts import chat
from mucode.records import SearchChoice, SearchSample
from mucode.search import NO_TESTS, Players, search
from mucode.types import Answer, Completion, Half, Job, Problem, Sampling, Sandbox, State, Status, Test, Verdict
from tests.conftest import SAMPLING, FunctionGenerator, FunctionVerifier, TabularSandbox, make_problem

EVERY = (*SELECTORS, ORACLE)


class Counting:
    """Counts the states it is asked about."""

    def __init__(self, generator: FunctionGenerator) -> None:
        self.generator = generator
        self.states: list[State] = []
        self.temperatures: list[float] = []  # of each state

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        self.states += states
        self.temperatures += [sampling.temperature] * len(states)
        return self.generator.generate(states, seeds, sampling)


def run(
    problems: list[Problem],
    reply: Callable[[State, int], str | None],
    selectors: tuple[str, ...] = EVERY,
    turns: int = 2,
    searches: int = 1,
    sandbox: Sandbox | None = None,
    **changes: Any,
) -> tuple[list[SearchSample], list[SearchChoice], Counting]:
    answers = {problem.id: Answer(problem.id, (Test("assert True"),), "right") for problem in problems}
    generator = Counting(FunctionGenerator(reply))
    players = Players(
        generator, FunctionVerifier(lambda program: float(program.split()[-1])), sandbox or TabularSandbox()
    )
    settings = replace(SearchSettings(selectors, (4,), turns, searches, SAMPLING, seed=0), **changes)
    samples, choices = search("toy/test", problems, answers, players, settings)
    return samples, choices, generator


def cycle(programs: list[str]) -> Callable[[State, int], str]:
    """The replies in turn, whatever the state."""
    position = iter(range(10**6))
    return lambda state, seed: programs[next(position) % len(programs)]


def final(choices: list[SearchChoice], selector: str) -> SearchChoice:
    return next(choice for choice in choices if choice.final and choice.selector == selector)


def test_the_selectors_of_the_parameters_are_the_table() -> None:
    assert set(get_args(Selector)) == set(EVERY)


@pytest.mark.parametrize(("selector", "candidate"), [("lv", 0), ("pt", 1), ("pt+lv", 2), ("oracle", 3)])
def test_each_selector_picks_by_its_own_rule(problems: list[Problem], selector: str, candidate: int) -> None:
    programs = ["wrong 9", "public only 1", "public only 5", "right 0"]
    _, choices, _ = run(problems[:1], cycle(programs), turns=1)
    assert final(choices, selector).candidate == candidate


@pytest.mark.parametrize("varied", ["problem_id", "search", "turn"])
def test_random_draws_anew_for_every_problem_search_and_turn(varied: str) -> None:
    problems = [make_problem(name) for name in "abcdefgh"]
    _, choices, _ = run(problems, lambda state, seed: "wrong 0", ("random",), turns=8, searches=8)
    fixed = {"problem_id": "toy/a", "search": 0, "turn": 1}
    del fixed[varied]
    found = [c.candidate for c in choices if all(getattr(c, name) == value for name, value in fixed.items())]
    assert len(found) == 8
    assert len(set(found)) > 1


def test_without_a_public_pass_pt_takes_the_first_and_pt_lv_the_best_scored(problems: list[Problem]) -> None:
    _, choices, _ = run(problems[:1], cycle(["wrong 1", "wrong 4", "wrong 2", "wrong 3"]), turns=1)
    assert final(choices, "pt").candidate == 0
    assert final(choices, "pt+lv").candidate == 1


def test_a_search_stops_on_a_public_pass_only_and_keeps_its_choice(problems: list[Problem]) -> None:
    _, choices, generator = run(problems[:1], cycle(["public only 1"]), selectors=("pt+lv",), turns=3)
    assert {state.turn for state in generator.states} == {1}
    assert [(choice.turn, choice.final, choice.reward) for choice in choices] == [
        (1, False, 0.0),
        (2, False, 0.0),
        (3, True, 0.0),
    ]


def test_a_high_score_does_not_stop_a_search(problems: list[Problem]) -> None:
    _, _, generator = run(problems[:1], cycle(["wrong 99"]), selectors=("lv",), turns=2)
    assert {state.turn for state in generator.states} == {1, 2}


def test_the_oracle_finds_what_any_selector_can_find(problems: list[Problem]) -> None:
    def reply(state: State, seed: int) -> str:
        return ("right", "public only", "wrong")[seed % 3] + f" {seed % 7}"

    _, choices, _ = run(problems, reply, turns=1)
    for problem in problems:
        rewards = {c.selector: c.reward for c in choices if c.final and c.problem_id == problem.id}
        assert rewards["oracle"] == max(rewards.values())


def test_selectors_share_the_samples_of_one_state(problems: list[Problem]) -> None:
    samples, _, generator = run(problems, lambda state, seed: f"wrong {seed % 5}", turns=2)
    assert sum(state.turn == 1 for state in generator.states) == 3 * 4
    keys = [(s.problem_id, s.search, s.turn, s.state, s.candidate) for s in samples]
    assert len(set(keys)) == len(keys) == len(generator.states)


def test_equal_replies_of_different_numbers_of_tokens_are_one_state(problems: list[Problem]) -> None:
    class Wordy(FunctionGenerator):
        def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
            drawn = zip(super().generate(states, seeds, sampling), seeds, strict=True)
            return [
                replace(completion, prompt_tokens=seed % 5, completion_tokens=seed % 7) for completion, seed in drawn
            ]

    players = Players(Wordy(lambda state, seed: "wrong 1"), FunctionVerifier(lambda program: 0.0), TabularSandbox())
    answers = {problem.id: Answer(problem.id, (Test("assert True"),), "right") for problem in problems}
    settings = SearchSettings(("random", "lv"), (4,), 2, 1, SAMPLING, seed=0)
    samples, _ = search("toy/test", problems, answers, players, settings)
    keys = [(s.problem_id, s.search, s.turn, s.state, s.candidate) for s in samples]
    assert len(set(keys)) == len(keys) == len(problems) * 2 * 4
    assert len({sample.completion_tokens for sample in samples}) > 1


def test_independent_searches_draw_different_samples(problems: list[Problem]) -> None:
    samples, _, _ = run(problems[:1], lambda state, seed: f"wrong {seed}", turns=1, searches=2)
    assert {s.program for s in samples if s.search == 0}.isdisjoint(s.program for s in samples if s.search == 1)


def test_a_reply_without_a_program_is_never_preferred(problems: list[Problem]) -> None:
    position = iter(range(8))
    samples, choices, _ = run(
        problems[:1], lambda state, seed: None if next(position) % 2 == 0 else "wrong -99", ("lv",), turns=1
    )
    assert final(choices, "lv").candidate == 1
    assert sum(sample.program is None for sample in samples) == 2


def test_every_search_ends_with_one_answer_per_selector(problems: list[Problem]) -> None:
    _, choices, _ = run(problems, lambda state, seed: f"wrong {seed % 5}", turns=2, searches=2)
    answers = [(c.problem_id, c.search, c.selector) for c in choices if c.final]
    assert len(answers) == len(set(answers)) == 3 * 2 * len(EVERY)


def test_a_larger_n_looks_at_the_same_samples_and_more(problems: list[Problem]) -> None:
    samples, choices, generator = run(
        problems[:1], lambda state, seed: f"wrong {seed % 97}", ("lv",), turns=1, candidates=(2, 4)
    )
    assert len(generator.states) == len(samples) == 4
    best = {n: max(s.score for s in samples if s.candidate < n) for n in (2, 4)}
    chosen = {c.n: next(s.score for s in samples if s.candidate == c.candidate) for c in choices}
    assert chosen == best


def test_n_alone_gives_what_it_gives_beside_others(problems: list[Problem]) -> None:
    def reply(state: State, seed: int) -> str:
        return f"wrong {seed % 97}"

    _, together, _ = run(problems, reply, candidates=(1, 3))
    for n in (1, 3):
        _, alone, _ = run(problems, reply, candidates=(n,))
        assert alone == [choice for choice in together if choice.n == n]


def test_the_independent_control_draws_n_times_t_programs_of_turn_1(problems: list[Problem]) -> None:
    samples, choices, _ = run(problems[:1], lambda state, seed: "wrong 0", ("lv",), turns=3, independent=True)
    assert sum(sample.turn == 1 for sample in samples) == 4 * 3
    assert [(c.turn, c.final) for c in choices if c.n == 12] == [(1, True)]
    assert sum(choice.n == 4 for choice in choices) == 3


def test_the_greedy_search_draws_one_reply_a_turn_at_temperature_0(problems: list[Problem]) -> None:
    samples, choices, generator = run(problems[:1], lambda state, seed: "wrong 0", ("lv",), searches=2, greedy=True)
    drawn = {0.0: 2, SAMPLING.temperature: 2 * 2 * 4}  # a greedy one a turn; 2 searches of 2 turns with 4 candidates
    assert Counter(generator.temperatures) == drawn
    assert [(c.turn, c.search) for c in choices if c.selector == GREEDY] == [(1, 0), (2, 0)]
    assert [s.candidate for s in samples if s.candidate < 0] == [-1, -1]


def test_without_public_tests_nothing_is_shown_or_run_and_every_turn_is_used(problems: list[Problem]) -> None:
    _, choices, generator = run(
        problems[:1], lambda state, seed: "right 1", turns=3, conditions=Conditions(public_tests=False)
    )
    assert all(state.problem.public_tests == () for state in generator.states)
    assert {turn.verdict.feedback for state in generator.states for turn in state.history} == {NO_TESTS.feedback}
    assert {choice.selector for choice in choices} == set(UNTESTED)
    assert [(c.turn, c.public_passed, c.reward) for c in choices if c.selector == "lv"] == [
        (1, False, 1.0),
        (2, False, 1.0),
        (3, False, 1.0),
    ]
    assert max(state.turn for state in generator.states) == 3


def test_without_public_tests_no_program_is_told_that_it_is_wrong(problems: list[Problem]) -> None:
    _, _, generator = run(problems, lambda state, seed: "right 1", turns=3, conditions=Conditions(public_tests=False))
    asked = {chat(state)[-1].content for state in generator.states if state.history}
    assert asked == {"There are no tests to run.\nCheck the program and answer with the function, changed or as it is."}


def test_without_public_tests_the_oracle_alone_ends_with_a_correct_program(problems: list[Problem]) -> None:
    programs = {1: "right 1", 2: "wrong 1", 3: "wrong 2"}
    _, choices, _ = run(
        problems[:1], lambda state, seed: programs[state.turn], turns=3, conditions=Conditions(public_tests=False)
    )
    rewards = {name: [c.reward for c in choices if c.selector == name] for name in (ORACLE, "lv")}
    assert rewards == {ORACLE: [1.0, 1.0, 1.0], "lv": [1.0, 0.0, 0.0]}
    assert not any(choice.public_passed for choice in choices)


def test_the_random_feedback_control_tells_what_another_problems_program_was_told(problems: list[Problem]) -> None:
    def reply(state: State, seed: int) -> str:
        return f"wrong {ord(state.problem.id[-1])}"

    class Naming(TabularSandbox):
        def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
            return [Verdict(Status.FAILED, 0, 1, f"about {job.problem.id}") for job in jobs]

    _, _, generator = run(problems, reply, ("pt",), sandbox=Naming(), conditions=Conditions(feedback="random"))
    second = [state for state in generator.states if state.turn == 2]
    assert len(second) == 12
    for state in second:
        assert state.history[0].verdict.feedback.startswith("about ")
        assert state.history[0].verdict.feedback != f"about {state.problem.id}"


def test_the_random_feedback_control_says_nothing_where_no_other_problem_is_left(problems: list[Problem]) -> None:
    _, _, generator = run(
        problems[:1], lambda state, seed: f"wrong {seed % 7}", ("pt",), conditions=Conditions(feedback="random")
    )
    (told,) = {state.history[0].verdict.feedback for state in generator.states if state.turn == 2}
    assert told == "A test failed."


def test_the_oracle_goes_on_rather_than_end_on_a_false_public_pass(problems: list[Problem]) -> None:
    def reply(state: State, seed: int) -> str:
        return "right 1" if state.turn == 2 else f"wrong {seed % 7}" if seed % 2 else "public only 9"

    _, choices, _ = run(problems[:1], reply, candidates=(8,))
    assert [(c.turn, c.public_passed, c.reward) for c in choices if c.selector == ORACLE] == [
        (1, False, 0.0),
        (2, True, 1.0),
    ]
    assert final(choices, "pt").reward == 0.0  # which the public test has misled


def test_feedback_of_another_problem_is_never_that_of_a_program_that_passed(problems: list[Problem]) -> None:
    class Talking(TabularSandbox):
        def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
            return [
                replace(verdict, feedback="passed" if verdict.passed else "wrong")
                for verdict in super().judge(jobs, half)
            ]

    _, _, generator = run(
        problems,
        lambda state, seed: f"right {seed}" if seed % 2 else f"wrong {seed}",
        ("random",),
        turns=3,
        sandbox=Talking(),
        conditions=Conditions(feedback="random"),
    )
    assert {turn.verdict.feedback for state in generator.states for turn in state.history} == {"wrong"}


def test_without_public_tests_the_verifier_is_shown_none_either(problems: list[Problem]) -> None:
    seen: list[Problem] = []

    class Watching(FunctionVerifier):
        def score(self, problems: Sequence[Problem], programs: Sequence[str]) -> list[float]:
            seen.extend(problems)
            return super().score(problems, programs)

    players = Players(FunctionGenerator(lambda state, seed: "wrong 1"), Watching(lambda program: 0.0), TabularSandbox())
    answers = {problem.id: Answer(problem.id, (Test("assert True"),), "right") for problem in problems}
    settings = SearchSettings(("lv",), (2,), 2, 1, SAMPLING, seed=0, conditions=Conditions(public_tests=False))
    search("toy/test", problems, answers, players, settings)
    assert seen
    assert all(problem.public_tests == () for problem in seen)

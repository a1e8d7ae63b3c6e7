"""Conversations as a pool: an engine and a judge that take their time in steps, and what each schedule makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import pytest

from mucode.execution import open_sandbox
from mucode.generator.incremental import Reply
from mucode.rollout import Rollouts, play, roll_out
from mucode.schedule import SCHEDULES, Clock, kept_open
from mucode.types import (
    Completion,
    Half,
    Job,
    MucodeError,
    Problem,
    Rollout,
    Sampling,
    Sandbox,
    State,
    Status,
    Turn,
    Verdict,
)
from tests.conftest import SAMPLING, FunctionGenerator, TabularSandbox, make_problem

Text = Callable[[State, int], str | None]


@dataclass
class PacedEngine:
    """An engine that takes `pace` steps for a reply, of as many requests at once as there are."""

    text: Text
    pace: Callable[[State, int], int] = lambda state, seed: 1
    broken: Callable[[State, int], bool] = lambda state, seed: False
    submitted: list[State] = field(default_factory=list)
    ended: list[State] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    steps: float = 0.0
    left: dict[int, int] = field(default_factory=dict)
    asked: dict[int, tuple[State, int]] = field(default_factory=dict)

    def open(self) -> AbstractContextManager[PacedEngine]:
        return nullcontext(self)

    def submit(self, ticket: int, state: State, seed: int, sampling: Sampling) -> None:
        self.submitted.append(state)
        self.asked[ticket], self.left[ticket] = (state, seed), self.pace(state, seed)

    def wait(self, timeout: float | None = None) -> list[tuple[int, Reply]]:
        replies: list[tuple[int, Reply]] = []
        while self.left and not replies:
            self.clock.add(self.steps, self.steps + 1)
            self.steps += 1
            self.left = {ticket: steps - 1 for ticket, steps in self.left.items()}
            replies = [self._reply(ticket) for ticket, steps in self.left.items() if steps == 0]
            self.left = {ticket: steps for ticket, steps in self.left.items() if steps > 0}
            if timeout is not None:
                break
        return replies

    def _reply(self, ticket: int) -> tuple[int, Reply]:
        state, seed = self.asked.pop(ticket)
        self.ended.append(state)
        if self.broken(state, seed):
            return ticket, Reply(None, "the server hung up")
        return ticket, Reply(self.generate([state], [seed], SAMPLING)[0])

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        return FunctionGenerator(self.text).generate(states, seeds, sampling)


@dataclass
class PacedDocket:
    """`TabularSandbox` as a docket: a verdict comes at the `pace`-th look after its job."""

    pace: Callable[[Job], int] = lambda job: 1
    judged: list[Job] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)

    def submit(self, job: Job, half: Half) -> int:
        self.judged.append(job)
        self.left[len(self.judged)] = self.pace(job)
        return len(self.judged)

    def wait(self, timeout: float | None = None) -> list[tuple[int, Verdict]]:
        while self.left:
            self.left = {number: looks - 1 for number, looks in self.left.items()}
            done = [number for number, looks in self.left.items() if looks <= 0]
            self.left = {number: looks for number, looks in self.left.items() if looks > 0}
            if done or timeout is not None:
                return [(number, self.judge([self.judged[number - 1]], "public")[0]) for number in done]
        return []

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        return TabularSandbox().judge(jobs, half)


def played(
    problems: list[Problem],
    engine: FunctionGenerator | PacedEngine,
    sandbox: Sandbox,
    schedule: str,
) -> Rollouts:
    return play(
        problems,
        engine,
        sandbox,
        turns=3,
        rollouts=2,
        sampling=SAMPLING,
        seed=0,
        iteration=1,
        schedule=schedule,
    )


def mixed(state: State, seed: int) -> str | None:
    """Passing, failing and missing programs, by seed."""
    return ("right", "wrong", f"wrong {seed}", None, "public only")[seed % 5]


def slow_for(name: str) -> Callable[[State, int], int]:
    return lambda state, seed: 1000 if state.problem.id == name else 1


PROBLEMS = [make_problem(f"f{number}") for number in range(8)]


def test_a_slow_reply_holds_no_other_conversation() -> None:
    engine = PacedEngine(lambda state, seed: "wrong", slow_for("toy/f0"))
    played(PROBLEMS[:3], engine, PacedDocket(), "arrival")
    turns = [state.turn for state in engine.ended if state.problem.id != "toy/f0"]
    first_of_slow = next(at for at, state in enumerate(engine.ended) if state.problem.id == "toy/f0")
    assert len(turns) == 12
    assert first_of_slow == 12


def test_by_fixed_the_next_turn_waits_for_the_slowest_reply() -> None:
    engine = PacedEngine(lambda state, seed: "wrong", slow_for("toy/f0"))
    played(PROBLEMS[:3], engine, PacedDocket(), "fixed")
    assert [state.turn for state in engine.ended] == [1] * 6 + [2] * 6 + [3] * 6


def test_a_slow_verdict_holds_no_other_conversation() -> None:
    engine = PacedEngine(lambda state, seed: "wrong")
    docket = PacedDocket(lambda job: 1000 if job.problem.id == "toy/f0" else 1)
    played(PROBLEMS[:3], engine, docket, "arrival")
    assert [state.problem.id for state in engine.ended[-4:]] == ["toy/f0"] * 4
    assert {state.problem.id for state in engine.ended[2:-4]} == {"toy/f1", "toy/f2"}


@pytest.mark.parametrize("salt", range(20))
def test_both_schedules_give_the_same_rollouts_in_the_same_order(salt: int) -> None:
    def pace(state: State, seed: int) -> int:
        return 1 + (seed + salt) % 7

    engine, docket = PacedEngine(mixed, pace), PacedDocket(lambda job: len(job.program + job.problem.id) * salt % 5)
    rollouts = {name: played(PROBLEMS, engine, docket, name).episodes for name in SCHEDULES}
    assert rollouts["arrival"] == rollouts["fixed"]
    assert [(r.problem_id, r.index) for r in rollouts["arrival"]] == [(p.id, i) for p in PROBLEMS for i in range(2)]
    assert len({len(rollout.turns) for rollout in rollouts["fixed"]}) == 3


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_nothing_is_generated_after_a_pass_or_the_last_turn(schedule: str) -> None:
    engine = PacedEngine(mixed)
    done = played(PROBLEMS, engine, PacedDocket(), schedule)
    assert not any(turn.verdict.passed for state in engine.submitted for turn in state.history)
    assert max(state.turn for state in engine.submitted) == 3
    assert len(engine.submitted) == sum(len(rollout.turns) for rollout in done.episodes)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_failed_request_ends_its_own_rollout_and_is_told_with_its_reason(schedule: str) -> None:
    def broken(state: State, seed: int) -> bool:
        return (state.problem.id, state.turn) == ("toy/f1", 2)

    engine = PacedEngine(lambda state, seed: "wrong", broken=broken)
    done = played(PROBLEMS[:3], engine, PacedDocket(), schedule)
    assert [(rollout.problem_id, len(rollout.turns)) for rollout in done.episodes] == [("toy/f0", 3)] * 2 + [
        ("toy/f2", 3)
    ] * 2
    assert {(f.problem_id, f.turn, f.reason) for f in done.failed} == {("toy/f1", 2, "the server hung up")}


def rolled_out(engine: PacedEngine, sandbox: TabularSandbox | PacedDocket) -> list[Rollout]:
    return roll_out(
        PROBLEMS[:3],
        engine,
        sandbox,
        turns=3,
        rollouts=2,
        sampling=SAMPLING,
        seed=0,
        iteration=1,
        schedule="arrival",
    )


def test_rollouts_with_a_failure_are_never_returned_as_whole() -> None:
    engine = PacedEngine(lambda state, seed: "wrong", broken=lambda state, seed: state.problem.id == "toy/f1")
    with pytest.raises(MucodeError, match=r"2 rollouts could not be finished.*toy/f1: the server hung up"):
        rolled_out(engine, PacedDocket())


def test_a_judge_that_fails_ends_the_run_by_the_problems_name() -> None:
    class Failing(PacedDocket):
        def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
            return [Verdict(Status.INTERNAL, 0, 1)] * len(jobs)

    with pytest.raises(MucodeError, match=r"the judge failed on a program for toy/f"):
        rolled_out(PacedEngine(mixed), Failing())


def test_equal_programs_are_judged_once_also_while_the_first_is_under_way() -> None:
    docket = PacedDocket(lambda job: 5)
    played(PROBLEMS, PacedEngine(lambda state, seed: "wrong"), docket, "arrival")
    assert [job.problem.id for job in docket.judged] == [problem.id for problem in PROBLEMS]


@pytest.mark.slow
def test_real_judges_give_the_same_rollouts_by_both_schedules() -> None:
    def program(state: State, seed: int) -> str | None:
        result = ("1", "x + 1", "undefined", None)[seed % 4]
        return result and f"def {state.problem.entry_point}(x):\n    return {result}"

    engine = PacedEngine(program, pace=lambda state, seed: 1 + seed % 5)
    with open_sandbox(2) as sandbox:
        rollouts = [played(PROBLEMS, engine, sandbox, schedule).episodes for schedule in SCHEDULES]
    timeless = [[untimed(rollout) for rollout in some] for some in rollouts]
    assert timeless[0] == timeless[1]
    assert {turn.verdict.status for turns in timeless[0] for turn in turns} == {
        Status.PASSED,
        Status.FAILED,
        Status.ERROR,
        Status.NO_CODE,
    }


def untimed(rollout: Rollout) -> list[Turn]:
    """Its turns without the seconds that their programs took."""
    return [replace(turn, verdict=replace(turn.verdict, seconds=0.0)) for turn in rollout.turns]


def test_an_engine_that_takes_no_work_while_it_works_goes_turn_by_turn() -> None:
    batches: list[int] = []

    class Whole(FunctionGenerator):
        def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
            batches.append(len(states))
            return super().generate(states, seeds, sampling)

    whole = played(PROBLEMS[:3], Whole(lambda state, seed: "wrong"), PacedDocket(), "arrival")
    assert batches == [6, 6, 6]
    assert (
        whole.episodes == played(PROBLEMS[:3], Whole(lambda state, seed: "wrong"), TabularSandbox(), "fixed").episodes
    )


def test_an_engine_kept_open_gives_its_completions_in_order_and_tells_of_missing_ones() -> None:
    states, seeds = [State(problem) for problem in PROBLEMS], range(len(PROBLEMS))
    engine = PacedEngine(mixed, pace=lambda state, seed: 1 + seed * 5 % 8)
    with kept_open(engine) as generator:
        assert [generator.generate(states, seeds, SAMPLING) for _ in range(2)] == [
            engine.generate(states, seeds, SAMPLING)
        ] * 2
    broken = PacedEngine(mixed, broken=lambda state, seed: seed > 5)
    with kept_open(broken) as generator, pytest.raises(MucodeError, match=r"2 of 8 replies are missing.*hung up"):
        generator.generate(states, seeds, SAMPLING)


def test_the_idle_share_is_the_time_between_first_and_last_work_without_any() -> None:
    clock = Clock()
    for start, end in ((100.0, 101.0), (101.0, 102.0), (104.0, 108.0)):
        clock.add(start, end)
    assert clock.idle_share == pytest.approx(0.25)
    assert Clock().idle_share == 0.0


def test_the_run_tells_how_long_the_engine_was_idle() -> None:
    assert played(PROBLEMS, PacedEngine(mixed), PacedDocket(), "arrival").idle_share == 0.0

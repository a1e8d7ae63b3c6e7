"""A session of our decode loop: work comes in while others are under way, and every reply is that of one call."""

from __future__ import annotations

from typing import Any

import pytest

from mucode.generator.transformers_engine import Batching, TransformersGenerator
from mucode.rollout import play
from mucode.schedule import SCHEDULES
from mucode.types import Completion, Sampling
from tests.conftest import TabularSandbox, make_problem
from tests.generator.replies import GREEDY, SEEDS, STATES, WARM, drained, replies

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("batching", [Batching(), Batching(rows=5, refill_share=0.01), Batching(cache_tokens=500)])
def test_work_that_comes_in_between_steps_gets_the_replies_of_one_call(
    restless: tuple[Any, Any], batching: Batching
) -> None:
    engine = TransformersGenerator(*restless, batching)
    found: dict[int, Completion] = {}
    with engine.open() as session:
        for ticket, (state, seed) in enumerate(zip(STATES, SEEDS, strict=True)):
            session.submit(ticket, state, seed, WARM)
            if ticket % 4 == 3:
                found |= {number: reply.completion for number, reply in session.wait(0.0) if reply.completion}
        found |= drained(session)
    assert [found[ticket] for ticket in range(len(STATES))] == replies(restless, Batching())


def test_requests_of_different_sampling_run_side_by_side(restless: tuple[Any, Any]) -> None:
    engine = TransformersGenerator(*restless)
    hows = [WARM, GREEDY, Sampling(0.5, 0.9, 7)]
    with engine.open() as session:
        for ticket, how in enumerate(hows):
            session.submit(ticket, STATES[0], 3, how)
        together = drained(session)
    assert [together[ticket] for ticket in range(3)] == [engine.generate([STATES[0]], [3], how)[0] for how in hows]


def test_wait_returns_after_a_step_when_its_time_is_over(parts: tuple[Any, Any]) -> None:
    with TransformersGenerator(*parts).open() as session:
        session.submit(0, STATES[0], 0, WARM)
        assert session.wait(0.0) == []
        assert session.work.drawn == 1
        assert len(drained(session)) == 1
        assert session.wait() == []


@pytest.mark.parametrize("batching", [Batching(), Batching(rows=3, refill_share=0.01, kept_tokens=700)])
def test_multi_turn_rollouts_are_the_same_by_both_schedules_and_without_a_session(
    restless: tuple[Any, Any], batching: Batching
) -> None:
    class Bare:  # only `generate`: every turn is read from its beginning
        generate = TransformersGenerator(*restless).generate

    def rollouts(engine: Any, schedule: str) -> Any:
        return play(
            [make_problem(f"name_{number}") for number in range(5)],
            engine,
            TabularSandbox(),
            turns=3,
            rollouts=3,
            sampling=WARM,
            seed=0,
            iteration=1,
            schedule=schedule,
        ).episodes

    whole = rollouts(Bare(), "fixed")
    assert {len(rollout.turns) for rollout in whole} == {3}
    for schedule in SCHEDULES:
        assert rollouts(TransformersGenerator(*restless, batching), schedule) == whole


def test_the_clock_counts_all_that_the_engine_did_while_it_was_waited_for(parts: tuple[Any, Any]) -> None:
    with TransformersGenerator(*parts).open() as session:
        for ticket, state in enumerate(STATES):
            session.submit(ticket, state, ticket, WARM)
        drained(session)
        assert session.work.steps == WARM.max_new_tokens - 1
        assert 0.0 <= session.clock.idle_share < 0.1

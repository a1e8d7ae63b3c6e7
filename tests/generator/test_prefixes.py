"""What is kept of earlier turns: the longest beginning is found, the limit holds, and no reply is another for it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mucode.generator.decoding import Decoding
from mucode.generator.prefixes import Prefixes, common_beginning
from mucode.generator.transformers_engine import Batching, TransformersGenerator
from mucode.types import Completion, State, Status, Turn, Verdict
from tests.conftest import make_problem
from tests.generator.replies import WARM, drained

pytestmark = pytest.mark.slow


def after(state: State, completion: Completion) -> State:
    """The state of the next turn, after a failed test."""
    return State(state.problem, (*state.history, Turn(completion, Verdict(Status.FAILED, 0, 1, "p(1) gave 2."))))


def second_turn(parts: tuple[Any, Any], kept: int) -> tuple[torch.Tensor, list[Completion], Decoding]:
    """Logits after the prompts of turn 2, its replies, and the session; `kept` tokens are kept between the turns."""
    model, tokenizer = parts
    seen: list[torch.Tensor] = []
    hook = model.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.logits[:, -1].clone()))
    first = [State(make_problem(f"name_{number}")) for number in range(6)]
    try:
        with TransformersGenerator(model, tokenizer, Batching(kept_tokens=kept)).open() as session:
            for ticket, state in enumerate(first):
                session.submit(ticket, state, ticket, WARM)
            replies = drained(session)
            states = [after(state, replies[ticket]) for ticket, state in enumerate(first)]
            seen.clear()
            for ticket, state in enumerate(states):
                session.submit(ticket, state, ticket, WARM)
            again = drained(session)
    finally:
        hook.remove()
    return seen[-WARM.max_new_tokens], [again[ticket] for ticket in range(len(first))], session


def test_a_conversation_that_goes_on_is_not_read_again_and_its_logits_stay_the_same(parts: tuple[Any, Any]) -> None:
    logits, replies, session = second_turn(parts, kept=32_768)
    fresh_logits, fresh_replies, fresh = second_turn(parts, kept=0)
    torch.testing.assert_close(logits.sort(dim=0).values, fresh_logits.sort(dim=0).values, atol=1e-4, rtol=1e-4)
    assert replies == fresh_replies
    assert fresh.work.spared == 0
    assert session.work.read < 0.3 * fresh.work.read


def test_what_is_kept_of_earlier_turns_never_exceeds_its_limit(parts: tuple[Any, Any]) -> None:
    _, replies, _ = second_turn(parts, kept=32_768)
    for kept in (10, 300, 700):
        _, same, session = second_turn(parts, kept)
        assert same == replies
        assert (session.work.spared == 0) is (kept == 10)  # no prompt is as short as that


def test_kept_sequences_are_found_by_their_longest_beginning_and_the_oldest_goes_first() -> None:
    def columns(tokens: tuple[int, ...]) -> list[torch.Tensor]:
        return [torch.tensor(tokens, dtype=torch.float32)[None, None, :, None].expand(2, 3, len(tokens), 4)]

    kept = Prefixes(10)
    for tokens in ((1, 2, 3, 4), (1, 2, 9), (5, 6)):
        kept.keep(tokens, columns(tokens))
    assert kept.longest((1, 2, 3, 7))[0][0, 0, :, 0].tolist() == [1, 2, 3]
    assert [kept.shared(tokens) for tokens in ((1, 2, 9, 9), (1, 7), (5, 6), (4,), ())] == [3, 1, 2, 0, 0]
    kept.keep((7, 7, 7), columns((7, 7, 7)))  # more than 10 tokens: the least recently used of the others goes
    assert (kept.shared((1, 2, 9)), kept.shared((1, 2, 3)), kept.shared((7, 7))) == (2, 3, 2)
    kept.keep(tuple(range(11)), columns(tuple(range(11))))
    assert kept.shared((0, 1)) == 0
    assert kept.longest((8,)) == []


def test_the_common_beginning_is_what_all_share() -> None:
    assert common_beginning([(1, 2, 3), (1, 2), (1, 2, 4, 5)]) == (1, 2)
    assert common_beginning([(1, 2)]) == (1, 2)
    assert common_beginning([(1,), (2,)]) == ()

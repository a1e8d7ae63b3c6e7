"""What the random two-layer model is asked for, and its replies by our decode loop."""

from __future__ import annotations

from typing import Any

from mucode.generator.decoding import Decoding
from mucode.generator.transformers_engine import Batching, TransformersGenerator
from mucode.types import Completion, Sampling, State
from tests.conftest import make_problem

WARM, GREEDY = Sampling(1.0, 1.0, 24), Sampling(0.0, 1.0, 24)
STATES = [State(make_problem("long_name_" * (number % 5))) for number in range(10) for _ in range(3)]
SEEDS = range(len(STATES))


def replies(parts: tuple[Any, Any], batching: Batching, sampling: Sampling = WARM) -> list[Completion]:
    return TransformersGenerator(*parts, batching).generate(STATES, SEEDS, sampling)


def drained(session: Decoding) -> dict[int, Completion]:
    """All replies under way."""
    replies: dict[int, Completion] = {}
    while some := session.wait():
        replies |= {ticket: reply.completion for ticket, reply in some if reply.completion is not None}
    return replies

"""What an engine tells besides its completions, and the seam for schedulers that never wait for a whole batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from mucode.types import Completion, Sampling, State

SeedScope = Literal["request", "batch", "none"]
"""What an equal seed promises. request: a reply follows from its state and seed, whatever is generated beside it;
batch: the replies of a call follow from the whole call; none: seeds are passed on and nothing is promised."""


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """What a run keeps about the engine that wrote its replies."""

    engine: str
    model: str
    seed_scope: SeedScope
    prompts: Literal["token ids", "text"]  # text: the server refuses ids, its tokenizer reads the rendered chat
    ends: Literal["at a token", "in the text"]  # in the text: the server does not name the tokens it drew


@dataclass(frozen=True, slots=True)
class Reply:
    """How one request ended: a completion, or the reason why there is none."""

    completion: Completion | None
    failure: str = ""


class Incremental(Protocol):
    """Takes work while it works: what a scheduler without barriers drives."""

    def submit(self, ticket: int, state: State, seed: int, sampling: Sampling) -> None: ...

    def wait(self) -> list[tuple[int, Reply]]:
        """All that have ended since the last call, at least one; nothing if nothing is under way."""
        ...

"""Generation with transformers: the reference engine, on any device, in our own decode loop (`decoding`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mucode.generator.cache import use_row_attention
from mucode.generator.decoding import Batching, Decoding
from mucode.generator.packed import pack_linears
from mucode.generator.stopping import StopRule
from mucode.generator.tokens import end_of_turn, prompt_tokens
from mucode.prompts import chat
from mucode.training.weights import attention_kinds
from mucode.types import Completion, MucodeError, Sampling, State

__all__ = ["Batching", "TransformersGenerator", "to_best_device"]


class TransformersGenerator:
    """A `Generator` around a causal language model of transformers."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        batching: Batching | None = None,
        show_public_tests: bool = True,
        log_probabilities: bool = False,
    ) -> None:
        """
        Args:
            model: in evaluation mode, adapters merged. It serves inference only from here on.
            tokenizer: with a chat template.
            batching: see `Batching`.
            show_public_tests: see `prompts.chat`.
            log_probabilities: compute them.

        Raises:
            MucodeError: the model mixes attention with a window, which the cache does not do.
        """
        kinds = attention_kinds(model.config)
        if kinds != {"full_attention"}:
            raise MucodeError(
                f"only models with full attention are supported, not {sorted(kinds)}: choose another model"
            )
        use_row_attention(model)
        pack_linears(model)
        self._model, self._tokenizer = model, tokenizer
        self._batching = batching or Batching()
        self._show_public_tests, self._log_probabilities = show_public_tests, log_probabilities
        self._rule = StopRule(tokenizer, end_of_turn(model, tokenizer))

    def open(self) -> Decoding:
        """A `schedule.Session`; what it has read, it keeps for later turns until it ends."""
        return Decoding(self._model, self._rule, self._batching, self._prompt, self._log_probabilities)

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        """y_t for every state, in order.

        A reply ends with the end-of-turn token (not part of it, but counted), with the line that closes its first code
        block, or after `sampling.max_new_tokens`.

        Raises:
            MucodeError: a prompt and its reply do not fit the model's context.
        """
        completions: dict[int, Completion] = {}
        with self.open() as session:
            for ticket, (state, seed) in enumerate(zip(states, seeds, strict=True)):
                session.submit(ticket, state, seed, sampling)
            while some := session.wait():
                completions |= {ticket: reply.completion for ticket, reply in some if reply.completion is not None}
        return [completions[ticket] for ticket in range(len(states))]

    def _prompt(self, state: State, sampling: Sampling) -> list[int]:
        prompt = prompt_tokens(self._tokenizer, chat(state, self._show_public_tests))
        limit, new = self._model.config.max_position_embeddings, sampling.max_new_tokens
        if len(prompt) + new > limit:
            raise MucodeError(
                f"{state.problem.id} at turn {state.turn}: {len(prompt)} prompt and {new} new tokens exceed the "
                f"model's context of {limit}: lower max_new_tokens or turns"
            )
        return prompt


def to_best_device(model: Any) -> Any:
    return model.to("cuda") if torch.cuda.is_available() else model

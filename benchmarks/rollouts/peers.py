"""The peers: transformers' `generate`, as one would write it without a decode loop of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from mucode.generator.stopping import StopRule
from mucode.generator.tokens import end_of_turn, prompt_tokens
from mucode.programs import program_in
from mucode.prompts import chat
from mucode.types import Completion, Sampling, State


class Generate:
    """A `Generator`: all states in one left-padded batch, sampled with the batch's first seed.

    A reply ends with the end of the turn; with `at_fence`, as ours do, also with the line that closes its code block.
    """

    def __init__(self, model: Any, tokenizer: Any, at_fence: bool) -> None:
        self._model, self._tokenizer, self._at_fence = model, tokenizer, at_fence
        self._rule = StopRule(tokenizer, end_of_turn(model, tokenizer))

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        """y_t for every state, in order."""
        prompts = [prompt_tokens(self._tokenizer, chat(state)) for state in states]
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        stops = [_Fence(self._rule, width)] if self._at_fence else []
        torch.manual_seed(seeds[0])
        with torch.inference_mode():
            written = self._model.generate(
                ids,
                attention_mask=mask,
                do_sample=True,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=0,
                max_new_tokens=sampling.max_new_tokens,
                pad_token_id=self._tokenizer.eos_token_id,
                stopping_criteria=StoppingCriteriaList(stops),
            )
        rows = zip(states, prompts, written[:, width:].tolist(), strict=True)
        return [self._completion(state, prompt, tokens) for state, prompt, tokens in rows]

    def _completion(self, state: State, prompt: list[int], tokens: list[int]) -> Completion:
        last = next((at for at, token in enumerate(tokens) if token in self._rule.ends), len(tokens) - 1)
        own = tokens[: last + 1]
        if self._at_fence:
            own, _ = self._rule.cut([], own)
        reply = self._rule.text(own)
        return Completion(reply, program_in(reply, state.problem.stub), len(prompt), len(own))


class _Fence(StoppingCriteria):  # type: ignore[misc]  # transformers is untyped
    """Ends a row with the line that closes its code block."""

    def __init__(self, rule: StopRule, prompt: int) -> None:
        self._rule, self._prompt = rule, prompt

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.tensor([self._rule.ended(row) for row in input_ids[:, self._prompt :].tolist()])

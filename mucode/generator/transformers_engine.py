"""Generation with transformers: the reference engine, on any device, in our own decode loop.

transformers' `generate` has one seed for a whole batch and computes finished rows to the end. Here equal prompts, and
the tokens with which all prompts begin, are read once; each sample has random numbers of its own; and a finished
conversation leaves its row to a waiting one. The batches follow from the work list alone: the same call gives the same
replies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from tqdm import tqdm
from transformers import DynamicCache

from mucode.generator.cache import AlignedCache, use_aligned_attention
from mucode.generator.sampling import draw
from mucode.generator.tokens import end_of_turn, prompt_tokens, tokens_with
from mucode.programs import closes_fence, program_in
from mucode.prompts import chat
from mucode.types import Completion, MucodeError, Sampling, State

_PREFILL_TOKENS = 2048  # padded prompt tokens in one forward pass


@dataclass(frozen=True, slots=True)
class Batching:
    """How much is decoded at once. Changing it changes float bits, hence samples near a tie."""

    rows: int = 128
    cache_tokens: int = 65_536  # rows times columns held at most: 1.5 GB for SmolLM2-135M in bfloat16
    refill_share: float = 0.125  # share of finished rows at which they make room for waiting work


@dataclass(slots=True)
class _Row:
    """One sample being decoded."""

    index: int  # its place in the work list
    uniforms: list[float]  # one random number a token
    tokens: list[int] = field(default_factory=list)
    done: bool = False


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A prompt and those of its samples that start together."""

    tokens: list[int]
    rows: list[_Row]


class TransformersGenerator:
    """A `Generator` around a causal language model of transformers."""

    def __init__(
        self, model: Any, tokenizer: Any, batching: Batching | None = None, show_public_tests: bool = True
    ) -> None:
        """
        Args:
            model: in evaluation mode, adapters merged.
            tokenizer: with a chat template.
            batching: see `Batching`.
            show_public_tests: see `prompts.chat`.

        Raises:
            MucodeError: the model mixes attention with a window, which the cache does not do.
        """
        kinds = set(getattr(model.config, "layer_types", None) or ["full_attention"])
        if kinds != {"full_attention"}:
            raise MucodeError(
                f"only models with full attention are supported, not {sorted(kinds)}: choose another model"
            )
        use_aligned_attention(model)
        self._model, self._tokenizer = model, tokenizer
        self._batching = batching or Batching()
        self._show_public_tests = show_public_tests
        self._ends = end_of_turn(model, tokenizer)
        self._ticks = tokens_with(tokenizer, "`")

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        """y_t for every state, in order.

        A reply ends with the end-of-turn token (not part of it, but counted), with the line that closes its first code
        block, or after `sampling.max_new_tokens`.

        Raises:
            MucodeError: a prompt and its reply do not fit the model's context.
        """
        prompts = [prompt_tokens(self._tokenizer, chat(state, self._show_public_tests)) for state in states]
        self._check_context(states, prompts, sampling.max_new_tokens)
        rows = [_Row(index, _uniforms(seed, sampling)) for index, seed in enumerate(seeds)]
        with (
            torch.inference_mode(),
            tqdm(total=len(states), desc="generate", unit="reply", delay=2, mininterval=1) as bar,
        ):
            self._decode(rows, self._work(prompts, rows, sampling), sampling, bar)
        return [self._completion(state, prompt, row) for state, prompt, row in zip(states, prompts, rows, strict=True)]

    def _check_context(self, states: Sequence[State], prompts: list[list[int]], new: int) -> None:
        limit = self._model.config.max_position_embeddings
        for state, prompt in zip(states, prompts, strict=True):
            if len(prompt) + new > limit:
                raise MucodeError(
                    f"{state.problem.id} at turn {state.turn}: {len(prompt)} prompt and {new} new tokens exceed the "
                    f"model's context of {limit}: lower max_new_tokens or turns"
                )

    def _work(self, prompts: list[list[int]], rows: list[_Row], sampling: Sampling) -> deque[_Prompt]:
        """Equal prompts together, longest first: none is then longer than the columns that the cache has filled."""
        shared: dict[tuple[int, ...], list[_Row]] = {}
        for prompt, row in zip(prompts, rows, strict=True):
            shared.setdefault(tuple(prompt), []).append(row)
        ordered = sorted(shared.items(), key=lambda item: (-len(item[0]), item[1][0].index))
        most = self._capacity(len(ordered[0][0]) if ordered else 0, sampling)
        return deque(
            _Prompt(list(tokens), samples[at : at + most])
            for tokens, samples in ordered
            for at in range(0, len(samples), most)
        )

    def _capacity(self, longest: int, sampling: Sampling) -> int:
        return max(1, min(self._batching.rows, self._batching.cache_tokens // (longest + sampling.max_new_tokens)))

    def _decode(self, rows: list[_Row], waiting: deque[_Prompt], sampling: Sampling, bar: Any) -> None:
        """Fill in every row's tokens."""
        if not waiting:
            return
        longest = len(waiting[0].tokens)
        cache = AlignedCache(self._capacity(longest, sampling), longest, self._model.dtype, self._model.device)
        prefix = self._prefix([prompt.tokens for prompt in waiting])
        live: list[_Row] = []
        while waiting or live:
            unfinished = [number for number, row in enumerate(live) if not row.done]
            if self._worth_a_change(cache.capacity, len(live), len(unfinished), waiting):
                live = [live[number] for number in cache.keep(unfinished)]
                while group := _fitting(waiting, cache.capacity - len(live)):
                    live += self._prefill(cache, prefix, group, sampling)
            else:
                self._step(cache, live, sampling)
            bar.update(sum(row.done for row in rows) - bar.n)

    def _worth_a_change(self, capacity: int, rows: int, unfinished: int, waiting: deque[_Prompt]) -> bool:
        """Whether enough rows are done to drop them, or enough room is free for the next prompt."""
        share, free = self._batching.refill_share, capacity - unfinished
        if unfinished == 0 or rows - unfinished >= max(1, share * rows):
            return True
        return bool(waiting) and free >= max(len(waiting[0].rows), share * capacity)

    def _prefix(self, prompts: list[list[int]]) -> DynamicCache:
        """The tokens with which all prompts begin (the instruction, the example), read once."""
        first, last = min(prompts), max(prompts)  # in dictionary order: what these two share, all share
        shared = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), 0)
        cache = DynamicCache()
        if shared:
            places = torch.arange(shared)[None]
            self._logits(torch.tensor([first[:shared]]), places >= 0, places, cache)
        return cache

    def _prefill(
        self, cache: AlignedCache, prefix: DynamicCache, group: list[_Prompt], sampling: Sampling
    ) -> list[_Row]:
        """Read the prompts, each once, draw the first token of every sample, and admit the samples to the cache."""
        shared = prefix.get_seq_length()
        rests = [prompt.tokens[shared:] for prompt in group]
        width = max(map(len, rests))
        ids = torch.tensor([[0] * (width - len(rest)) + rest for rest in rests])
        # [prompts, width], negative in the padding, which stands between the shared beginning and the rest
        places = torch.arange(width) - (width - torch.tensor([[len(rest)] for rest in rests]))
        mask = torch.cat([torch.ones(len(group), shared, dtype=torch.bool), places >= 0], dim=1)
        prefilled = DynamicCache()
        for index, layer in enumerate(prefix.layers):
            copies = (len(group), -1, -1, -1)
            prefilled.update(layer.keys.expand(copies), layer.values.expand(copies), index)
        logits = self._logits(ids, mask, places.clamp(min=0) + shared, prefilled)
        for source, prompt in enumerate(group):
            cache.admit(prefilled, source, shared, len(rests[source]), len(prompt.rows))
        sources = [source for source, prompt in enumerate(group) for _ in prompt.rows]
        rows = [row for prompt in group for row in prompt.rows]
        self._record(rows, logits[sources], sampling)
        return rows

    def _step(self, cache: AlignedCache, rows: list[_Row], sampling: Sampling) -> None:
        """One more token for every row; what a finished row gets is thrown away."""
        positions = cache.open_column()
        ids = torch.tensor([[row.tokens[-1]] for row in rows])
        logits = self._logits(ids, cache.mask[: len(rows)], positions, cache)
        cache.close_column()
        self._record(rows, logits, sampling)

    def _logits(self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Any) -> torch.Tensor:
        """The model's prediction after the last column, [rows, vocabulary]."""
        device = self._model.device
        outputs = self._model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=positions.to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = outputs.logits[:, -1]
        return logits

    def _record(self, rows: list[_Row], logits: torch.Tensor, sampling: Sampling) -> None:
        numbers = [0.0 if row.done else row.uniforms[len(row.tokens)] for row in rows]
        uniforms = torch.tensor(numbers, dtype=torch.float64, device=logits.device)
        for row, token in zip(rows, draw(logits, uniforms, sampling).tolist(), strict=True):
            if not row.done:
                row.tokens.append(token)
                row.done = self._ends_with(row.tokens) or len(row.tokens) == sampling.max_new_tokens

    def _ends_with(self, tokens: list[int]) -> bool:
        """Whether the last token ends the reply: the end of the turn, or the line that closes a code block."""
        if tokens[-1] in self._ends:
            return True
        return tokens[-1] in self._ticks and closes_fence(self._text(tokens))

    def _text(self, tokens: list[int]) -> str:
        own = [token for token in tokens if token not in self._ends]
        text: str = self._tokenizer.decode(own, skip_special_tokens=True)
        return text

    def _completion(self, state: State, prompt: list[int], row: _Row) -> Completion:
        reply = self._text(row.tokens)
        return Completion(reply, program_in(reply, state.problem.stub), len(prompt), len(row.tokens))


def to_best_device(model: Any) -> Any:
    return model.to("cuda") if torch.cuda.is_available() else model


def _uniforms(seed: int, sampling: Sampling) -> list[float]:
    """The random numbers of one sample, one a token: a function of its seed alone."""
    if sampling.temperature == 0.0:
        return [0.0] * sampling.max_new_tokens
    source = torch.Generator().manual_seed(seed)
    numbers: list[float] = torch.rand(sampling.max_new_tokens, generator=source, dtype=torch.float64).tolist()
    return numbers


def _fitting(waiting: deque[_Prompt], room: int) -> list[_Prompt]:
    """Take the next prompts whose samples fit into `room` rows, as many as one forward pass should read."""
    group: list[_Prompt] = []
    while waiting and len(waiting[0].rows) <= room:
        width = len(group[0].tokens) if group else len(waiting[0].tokens)
        if group and (len(group) + 1) * width > _PREFILL_TOKENS:
            break
        room -= len(waiting[0].rows)
        group.append(waiting.popleft())
    return group

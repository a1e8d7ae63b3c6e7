"""Our decode loop over a model of transformers, for work that comes in while it runs.

transformers' `generate` has one seed for a whole batch and computes finished rows to the end. Here a finished
conversation leaves its row to a waiting one; each sample has random numbers of its own; and what has been read before
is not read again: equal prompts, the tokens with which several prompts begin, a conversation's earlier turns.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from tqdm import tqdm

from mucode.generator.cache import RowCache
from mucode.generator.incremental import Reply
from mucode.generator.prefixes import Prefixes, Tokens, common_beginning
from mucode.generator.sampling import draw, log_probabilities
from mucode.generator.stopping import StopRule
from mucode.programs import program_in
from mucode.schedule import Clock
from mucode.types import Completion, Sampling, State

_PREFILL_TOKENS = 2048  # padded prompt tokens in one forward pass
_WORTH_A_PASS = 16  # shared tokens, not read before, that are read in a pass of their own


@dataclass(frozen=True, slots=True)
class Batching:
    """How much is decoded at once. Changing it changes float bits, hence samples near a tie."""

    rows: int = 128
    cache_tokens: int = 65_536  # rows times columns held at most: 1.5 GB for SmolLM2-135M in bfloat16
    refill_share: float = 0.125  # of the rows: so many have to be done to be dropped, or free to be filled
    kept_tokens: int = 32_768  # of finished conversations, in case they go on: half as much again


@dataclass(slots=True)
class _Row:
    """One sample being decoded."""

    ticket: int
    state: State
    prompt: Tokens
    sampling: Sampling
    uniforms: list[float]  # one random number a token
    tokens: list[int] = field(default_factory=list)
    chance: float = 0.0  # ln p of the tokens so far, if asked for
    done: bool = False

    @property
    def needed(self) -> int:
        """Columns that it may come to fill."""
        return len(self.prompt) + self.sampling.max_new_tokens


@dataclass(slots=True)
class Work:
    """What was computed, in tokens and forward passes."""

    steps: int = 0
    drawn: int = 0
    read: int = 0  # prompt tokens
    spared: int = 0  # prompt tokens that had been read before


class Decoding:
    """A `schedule.Session` of a model in this process: it works while `wait` is called.

    What it does follows from the order of the calls of `submit` and `wait` alone, as long as `wait` has no timeout.
    """

    def __init__(
        self,
        model: Any,
        rule: StopRule,
        batching: Batching,
        prompt: Callable[[State, Sampling], list[int]],
        log_probabilities: bool = False,
    ) -> None:
        self.clock, self.work = Clock(), Work()
        self._model, self._rule, self._batching, self._prompt = model, rule, batching, prompt
        self._log_probabilities = log_probabilities
        self._cache = RowCache(model.config.num_hidden_layers, model.device)
        self._kept = Prefixes(batching.kept_tokens)
        self._waiting: deque[_Row] = deque()
        self._live: list[_Row] = []
        self._bar: Any = tqdm(total=0, desc="generate", unit="reply", delay=2, mininterval=1)

    def __enter__(self) -> Decoding:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def submit(self, ticket: int, state: State, seed: int, sampling: Sampling) -> None:
        """Ask for y_t.

        Raises:
            MucodeError: the prompt and its reply do not fit the model's context.
        """
        prompt = tuple(self._prompt(state, sampling))
        self._waiting.append(_Row(ticket, state, prompt, sampling, _uniforms(seed, sampling)))
        self._bar.total += 1

    def wait(self, timeout: float | None = None) -> list[tuple[int, Reply]]:
        """Decode until a reply has ended, or `timeout` seconds have passed, or all have ended; one step at least."""
        ends = None if timeout is None else time.monotonic() + timeout
        ended: list[_Row] = []
        with torch.inference_mode():
            while not ended and (self._waiting or self._live):
                ended = self._advance()
                if ends is not None and time.monotonic() >= ends:
                    break
        self._bar.update(len(ended))
        return [(row.ticket, Reply(self._completion(row))) for row in ended]

    def _advance(self) -> list[_Row]:
        """One forward pass, or the few that read new prompts; the rows that are done with it."""
        started = time.monotonic()
        unfinished = [number for number, row in enumerate(self._live) if not row.done]
        count = self._admissible(unfinished)
        if count or len(self._live) - len(unfinished) >= max(1, self._batching.refill_share * len(self._live)):
            self._live = [self._live[number] for number in self._cache.keep(unfinished)]
        ended: list[_Row] = []
        if count:
            ended = self._admit([self._waiting.popleft() for _ in range(count)])
        elif self._live:
            ended = self._step()
        self.clock.add(started, time.monotonic())
        return ended

    def _admissible(self, unfinished: list[int]) -> int:
        """How many of the waiting to take now: none, unless there are enough of them to be worth the pause."""
        rows, longest = len(unfinished), max((self._live[number].needed for number in unfinished), default=0)
        for row in self._waiting:
            longest = max(longest, row.needed)
            if rows and (rows == self._batching.rows or (rows + 1) * longest > self._batching.cache_tokens):
                break
            rows += 1
        count = rows - len(unfinished)
        if count < self._batching.refill_share * len(unfinished):
            return 0
        return count

    def _admit(self, rows: list[_Row]) -> list[_Row]:
        """Read the prompts, each once, and draw the first token of every sample."""
        self._cache.make_room(len(self._live) + len(rows))
        samples: dict[Tokens, list[_Row]] = {}
        for row in rows:
            samples.setdefault(row.prompt, []).append(row)
        self._read_beginning(list(samples))
        ended = []
        for group in self._passes(list(samples)):
            ended += self._prefill([samples[prompt] for prompt in group])
        return ended

    def _read_beginning(self, prompts: list[Tokens]) -> None:
        """Read the tokens with which all prompts begin once, rather than with each."""
        common = common_beginning(prompts)
        news = len(common) - self._kept.shared(common)
        if len(prompts) > 1 and news >= _WORTH_A_PASS and len(common) <= self._kept.limit:
            self._read([common])
            last = len(self._live)
            self._kept.keep(common, self._cache.take(last))
            self._cache.keep(range(last))

    def _passes(self, prompts: list[Tokens]) -> Iterator[list[Tokens]]:
        """Groups of prompts with about as much to read, each for one forward pass."""
        left = {prompt: len(prompt) - self._kept.shared(prompt[:-1]) for prompt in prompts}
        group: list[Tokens] = []
        for prompt in sorted(prompts, key=lambda prompt: -left[prompt]):
            if group and (len(group) + 1) * left[group[0]] > _PREFILL_TOKENS:
                yield group
                group = []
            group.append(prompt)
        yield group

    def _prefill(self, samples: list[list[_Row]]) -> list[_Row]:
        """Read one prompt for each list of its samples, which become live."""
        first = len(self._live)
        logits = self._read([rows[0].prompt for rows in samples])
        for number, rows in enumerate(samples):
            self._cache.repeat(first + number, len(rows) - 1)
        more = [(number, row) for number, rows in enumerate(samples) for row in rows[1:]]
        added = [rows[0] for rows in samples] + [row for _, row in more]
        sources = [*range(len(samples)), *(number for number, _ in more)]
        self._live += added
        return self._record(added, logits[sources], first)

    def _read(self, prompts: list[Tokens]) -> torch.Tensor:
        """Add a row for each prompt; returns the logits after its last token [prompts, vocabulary]."""
        first, rests = len(self._live), []
        for prompt in prompts:
            known = self._kept.longest(prompt[:-1])
            self._cache.put(known)
            rests.append(prompt[known[0].shape[2] if known else 0 :])
        self.work.read += sum(map(len, rests))
        self.work.spared += sum(map(len, prompts)) - sum(map(len, rests))
        width = max(map(len, rests))
        ids = [[0] * (width - len(rest)) + list(rest) for rest in rests]
        return self._logits(ids, first, [len(rest) for rest in rests])

    def _step(self) -> list[_Row]:
        """One more token for every row; what a finished row gets is thrown away."""
        self.work.steps += 1
        logits = self._logits([[row.tokens[-1]] for row in self._live], 0, [1] * len(self._live))
        return self._record(self._live, logits, 0)

    def _logits(self, ids: list[list[int]], first: int, counts: list[int]) -> torch.Tensor:
        """The model's prediction after the last column, [rows, vocabulary], for the rows from `first` on."""
        device = self._model.device
        mask, positions = self._cache.open(first, counts)
        if len(ids[0]) == 1 and first == 0:
            mask = torch.zeros(mask.shape, dtype=self._model.dtype, device=device).masked_fill_(~mask, -torch.inf)
        outputs = self._model(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        done = [row.done for row in self._live[first:]] or [False] * len(counts)
        self._cache.close([0 if over else count for over, count in zip(done, counts, strict=True)])
        logits: torch.Tensor = outputs.logits[:, -1]
        return logits

    def _record(self, rows: list[_Row], logits: torch.Tensor, first: int) -> list[_Row]:
        """Give every row that is not done its next token; `first` is the place of rows[0]. Returns those done with it."""
        tokens = _drawn(rows, logits)
        chances = log_probabilities(logits, tokens) if self._log_probabilities else [0.0] * len(rows)
        ended = []
        for place, (row, token, chance) in enumerate(zip(rows, tokens, chances, strict=True), start=first):
            if row.done:
                continue
            self.work.drawn += 1
            row.tokens.append(token)
            row.chance += chance
            row.done = self._rule.ended(row.tokens) or len(row.tokens) == row.sampling.max_new_tokens
            if row.done:
                ended.append(row)
                self._kept.keep((*row.prompt, *row.tokens[:-1]), self._cache.take(place))
        return ended

    def _completion(self, row: _Row) -> Completion:
        reply = self._rule.text(row.tokens)
        chance = row.chance if self._log_probabilities else None
        return Completion(reply, program_in(reply, row.state.problem.stub), len(row.prompt), len(row.tokens), chance)


def _drawn(rows: list[_Row], logits: torch.Tensor) -> list[int]:
    """The next token of every row."""
    numbers = [0.0 if row.done else row.uniforms[len(row.tokens)] for row in rows]
    uniforms = torch.tensor(numbers, dtype=torch.float64, device=logits.device)
    tokens = torch.zeros(len(rows), dtype=torch.int64, device=logits.device)
    for sampling in dict.fromkeys(row.sampling for row in rows):
        some = [number for number, row in enumerate(rows) if row.sampling == sampling]
        whole = len(some) == len(rows)
        tokens[some] = draw(logits, uniforms, sampling) if whole else draw(logits[some], uniforms[some], sampling)
    drawn: list[int] = tokens.tolist()
    return drawn


def _uniforms(seed: int, sampling: Sampling) -> list[float]:
    """The random numbers of one sample, one a token: a function of its seed alone."""
    if sampling.temperature == 0.0:
        return [0.0] * sampling.max_new_tokens
    source = torch.Generator().manual_seed(seed)
    numbers: list[float] = torch.rand(sampling.max_new_tokens, generator=source, dtype=torch.float64).tolist()
    return numbers

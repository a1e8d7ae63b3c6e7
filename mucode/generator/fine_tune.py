"""Step 6 of Algorithm 1: fine-tune the generator on D*, from the base weights, by the likelihood of y* given s_t."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mucode.generator.tokens import answer_tokens, prompt_tokens
from mucode.prompts import chat, reply_for
from mucode.records import write_json
from mucode.seeds import seed_for
from mucode.training.answers import AnswerLoss, Collate, answer_example, can_share
from mucode.training.order import GroupedOrder
from mucode.training.run import Rates, run_training, trainable
from mucode.training.settings import TrainingSettings
from mucode.training.sharding import gather, is_first, shard
from mucode.training.weights import (
    CARD,
    add_language,
    base_digest,
    folder_written_whole,
    hold_frozen_in_bfloat16,
    load_causal_model,
    load_tokenizer,
    prepare,
    save_weights,
)
from mucode.types import Demonstration, History, MucodeError, Problem, State

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FineTuneMetrics:
    """How a fine-tuning went; all on training data."""

    losses: tuple[float, ...]  # of each epoch, the mean over its optimizer steps; per target token, weighted
    final_loss: float
    demonstrations: int
    shortened: int  # demonstrations whose state was too long and lost its oldest part
    tokens: int  # of one epoch, each demonstration's counted by itself, without padding
    target_tokens: int  # of them, those that the loss looks at
    shares_prefixes: bool  # whether a forward pass computes once what its demonstrations begin with alike


@dataclass(frozen=True, slots=True)
class Encoded:
    """A demonstration as token ids: what inference feeds, and what it should then generate."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]  # the program's reply and the end-of-turn token
    shortened: bool


def encode(
    tokenizer: Any, demonstration: Demonstration, problem: Problem, max_tokens: int, show_public_tests: bool
) -> Encoded:
    """Tokenize (s_t, y*) with the tokenizer's chat template.

    Too long for `max_tokens`: the oldest turns go first, then the prompt's front (a BOS stays); the answer stays whole.

    Raises:
        MucodeError: the answer alone is too long, or the chat template closes an answer with no special token.
    """
    state = State(problem, demonstration.history)
    answer = answer_tokens(tokenizer, chat(state, show_public_tests), reply_for(demonstration.program))
    room = max_tokens - len(answer)
    if room < 1:
        raise MucodeError(f"{problem.id}: the target program has {len(answer)} tokens: raise max_tokens ({max_tokens})")
    prompt = _prompt(tokenizer, state, show_public_tests)
    shortened = len(prompt) > room
    while len(prompt) > room and state.history:
        state = replace(state, history=state.history[1:])
        prompt = _prompt(tokenizer, state, show_public_tests)
    if len(prompt) > room:
        start = prompt[:1] if prompt[0] == tokenizer.bos_token_id and room > 1 else []
        prompt = start + prompt[len(prompt) - room + len(start) :]
    return Encoded(tuple(prompt), tuple(answer), shortened)


def _prompt(tokenizer: Any, state: State, show_public_tests: bool) -> list[int]:
    return prompt_tokens(tokenizer, chat(state, show_public_tests))


def conversations(demonstrations: Sequence[Demonstration]) -> list[list[int]]:
    """Indices of the states that lie on one rollout, shortest first; a state of several goes with the first longest."""
    at_state: dict[tuple[str, History], list[int]] = {}
    for index, each in enumerate(demonstrations):
        at_state.setdefault((each.problem_id, each.history), []).append(index)
    found = []
    for name, history in sorted(at_state, key=lambda state: -len(state[1])):
        beginnings = [(name, history[:turns]) for turns in range(len(history) + 1)]
        if members := [index for state in beginnings for index in at_state.get(state, ())]:
            found.append(members)
        for state in beginnings:
            at_state.pop(state, None)
    return found


def fine_tune(
    demonstrations: Sequence[Demonstration],
    problems: Sequence[Problem],
    base: Path,
    settings: TrainingSettings,
    seed: int,
    out: Path,
    show_public_tests: bool,
) -> FineTuneMetrics:
    """Fine-tune pi on D* and save it to the folder `out`, whole or not at all; equal inputs give equal bytes.

    A demonstration of weight w counts as w copies of it would in the sum of an epoch's gradients (not in the number of
    steps, of which copies would give more): the loss of a batch is the sum of weight * -log p over its target tokens, over
    its size and the mean weighted answer length of all of D*. The states of one rollout come in one forward pass where
    they fit, in which their common beginning is computed once.

    Args:
        demonstrations: D*, (x, s_t, y*) with weights.
        problems: at least those of the demonstrations.
        base: folder of the base model, from whose weights every fine-tuning starts.
        seed: of adapters and order.
        out: what `load_trained_causal` reads (adapter in peft's format, or a whole model folder).
        show_public_tests: whether prompts show them, as in the rollouts.

    Raises:
        MucodeError: no demonstrations, one of an unknown problem or too long, or a diverging loss.
    """
    if not demonstrations:
        raise MucodeError("there is nothing to fine-tune on: take more rollouts or easier problems")
    encoded = _encode_all(demonstrations, problems, load_tokenizer(base), settings.max_tokens, show_public_tests)
    if shortened := sum(e.shortened for e in encoded):
        _log.warning(
            "%d of %d demonstrations are longer than fine_tune.max_tokens (%d): trained without the oldest of their state, "
            "of which inference leaves nothing out",
            shortened,
            len(encoded),
            settings.max_tokens,
        )
    weights = [demonstration.weight for demonstration in demonstrations]
    scale = sum(w * len(e.answer) for w, e in zip(weights, encoded, strict=True)) / len(encoded)
    examples = [answer_example(e.prompt, e.answer, weight / scale) for e, weight in zip(encoded, weights, strict=True)]
    torch.manual_seed(seed_for(seed, "fine_tune", "adapters"))
    causal = load_causal_model(base, "float32")
    objective, collate = AnswerLoss(causal, settings.dtype == "bfloat16"), Collate(can_share(causal))
    model = prepare(causal, settings)  # adapters go into the layers that the objective holds
    if settings.dtype == "bfloat16":
        hold_frozen_in_bfloat16(model)
    shard(objective, settings.dtype == "bfloat16")
    rates = (Rates(trainable(model), settings.learning_rate),)
    order = GroupedOrder(conversations(demonstrations), settings.batch_size // settings.accumulation, seed)
    losses = run_training(objective, examples, collate, rates, settings, seed, "fine-tune generator", order)
    gather(objective)
    metrics = FineTuneMetrics(
        losses=losses,
        final_loss=losses[-1],
        demonstrations=len(demonstrations),
        shortened=shortened,
        tokens=sum(len(e.prompt) + len(e.answer) for e in encoded),
        target_tokens=sum(len(e.answer) for e in encoded),
        shares_prefixes=collate.shared,
    )
    if not is_first():
        return metrics
    with folder_written_whole(out) as folder:
        _save(model, folder, base, settings)
        write_json(folder / "training.json", dataclasses.asdict(metrics))
    return metrics


def _encode_all(
    demonstrations: Sequence[Demonstration],
    problems: Sequence[Problem],
    tokenizer: Any,
    max_tokens: int,
    show_public_tests: bool,
) -> list[Encoded]:
    known = {problem.id: problem for problem in problems}
    missing = [d.problem_id for d in demonstrations if d.problem_id not in known]
    if missing:
        raise MucodeError(f"demonstrations of {missing[0]} have no problem: give the problems they were rolled out on")
    return [encode(tokenizer, d, known[d.problem_id], max_tokens, show_public_tests) for d in demonstrations]


def _save(model: Any, folder: Path, base: Path, settings: TrainingSettings) -> None:
    save_weights(model, folder)
    write_json(
        folder / CARD,
        {"base_sha256": base_digest(base), "lora": settings.lora_rank > 0, "training_dtype": settings.dtype},
    )
    if settings.lora_rank == 0:  # a whole model folder, which any engine loads by itself
        add_language(base, folder)

"""Step 3 of Algorithm 1: train the verifier on all of D, from the base weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mucode.records import write_json
from mucode.seeds import seed_for
from mucode.training.answers import can_share
from mucode.training.order import GroupedOrder
from mucode.training.run import Example, Rates, run_training, trainable
from mucode.training.settings import TrainingSettings
from mucode.training.sharding import gather, is_first, joined, shard
from mucode.training.tree import lay_out
from mucode.training.weights import (
    base_digest,
    folder_written_whole,
    hold_frozen_in_bfloat16,
    load_causal_model,
    load_tokenizer,
    prepare,
)
from mucode.types import Candidate, MucodeError, Problem
from mucode.verifier.losses import LOSSES, Loss
from mucode.verifier.model import RewardModel, new_head, save_verifier
from mucode.verifier.text import Reader


@dataclass(frozen=True, slots=True)
class VerifierSettings:
    """The numbers of the verifier's training and scoring."""

    training: TrainingSettings
    loss: str  # a key of LOSSES
    head_learning_rate: float
    score_penalty: float  # coefficient of mean(R²)
    pairs_per_problem: int  # Bradley-Terry only
    score_batch_size: int  # programs per forward pass when scoring
    score_dtype: Literal["float32", "bfloat16"]  # bfloat16: up to twice as fast where the processor has it, noisier
    show_public_tests: bool  # whether the problem's prompt shows them


@dataclass(frozen=True, slots=True)
class VerifierMetrics:
    """How a training went; all on training data."""

    losses: tuple[float, ...]  # of each epoch, the mean over its optimizer steps
    final_loss: float
    accuracy: float  # share of the last epoch's examples judged rightly (order, or side of zero), in passing
    examples: int  # pairs (Bradley-Terry) or programs (BCE)
    problems: int  # that the examples come from
    positives: int  # distinct correct programs in D
    negatives: int
    tokens: int  # of one epoch, each program's counted with its problem, without padding
    shares_prefixes: bool  # whether a forward pass reads a problem once for all its programs


class Objective(nn.Module):
    """Token rows -> the loss of their scores; remembers which examples were judged rightly."""

    def __init__(self, model: RewardModel, loss: Loss, settings: VerifierSettings) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.penalty = settings.score_penalty
        self.low_precision = settings.training.dtype == "bfloat16"
        self.right: list[Tensor] = []  # one tensor of booleans per forward pass

    def forward(self, rewards: Tensor, share: float = 1.0, **rows: Tensor) -> dict[str, Tensor]:
        with torch.autocast(rewards.device.type, torch.bfloat16, enabled=self.low_precision):
            scores = self.model(**rows)
        right = self.loss.right(scores.detach(), rewards).cpu()
        self.right.append(right if share else right[:0])
        return {"loss": self.loss.value(scores, rewards, self.penalty) * share}


def train_verifier(
    candidates: Sequence[Candidate],
    problems: Sequence[Problem],
    base: Path,
    settings: VerifierSettings,
    seed: int,
    out: Path,
) -> VerifierMetrics:
    """Train R_phi and save it to the folder `out`, whole or not at all; equal inputs give equal bytes.

    The examples of one problem come in one forward pass where they fit, in which the problem, and a program that occurs in
    several pairs, is read once.

    Args:
        candidates: D: every turn's program of every rollout, with its oracle reward; repetitions count once.
        problems: at least those the candidates belong to.
        base: folder of the base model.
        seed: of pairs, head, adapters and order.
        out: what `load_verifier` reads.

    Raises:
        MucodeError: no pair to learn from, a candidate of an unknown problem, or a diverging loss.
    """
    loss = LOSSES[settings.loss]
    groups = loss.examples(candidates, settings.pairs_per_problem, seed)
    training = settings.training
    reader = Reader(load_tokenizer(base), training.max_tokens, settings.show_public_tests)
    examples = [_example(group, {problem.id: problem for problem in problems}, reader) for group in groups]
    torch.manual_seed(seed_for(seed, "verifier", "adapters"))
    causal = load_causal_model(base, "float32")
    collate = Collate(can_share(causal))
    transformer = prepare(causal.get_decoder(), training)
    if training.dtype == "bfloat16":
        hold_frozen_in_bfloat16(transformer)
    head = new_head(transformer.config.hidden_size, seed_for(seed, "verifier", "head"))
    model = RewardModel(transformer, head)
    objective = Objective(model, loss, settings)
    shard(objective, objective.low_precision)
    rates = (
        Rates(trainable(transformer), training.learning_rate),
        Rates(trainable(head), settings.head_learning_rate),
    )
    order = GroupedOrder(_by_problem(groups), training.batch_size // training.accumulation, seed)
    losses = run_training(objective, examples, collate, rates, training, seed, "train verifier", order)
    gather(objective)
    metrics = _metrics(losses, objective.right, groups, examples, candidates, collate.shared)
    if not is_first():
        return metrics
    with folder_written_whole(out) as folder:
        save_verifier(model, folder, _card(settings, base))
        write_json(folder / "training.json", dataclasses.asdict(metrics))
    return metrics


def _example(group: tuple[Candidate, ...], problems: Mapping[str, Problem], reader: Reader) -> Example:
    """The token rows of one example."""
    missing = [candidate.problem_id for candidate in group if candidate.problem_id not in problems]
    if missing:
        raise MucodeError(f"candidates of {missing[0]} have no problem: give the problems they were rolled out on")
    rows = [reader.tokens(problems[candidate.problem_id], candidate.program) for candidate in group]
    return {
        "rows": rows,
        "rewards": [candidate.reward for candidate in group],
    }


def _by_problem(groups: Sequence[tuple[Candidate, ...]]) -> list[list[int]]:
    """Indices of the examples of each problem."""
    found: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        found.setdefault(group[0].problem_id, []).append(index)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Collate:
    """Examples -> what the objective takes."""

    shared: bool  # see `lay_out`

    def __call__(self, examples: list[Example]) -> dict[str, Tensor]:
        taken, paths = lay_out([row for example in examples for row in example["rows"]], self.shared)
        rewards = torch.tensor([reward for example in examples for reward in example["rewards"]])
        return taken | {"places": torch.stack([path[-1] for path in paths]), "rewards": rewards}


def _card(settings: VerifierSettings, base: Path) -> dict[str, Any]:
    return {
        "base_sha256": base_digest(base),
        "dtype": settings.score_dtype,
        "loss": settings.loss,
        "max_tokens": settings.training.max_tokens,
        "score_batch_size": settings.score_batch_size,
        "show_public_tests": settings.show_public_tests,
        "training_dtype": settings.training.dtype,
    }


def _metrics(
    losses: tuple[float, ...],
    right: Sequence[Tensor],
    groups: Sequence[tuple[Candidate, ...]],
    examples: Sequence[Example],
    candidates: Sequence[Candidate],
    shares_prefixes: bool,
) -> VerifierMetrics:
    last_epoch = joined(torch.cat(list(right[-(len(right) // len(losses)) :])))
    distinct = {(candidate.problem_id, candidate.program, candidate.reward) for candidate in candidates}
    positives = sum(reward == 1.0 for _, _, reward in distinct)
    return VerifierMetrics(
        losses=losses,
        final_loss=losses[-1],
        accuracy=last_epoch.float().mean().item(),
        examples=len(groups),
        problems=len({group[0].problem_id for group in groups}),
        positives=positives,
        negatives=len(distinct) - positives,
        tokens=sum(len(row) for example in examples for row in example["rows"]),
        shares_prefixes=shares_prefixes,
    )

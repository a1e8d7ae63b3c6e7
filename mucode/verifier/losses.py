"""The verifier's losses: which candidates make an example, and what is minimised over their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from mucode.types import Candidate
from mucode.verifier.pairs import both_kinds, preference_pairs


@dataclass(frozen=True, slots=True)
class Loss:
    """One way to learn R_phi."""

    # (D, pairs per problem, seed) -> examples; an example's candidates are scored side by side
    examples: Callable[[Sequence[Candidate], int, int], list[tuple[Candidate, ...]]]
    # (scores [n], rewards [n] in {0, 1}, penalty) -> mean over the examples, a scalar
    value: Callable[[Tensor, Tensor, float], Tensor]
    # (scores [n], rewards [n]) -> which examples are judged rightly, booleans
    right: Callable[[Tensor, Tensor], Tensor]


def bradley_terry(scores: Tensor, rewards: Tensor, penalty: float) -> Tensor:
    """-log sigmoid(R(x, y+) - R(x, y-)) + penalty * mean(R²); scores alternate y+, y-.

    The penalty is the reference code's: without it the scores' level is free.
    """
    chosen, rejected = scores.view(-1, 2).unbind(1)
    return -logsigmoid(chosen - rejected).mean() + penalty * scores.square().mean()


def bce(scores: Tensor, rewards: Tensor, penalty: float) -> Tensor:
    """-[r log sigmoid(R) + (1 - r) log(1 - sigmoid(R))] + penalty * mean(R²)."""
    return binary_cross_entropy_with_logits(scores, rewards) + penalty * scores.square().mean()


def _pairs(candidates: Sequence[Candidate], per_problem: int, seed: int) -> list[tuple[Candidate, ...]]:
    return [
        (Candidate(pair.problem_id, pair.chosen, 1.0), Candidate(pair.problem_id, pair.rejected, 0.0))
        for pair in preference_pairs(candidates, per_problem, seed)
    ]


def _singles(candidates: Sequence[Candidate], per_problem: int, seed: int) -> list[tuple[Candidate, ...]]:
    return [(candidate,) for candidate in both_kinds(candidates)]


def _ranked(scores: Tensor, rewards: Tensor) -> Tensor:
    chosen, rejected = scores.view(-1, 2).unbind(1)
    return chosen > rejected


def _sided(scores: Tensor, rewards: Tensor) -> Tensor:
    return (scores > 0) == (rewards > 0.5)


LOSSES: dict[str, Loss] = {
    "bradley_terry": Loss(examples=_pairs, value=bradley_terry, right=_ranked),
    "bce": Loss(examples=_singles, value=bce, right=_sided),
}

"""The local-search expert: lines 4 and 5 of Algorithm 1."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterable, Mapping, Sequence

from mucode.records import Experience
from mucode.rollout import histories
from mucode.seeds import seed_for
from mucode.types import Candidate, Demonstration, History


def candidates_by_problem(experiences: Iterable[Experience]) -> dict[str, list[Candidate]]:
    """D(x): every program seen for x, at any turn, in any iteration, once each, sorted by text."""
    seen: dict[str, dict[str, Candidate]] = {}
    for row in experiences:
        if row.program is not None:
            seen.setdefault(row.problem_id, {})[row.program] = Candidate(row.problem_id, row.program, row.reward)
    return {
        problem_id: [candidates[program] for program in sorted(candidates)]
        for problem_id, candidates in sorted(seen.items())
    }


def best_candidate(
    candidates: Sequence[Candidate], scores: Sequence[float], *, beta_oracle: float, beta_learned: float
) -> Candidate:
    """y*(x) = argmax beta_O * R(x, y) + beta_L * sigmoid(score) (equation of section 3.2; the squashing is ours).

    The squashed score lies in [0, 1], so with beta_O > beta_L no wrong program outranks a correct one, whatever the
    verifier says. Ties fall to the raw score, then to the first in order.

    Raises:
        ValueError: no candidates.
    """

    def value(index: int) -> tuple[float, float]:
        return beta_oracle * candidates[index].reward + beta_learned * _sigmoid(scores[index]), scores[index]

    return candidates[max(range(len(candidates)), key=value)]


def relabel(
    experiences: Sequence[Experience],
    scores: Mapping[tuple[str, str], float],
    *,
    beta_oracle: float,
    beta_learned: float,
    require_correct: bool,
    keep_correct: bool,
) -> list[Demonstration]:
    """D* = {(x, s_t, y*(x))}: every state of D, old ones too, with its problem's best known program.

    Args:
        experiences: D, rows of all iterations.
        scores: R_phi of each (problem id, program) of D.
        require_correct: leave out the problems whose y* is wrong.
        keep_correct: a state whose own program was correct is shown with that program as well.

    Returns:
        Equal (state, program) pairs once, with their number as weight; sorted by problem and first appearance.
    """
    best = {
        problem_id: best_candidate(
            candidates,
            [scores[problem_id, candidate.program] for candidate in candidates],
            beta_oracle=beta_oracle,
            beta_learned=beta_learned,
        )
        for problem_id, candidates in candidates_by_problem(experiences).items()
    }
    weights: dict[tuple[str, History, str], float] = {}
    for row, history in zip(experiences, histories(experiences), strict=True):
        target = best.get(row.problem_id)
        if target is None or (require_correct and target.reward < 1.0):
            continue
        _count(weights, (row.problem_id, history, target.program))
        if keep_correct and row.reward == 1.0 and row.program is not None and row.program != target.program:
            _count(weights, (row.problem_id, history, row.program))
    demonstrations = [Demonstration(*pair, weight=weight) for pair, weight in weights.items()]
    return sorted(demonstrations, key=lambda demonstration: demonstration.problem_id)


def limited(demonstrations: Sequence[Demonstration], per_problem: int, seed: int) -> list[Demonstration]:
    """At most `per_problem` states of each problem (0: all), drawn by seed; a problem keeps its total weight.

    A budget for machines on which D* is too much: the problems stay balanced as D* has them.
    """
    if per_problem == 0:
        return list(demonstrations)
    grouped: dict[str, list[Demonstration]] = {}
    for demonstration in demonstrations:
        grouped.setdefault(demonstration.problem_id, []).append(demonstration)
    return [
        kept for name, group in grouped.items() for kept in _drawn(group, per_problem, seed_for(seed, "limit", name))
    ]


def _drawn(group: Sequence[Demonstration], count: int, seed: int) -> list[Demonstration]:
    kept = sorted(random.Random(seed).sample(range(len(group)), min(count, len(group))))
    scale = sum(each.weight for each in group) / sum(group[index].weight for index in kept)
    return [dataclasses.replace(group[index], weight=group[index].weight * scale) for index in kept]


def _count(weights: dict[tuple[str, History, str], float], pair: tuple[str, History, str]) -> None:
    weights[pair] = weights.get(pair, 0.0) + 1.0


def _sigmoid(score: float) -> float:
    if score >= 0:
        return 1.0 / (1.0 + math.exp(-score))
    return math.exp(score) / (1.0 + math.exp(score))

"""Platt scaling and calibration error: whether a probability means what it says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from mucode.metrics.intervals import Floats
from mucode.metrics.ranking import Scored


@dataclass(frozen=True, slots=True)
class Platt:
    """P(correct) = sigmoid(slope * score + intercept) (Platt 1999)."""

    slope: float
    intercept: float

    def probabilities(self, scores: Sequence[float]) -> list[float]:
        return [_sigmoid(self.slope * score + self.intercept) for score in scores]


@dataclass(frozen=True, slots=True)
class Bin:
    """The programs whose predicted probability lies in one tenth of [0, 1]."""

    probability: float  # mean predicted
    correct: float  # share that is correct
    n: int


def fit_platt(scored: Sequence[Scored]) -> Platt | None:
    """Platt scaling by Newton's method, on held-out programs with finite scores; None if there are none.

    Platt's smoothed targets, (positives + 1) / (positives + 2) and 1 / (negatives + 2), keep the optimum finite
    when the classes are separable or one is missing.
    """
    if not scored:
        return None
    scores, labels = np.array([row.score for row in scored]), np.array([row.correct for row in scored], dtype=float)
    if not np.isfinite(scores).all():
        raise ValueError("a score is infinite: leave out the replies without a program")
    centre, spread = scores.mean(), scores.std() or 1.0
    targets = np.where(labels == 1, (labels.sum() + 1) / (labels.sum() + 2), 1 / ((1 - labels).sum() + 2))
    features = np.column_stack([(scores - centre) / spread, np.ones(len(scores))])
    slope, intercept = _logistic(features, targets)
    return Platt(slope / spread, intercept - slope * centre / spread)


def held_out_probabilities(scored: Sequence[Scored], folds: int = 5) -> list[float]:
    """P(correct) of each program by Platt scaling fitted on the other folds; a problem lies in one fold with all its own.

    For a verifier that has no further held-out problems to be scaled on. Scores are finite.

    Returns:
        In the order of `scored`; nothing if there are fewer than two problems.
    """
    problems = sorted({row.problem_id for row in scored})
    fold = {problem: place % folds for place, problem in enumerate(problems)}
    if len(problems) < 2:
        return []
    scales = [fit_platt([row for row in scored if fold[row.problem_id] != place]) for place in range(folds)]
    return [
        platt.probabilities([row.score])[0] for row in scored if (platt := scales[fold[row.problem_id]]) is not None
    ]


def sigmoids(scores: Sequence[float]) -> list[float]:
    """What a verifier trained with cross-entropy itself claims: P(correct) = sigmoid(score)."""
    return [_sigmoid(score) for score in scores]


def _logistic(features: Floats, targets: Floats) -> tuple[float, float]:
    """Minimise the cross-entropy of sigmoid(features @ w) by Newton steps, halved until the loss does not rise."""
    weights = np.zeros(2)
    ridge = 1e-9 * np.eye(2)  # equal scores make the slope free: it stays 0
    for _ in range(100):
        p = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (p - targets)
        step = np.linalg.solve(features.T @ (features * (p * (1 - p))[:, np.newaxis]) + ridge, gradient)
        loss = _cross_entropy(features @ weights, targets)
        while _cross_entropy(features @ (weights - step), targets) > loss + 1e-12 and np.abs(step).max() > 1e-12:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            break
    return float(weights[0]), float(weights[1])


def _cross_entropy(logits: Floats, targets: Floats) -> float:
    return float((np.logaddexp(0, logits) - targets * logits).sum())


def _sigmoid(value: float) -> float:
    """1 / (1 + e^-value), without overflow."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def reliability(probabilities: Sequence[float], correct: Sequence[bool], bins: int = 10) -> tuple[Bin, ...]:
    """Programs grouped by predicted probability into `bins` intervals of equal width; empty ones are left out."""
    groups: dict[int, list[tuple[float, bool]]] = {}
    for probability, right in zip(probabilities, correct, strict=True):
        groups.setdefault(min(int(probability * bins), bins - 1), []).append((probability, right))
    return tuple(
        Bin(fmean([p for p, _ in group]), fmean([float(right) for _, right in group]), len(group))
        for _, group in sorted(groups.items())
    )


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """Expected calibration error: the mean over programs of |predicted - observed| of their bin; None without any."""
    total = sum(group.n for group in bins)
    return sum(group.n * abs(group.probability - group.correct) for group in bins) / total if total else None

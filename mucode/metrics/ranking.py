"""ROC curves: how well a score tells correct from wrong programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mucode.metrics.intervals import Bootstrap, Estimate, Floats, estimate
from mucode.records import SearchSample


@dataclass(frozen=True, slots=True)
class Scored:
    """A program's verifier score and whether the oracle finds it correct."""

    problem_id: str
    score: float
    correct: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """An ROC curve: points from (0, 0) to (1, 1), both coordinates never falling."""

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


def distinct(samples: Iterable[SearchSample]) -> list[Scored]:
    """Each (problem, program) of the samples once; replies without a program are left out, no verifier reads them."""
    seen = {(row.problem_id, row.program): row for row in samples if row.program is not None}
    return [Scored(row.problem_id, row.score, row.reward == 1.0) for _, row in sorted(seen.items())]


def auc(scored: Sequence[Scored]) -> float | None:
    """The probability that a correct program scores above a wrong one, ties half; None if a class is missing."""
    won, pairs = _wins(scored)
    return won / pairs if pairs else None


def auc_within(scored: Sequence[Scored], bootstrap: Bootstrap) -> Estimate | None:
    """ROC AUC within problems: the mean, over the problems that have both classes (n), of each problem's AUC."""
    areas = {group[0].problem_id: auc(group) for group in _by_problem(scored)}
    return estimate({problem: (area,) for problem, area in areas.items() if area is not None}, bootstrap)


def pair_accuracy(scored: Sequence[Scored]) -> float | None:
    """The share of all correct/wrong pairs of the same problem that are ranked rightly, ties counted half."""
    counts = [_wins(group) for group in _by_problem(scored)]
    pairs = sum(pairs for _, pairs in counts)
    return sum(won for won, _ in counts) / pairs if pairs else None


def roc(scored: Sequence[Scored]) -> Curve | None:
    """The ROC curve over all programs together; equal scores make one slanted step, so that its area is `auc`."""
    labels = np.array([row.correct for row in scored], dtype=bool)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return None
    _, level = np.unique(-_scores(scored), return_inverse=True)  # level 0: the highest score
    right = np.bincount(level, weights=labels).cumsum() / positives
    wrong = np.bincount(level, weights=~labels).cumsum() / negatives
    return Curve((0.0, *wrong.tolist()), (0.0, *right.tolist()))


def roc_within(scored: Sequence[Scored]) -> Curve | None:
    """The vertical average of the ROC curves of the problems that have both classes; its area is `auc_within`."""
    curves = [curve for group in _by_problem(scored) if (curve := roc(group)) is not None]
    if not curves:
        return None
    grid = sorted({x for curve in curves for x in curve.false_positive_rate})
    below = np.mean([[_height(curve, x, upper=False) for x in grid] for curve in curves], axis=0)
    above = np.mean([[_height(curve, x, upper=True) for x in grid] for curve in curves], axis=0)
    xs = [x for x in grid for _ in range(2)]
    return Curve(tuple(xs), tuple(np.column_stack([below, above]).ravel().tolist()))


def _height(curve: Curve, x: float, *, upper: bool) -> float:
    """The true positive rate at x: the bottom or the top of a vertical step, between points the straight line."""
    xs, ys = curve.false_positive_rate, curve.true_positive_rate
    inside = [y for other, y in zip(xs, ys, strict=True) if other == x]
    if inside:
        return inside[-1] if upper else inside[0]
    return float(np.interp(x, xs, ys))


def _scores(scored: Sequence[Scored]) -> Floats:
    scores = np.array([row.score for row in scored], dtype=float)
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    return scores


def _wins(scored: Sequence[Scored]) -> tuple[float, int]:
    """Correct/wrong pairs ranked rightly (ties half), and all such pairs (Mann and Whitney's U)."""
    scores, labels = _scores(scored), np.array([row.correct for row in scored], dtype=bool)
    right, wrong = scores[labels], np.sort(scores[~labels])
    below, not_above = np.searchsorted(wrong, right, "left"), np.searchsorted(wrong, right, "right")
    return float((below + not_above).sum()) / 2, len(right) * len(wrong)


def _by_problem(scored: Sequence[Scored]) -> list[list[Scored]]:
    groups: dict[str, list[Scored]] = {}
    for row in scored:
        groups.setdefault(row.problem_id, []).append(row)
    return [groups[problem] for problem in sorted(groups)]

"""ROC curves: how well a score tells correct from wrong programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mucode.metrics.intervals import Bootstrap, Estimate, Floats, Integers, estimate, percentiles, without_spread
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


def auc_pooled(scored: Sequence[Scored], bootstrap: Bootstrap) -> Estimate | None:
    """`auc` over the programs of all problems together, with an interval that resamples the problems (n)."""
    won, pairs = _between(scored)
    times = _draws(len(won), bootstrap)
    return _share(won, pairs, ((times @ won) * times).sum(axis=1), ((times @ pairs) * times).sum(axis=1), bootstrap)


def pair_accuracy(scored: Sequence[Scored], bootstrap: Bootstrap) -> Estimate | None:
    """The share of all correct/wrong pairs of the same problem that are ranked rightly, ties counted half.

    n: the problems that have pairs; the interval resamples them, each with all its pairs.
    """
    counts = [found for group in _by_problem(scored) if (found := _wins(group))[1]]
    won, pairs = np.array([float(won) for won, _ in counts]), np.array([float(pairs) for _, pairs in counts])
    times = _draws(len(counts), bootstrap)
    return _share(won, pairs, times @ won, times @ pairs, bootstrap)


def pair_count(scored: Sequence[Scored]) -> int:
    """How many correct/wrong pairs of the same problem there are."""
    return sum(_wins(group)[1] for group in _by_problem(scored))


def _draws(n: int, bootstrap: Bootstrap) -> Integers:
    """How often each of n problems is drawn in each resample [resamples, n]."""
    if not n:
        return np.zeros((bootstrap.resamples, 0), dtype=np.int64)
    rng = np.random.default_rng(bootstrap.seed)
    return rng.multinomial(n, np.full(n, 1 / n), size=bootstrap.resamples)


def _share(won: Floats, pairs: Floats, won_drawn: Floats, pairs_drawn: Floats, bootstrap: Bootstrap) -> Estimate | None:
    """Pairs won over all pairs, with its interval from the same two numbers of each resample."""
    if not pairs.sum():
        return None
    value, n = float(won.sum() / pairs.sum()), len(won)
    if np.allclose(won, value * pairs, rtol=0, atol=1e-12):
        return without_spread(value, n, bootstrap)
    some = pairs_drawn > 0
    return percentiles(value, won_drawn[some] / pairs_drawn[some], n, bootstrap)


def _between(scored: Sequence[Scored]) -> tuple[Floats, Floats]:
    """Pairs won and all pairs between the correct programs of one problem (row) and the wrong ones of another."""
    groups = _by_problem(scored)
    labels = [np.array([row.correct for row in group], dtype=bool) for group in groups]
    scores = [_scores(group) for group in groups]
    wrong = np.concatenate([s[~label] for s, label in zip(scores, labels, strict=True)]) if groups else np.zeros(0)
    owner = np.repeat(np.arange(len(groups)), [int((~label).sum()) for label in labels])
    won, pairs = np.zeros((len(groups), len(groups))), np.zeros((len(groups), len(groups)))
    for place, (own, label) in enumerate(zip(scores, labels, strict=True)):
        right = own[label][:, np.newaxis]
        wins = (right > wrong).sum(axis=0) + (right == wrong).sum(axis=0) / 2
        won[place] = np.bincount(owner, weights=wins, minlength=len(groups))
        pairs[place] = len(right) * np.bincount(owner, minlength=len(groups))
    return won, pairs


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

"""Means over problems with bootstrap intervals, and paired comparisons: how sure a number is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Outcomes = Mapping[str, Sequence[float]]
"""Problem id -> one value of each independent search of that problem (all seeds of a method, one after another)."""

_BATCH = 2_000_000  # values that one step of the bootstrap holds at once


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over problems with its confidence interval."""

    value: float
    low: float
    high: float
    n: int  # problems


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are made: percentiles over resamples of the problems, each with all its searches.

    A problem's mean holds the chance of its searches already: drawing searches again within a drawn problem would count
    that twice (Davison and Hinkley 1997, section 3.8, on hierarchical data).
    """

    confidence: float  # 0.95
    resamples: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two methods on the same problems."""

    difference: Estimate  # second minus first
    better: int  # problems on which the second has the higher mean over its searches
    worse: int
    p_value: float  # exact sign test over problems, two-sided


def estimate(outcomes: Outcomes, bootstrap: Bootstrap) -> Estimate | None:
    """Mean over problems of the mean over searches, with a percentile bootstrap interval; values lie in [0, 1].

    Problems are resampled, each with all its searches. Equal calls give equal numbers. Where all problems agree,
    resampling would give an interval of width zero; it is then the exact binomial one of n equal trials (Clopper and
    Pearson 1934): 0 of 40 is [0, 0.088].

    Returns:
        None if there is no problem.
    """
    return _estimate([(1.0, outcomes)], bootstrap, lower=0.0)


def pooled(outcomes: Outcomes, bootstrap: Bootstrap, lower: float = 0.0) -> Estimate | None:
    """Mean over all values of all problems: a problem counts by how many it has. Those with any (n) are resampled.

    For values that a problem has more of the harder it is, such as those of its failures, whose mean over problems would
    prefer the problems that fail seldom. Values lie in [lower, 1].

    Returns:
        None if there is no value.
    """
    groups = [values for values in outcomes.values() if len(values)]  # a resample of empty ones alone has no mean
    if not groups:
        return None
    counts = np.array([len(values) for values in groups], dtype=np.float64)
    sums = np.array([sum(values) for values in groups])
    value = float(sums.sum() / counts.sum())
    if np.ptp(sums / counts) < 1e-12:
        return without_spread(value, len(groups), bootstrap, lower)
    times = np.random.default_rng(bootstrap.seed).multinomial(
        len(counts), np.full(len(counts), 1 / len(counts)), size=bootstrap.resamples
    )
    return percentiles(value, (times @ sums) / (times @ counts), len(counts), bootstrap)


def compare(
    before: Outcomes, after: Outcomes, bootstrap: Bootstrap, bound: float = 1.0, lower: float | None = None
) -> Comparison | None:
    """The paired difference after - before over the same problems; it lies in [-bound, bound], or in [lower, bound].

    The interval resamples the problems, each with the searches of both methods: a problem counts by its mean over them.
    The p-value is the exact sign test over problems (with one search each McNemar's, 1947): how improbable so uneven a
    split of the problems that changed would be if change were as likely for better as for worse.

    Returns:
        None if there is no problem.

    Raises:
        ValueError: the two were not measured on the same problems.
    """
    if set(before) != set(after):
        raise ValueError(f"not the same problems: {sorted(set(before) ^ set(after))[:3]}")
    difference = _estimate(
        [(-1.0, before), (1.0, after)], bootstrap, lower=-bound if lower is None else lower, upper=bound
    )
    if difference is None:
        return None
    changes = [fmean(after[problem]) - fmean(before[problem]) for problem in before]
    better = sum(change > 1e-12 for change in changes)
    worse = sum(change < -1e-12 for change in changes)
    return Comparison(difference, better, worse, mcnemar(better, worse))


def mcnemar(better: int, worse: int) -> float:
    """The two-sided exact p-value of `better` against `worse` changed problems; 1.0 if none changed."""
    changed = better + worse
    tail = sum(math.comb(changed, i) for i in range(min(better, worse) + 1))
    return min(1.0, float(2 * tail / 2**changed))


def sign_flip(before: Outcomes, after: Outcomes) -> float:
    """The two-sided exact p-value of the paired permutation test (Fisher 1935) of after - before over problems.

    How improbable a sum of differences so far from zero would be if each problem's had either sign alike: unlike the sign
    test it counts by how much a problem changed. Values are means of a few searches' rewards, so that few sums differ and
    all 2^n signs can be counted.
    """
    changes = [fmean(after[problem]) - fmean(before[problem]) for problem in before]
    chances = {0.0: 1.0}  # of each sum
    for change in filter(None, changes):
        following: dict[float, float] = {}
        for total, chance in chances.items():
            for signed in (total - change, total + change):
                place = round(signed, 9)
                following[place] = following.get(place, 0.0) + chance / 2
        chances = following
    observed = abs(sum(changes)) - 1e-6
    return min(1.0, sum(chance for total, chance in chances.items() if abs(total) >= observed))


def _estimate(
    terms: Sequence[tuple[float, Outcomes]], bootstrap: Bootstrap, lower: float, upper: float = 1.0
) -> Estimate | None:
    """A signed sum of means over the same problems; each problem's sum lies in [lower, upper]."""
    problems = sorted(terms[0][1])
    if not problems:
        return None
    per_problem = np.array([sum(sign * fmean(outcomes[problem]) for sign, outcomes in terms) for problem in problems])
    value = float(per_problem.mean())
    if np.ptp(per_problem) < 1e-12:
        return without_spread(value, len(problems), bootstrap, lower, upper)
    return percentiles(value, _resampled(per_problem, bootstrap), len(problems), bootstrap)


def without_spread(value: float, n: int, bootstrap: Bootstrap, lower: float = 0.0, upper: float = 1.0) -> Estimate:
    """The interval of n equal values, which resampling cannot widen: the exact binomial one, scaled to [lower, upper]."""
    unseen = 1 - ((1 - bootstrap.confidence) / 2) ** (1 / n)
    return Estimate(value, value - unseen * (value - lower), value + unseen * (upper - value), n)


def percentiles(value: float, resampled: Floats, n: int, bootstrap: Bootstrap) -> Estimate:
    """A statistic of n problems with its percentile interval over resamples [resamples]."""
    tail = 50 * (1 - bootstrap.confidence)
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return Estimate(value, min(float(low), value), max(float(high), value), n)


def _resampled(per_problem: Floats, bootstrap: Bootstrap) -> Floats:
    """The mean of each resample [resamples] of the problems' values [problems]."""
    rng = np.random.default_rng(bootstrap.seed)
    problems = len(per_problem)
    batch = max(1, _BATCH // problems)
    sizes = [min(batch, bootstrap.resamples - start) for start in range(0, bootstrap.resamples, batch)]
    return np.concatenate([per_problem[rng.integers(problems, size=(size, problems))].mean(axis=1) for size in sizes])

"""A scripted verifier of known AUC, and what best-of-N it must then give."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from benchmarks.theory.world import Program, Slip
from mucode.seeds import seed_for
from mucode.types import Answer, Problem

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
_SURE = 50.0  # the separation that stands for an AUC of 1


def separation(auc: float) -> float:
    """How far apart two unit normals lie whose AUC this is: sqrt(2) times its normal quantile."""
    return min(_SURE, math.sqrt(2) * _NORMAL.inv_cdf(auc)) if auc < 1 else _SURE


class NoisyVerifier:
    """score = separation * R(x, y) + a standard normal of its own for each (x, y): equal pairs score alike."""

    def __init__(self, answers: Mapping[str, Answer], auc: float, seed: int) -> None:
        self._right = {name: Program.read(answer.reference).approach for name, answer in answers.items()}
        self._separation, self._seed = separation(auc), seed

    def score(self, problems: Sequence[Problem], programs: Sequence[str]) -> list[float]:
        return [self._score(problem.id, text) for problem, text in zip(problems, programs, strict=True)]

    def _score(self, problem_id: str, text: str) -> float:
        program = Program.read(text)
        correct = program.slip is Slip.NONE and program.approach == self._right[problem_id]
        uniform = (seed_for(self._seed, "score", problem_id, text) + 0.5) / 2**63
        return self._separation * correct + _NORMAL.inv_cdf(min(max(uniform, 1e-12), 1 - 1e-12))


def best_of_n(correct: float, n: int, auc: float) -> float:
    """The probability that the best-scored of n independent programs is correct, each being so with this probability.

    The integral over the winner's score s of n p f1(s) (p F1(s) + (1 - p) F0(s))^(n-1), f1 and F1 being the normal
    around `separation(auc)` of correct programs and F0 that of wrong ones.
    """
    scores, density, upper, lower = _normals(auc)
    values = n * correct * density * (correct * upper + (1 - correct) * lower) ** (n - 1)
    return float(np.trapezoid(values, scores))


@functools.cache
def _normals(auc: float) -> tuple[Floats, Floats, Floats, Floats]:
    """A grid of scores, and there f1, F1 and F0."""
    apart = separation(auc)
    scores = np.linspace(-9.0, apart + 9.0, 4001)
    upper, lower = (np.array([_NORMAL.cdf(s) for s in shifted]) for shifted in (scores - apart, scores))
    return scores, np.exp(-((scores - apart) ** 2) / 2) / math.sqrt(2 * math.pi), upper, lower

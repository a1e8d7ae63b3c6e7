"""The one comparison that was fixed before any result, and what it can detect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from mucode.metrics import Comparison, Estimate, Outcomes
from mucode.study.cells import Cell, Spec, bootstrap_of, difference, find, value
from mucode.study.collected import Collected

OURS, RIVAL = Spec("mucode"), Spec("multi_star")  # MBPP test, pt+lv, N = 5, T = 3
PIECE, SEEDS = "main", (0, 1)  # seeds added later do not replace these
SEARCHES = 4  # of every problem, at least
DISCORDANT = 0.15  # the share of problems on which the two were expected to differ
POWER, LEVEL = 0.8, 0.05


@dataclass(frozen=True, slots=True)
class Primary:
    """What came out; where a method has not been run yet, nothing did."""

    ours: Cell
    rival: Cell
    accuracies: tuple[Estimate, Estimate]  # ours, rival
    comparison: Comparison  # ours minus rival

    @property
    def searches(self) -> int:
        return min(self.ours.searches, self.rival.searches)

    @property
    def decided(self) -> bool:
        """Whether it may be read: with other seeds or fewer searches than fixed beforehand it may not."""
        each = SEARCHES // len(SEEDS)
        cells = [Cell({seed: cell.by_seed.get(seed, {})}) for cell in (self.ours, self.rival) for seed in SEEDS]
        return all(cell.searches >= each for cell in cells)

    @property
    def by_seed(self) -> dict[int, float]:
        """Ours minus the rival's accuracy, training by training."""
        shared = [seed for seed in self.ours.seeds if seed in self.rival.seeds]
        return {seed: _mean(self.ours.by_seed[seed]) - _mean(self.rival.by_seed[seed]) for seed in shared}

    @property
    def error(self) -> float:
        """The standard error of the difference, over problems."""
        return standard_error(self.rival.outcomes(), self.ours.outcomes())


def primary(pieces: Sequence[Collected]) -> Primary | None:
    """None: one of the two methods has not been run."""
    own = [piece for piece in pieces if piece.name == PIECE]
    ours, rival = (_fixed(find(own, spec)) for spec in (OURS, RIVAL))
    if ours is None or rival is None:
        return None
    bootstrap = bootstrap_of(pieces)
    accuracies = value(ours, bootstrap), value(rival, bootstrap)
    compared = difference(rival, ours, bootstrap)
    if accuracies[0] is None or accuracies[1] is None or compared is None:
        return None
    return Primary(ours, rival, (accuracies[0], accuracies[1]), compared)


def _fixed(cell: Cell | None) -> Cell | None:
    """The searches of the seeds that were fixed beforehand."""
    kept = {seed: found for seed, found in cell.by_seed.items() if seed in SEEDS} if cell else {}
    return Cell(kept) if kept else None


def _mean(outcomes: Outcomes) -> float:
    return fmean(fmean(values) for values in outcomes.values())


def planned_error(problems: int, discordant: float = DISCORDANT) -> float:
    """The standard error of a paired difference of shares if so many problems differ, each by one whole answer."""
    return math.sqrt(discordant / problems)


def detectable(error: float) -> float:
    """The true difference that a two-sided test at LEVEL finds with a chance of POWER."""
    normal = NormalDist()
    return (normal.inv_cdf(1 - LEVEL / 2) + normal.inv_cdf(POWER)) * error


def standard_error(before: Outcomes, after: Outcomes) -> float:
    """Of the mean over problems of after - before; each problem counts by its mean over the searches."""
    changes = [fmean(after[problem]) - fmean(before[problem]) for problem in sorted(before.keys() & after.keys())]
    return stdev(changes) / math.sqrt(len(changes)) if len(changes) > 1 else math.inf

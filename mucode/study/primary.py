"""The one comparison that was fixed before any result, and what it can detect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from mucode.metrics import Bootstrap, Comparison, Estimate, Outcomes, sign_flip
from mucode.study.cells import Cell, Spec, alike, bootstrap_of, difference, find, value
from mucode.study.collected import Collected

OURS, RIVAL = Spec("mucode"), Spec("multi_star")  # MBPP test, pt+lv, N = 5, T = 3
PIECE, SEEDS = "main", (0, 1)  # seeds added later do not replace these
EACH = 2  # searches of every problem under each seed: the first ones, if there are more
SEARCHES = EACH * len(SEEDS)
DISCORDANT = 0.15  # the share of problems on which the two were expected to differ
POWER, LEVEL = 0.8, 0.05


@dataclass(frozen=True, slots=True)
class Primary:
    """What came out; all of it of the same searches."""

    ours: Cell
    rival: Cell
    accuracies: tuple[Estimate, Estimate]  # ours, rival
    comparison: Comparison  # ours minus rival
    bootstrap: Bootstrap

    @property
    def by_seed(self) -> dict[int, Estimate]:
        """Ours minus the rival's accuracy, training by training."""
        found = {seed: difference(_of(self.rival, seed), _of(self.ours, seed), self.bootstrap) for seed in SEEDS}
        return {seed: each.difference for seed, each in found.items() if each is not None}

    @property
    def moved(self) -> tuple[int, int]:
        """Searches won on the problems that are better, and lost on those that are worse."""
        ours, rival = self.ours.outcomes(), self.rival.outcomes()
        changes = [round(sum(ours[problem]) - sum(rival[problem])) for problem in ours]
        return sum(change for change in changes if change > 0), -sum(change for change in changes if change < 0)

    @property
    def by_size(self) -> float:
        """The p-value that counts by how much each problem changed."""
        return sign_flip(self.rival.outcomes(), self.ours.outcomes())

    @property
    def error(self) -> float:
        """The standard error of the difference, over problems."""
        return standard_error(self.rival.outcomes(), self.ours.outcomes())


def primary(pieces: Sequence[Collected]) -> Primary | None:
    """None: not all the searches that were fixed beforehand are there, so nothing of it is read yet."""
    cells = [find(_own(pieces), spec) for spec in (OURS, RIVAL)]
    if any(count < EACH for counts in there(pieces).values() for count in counts.values()):
        return None
    ours, rival = alike([_first(cell) for cell in cells if cell is not None])
    bootstrap = bootstrap_of(pieces)
    accuracies = value(ours, bootstrap), value(rival, bootstrap)
    compared = difference(rival, ours, bootstrap)
    if accuracies[0] is None or accuracies[1] is None or compared is None:
        return None
    return Primary(ours, rival, (accuracies[0], accuracies[1]), compared, bootstrap)


def there(pieces: Sequence[Collected]) -> dict[str, dict[int, int]]:
    """By method and seed: how many searches of every problem there are so far."""
    found = {spec.method: find(_own(pieces), spec) for spec in (OURS, RIVAL)}
    return {method: {seed: _searches(cell, seed) for seed in SEEDS} for method, cell in found.items()}


def _own(pieces: Sequence[Collected]) -> list[Collected]:
    return [piece for piece in pieces if piece.name == PIECE]


def _of(cell: Cell, seed: int) -> Cell:
    return Cell({seed: cell.by_seed[seed]})


def _searches(cell: Cell | None, seed: int) -> int:
    return 0 if cell is None or seed not in cell.by_seed else _of(cell, seed).searches


def _first(cell: Cell) -> Cell:
    """The searches that were fixed beforehand, whatever has been added since."""
    return Cell({seed: {name: own[:EACH] for name, own in cell.by_seed[seed].items()} for seed in SEEDS})


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

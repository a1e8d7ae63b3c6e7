"""Looking up accuracies in the collected pieces: a policy of a method on a test set, all its searches of all its seeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mucode.metrics import Bootstrap, Comparison, Estimate, Outcomes, compare, estimate
from mucode.report.results import Measure, joined, outcomes
from mucode.report.sources import Material
from mucode.study.collected import Collected

MBPP, HUMANEVAL = "mbpp/test", "humaneval/test"
BLIND, RANDOM_FEEDBACK = "mbpp/test/no-public-tests", "mbpp/test/random-feedback"
HEADLINE = "pt+lv"


@dataclass(frozen=True, slots=True)
class Spec:
    """What is asked for."""

    method: str
    benchmark: str = MBPP
    selector: str = HEADLINE
    n: int = 5
    turns: int = 3
    loss: str = "bradley_terry"
    verifier: str = "once"  # or each; of a method that trains nothing always once


@dataclass(frozen=True, slots=True)
class Cell:
    """The searches found, seed by seed."""

    by_seed: dict[int, Outcomes]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted(self.by_seed))

    def outcomes(self, seeds: Collection[int] | None = None) -> Outcomes:
        """The searches of these seeds (None: of all), problem by problem."""
        return joined(self.by_seed[seed] for seed in self.seeds if seeds is None or seed in seeds)

    @property
    def searches(self) -> int:
        """Of the problem that has fewest, all seeds together."""
        return min((len(values) for values in self.outcomes().values()), default=0)


def verifier_of(material: Material, method: str) -> str:
    """How often a method's verifier was trained; one that trains nothing has the first."""
    return material.config.study.verifier if material.config.methods[method].trains else "once"


def find(pieces: Sequence[Collected], spec: Spec) -> Cell | None:
    """Each seed's searches under `spec`, of the piece that has most; the study's order decides between equals. None: none
    has run."""
    by_seed: dict[int, Outcomes] = {}
    for piece in pieces:
        for seed, found in _by_seed(piece.material, spec).items():
            if seed not in by_seed or _searches(found) > _searches(by_seed[seed]):
                by_seed[seed] = found
    return Cell(by_seed) if by_seed else None


def alike(cells: Sequence[Cell]) -> list[Cell]:
    """The same seeds, problems and number of searches of each, so that no cell rests on more work than another.

    Where one has more searches of a problem under a seed than another, its first ones count.
    """
    seeds = sorted(set.intersection(*(set(cell.by_seed) for cell in cells)))
    return [Cell({seed: _shared(cell, cells, seed) for seed in seeds}) for cell in cells]


def _shared(cell: Cell, cells: Sequence[Cell], seed: int) -> Outcomes:
    found = [each.by_seed[seed] for each in cells]
    problems = set.intersection(*(set(outcomes) for outcomes in found))
    return {
        name: own[: min(len(one[name]) for one in found)]
        for name, own in cell.by_seed[seed].items()
        if name in problems
    }


def value(cell: Cell, bootstrap: Bootstrap, seeds: Collection[int] | None = None) -> Estimate | None:
    return estimate(cell.outcomes(seeds), bootstrap)


def difference(before: Cell, after: Cell, bootstrap: Bootstrap, lower: float | None = None) -> Comparison | None:
    """`after` minus `before`, paired on what both have alike. None: nothing.

    Alike, because a mean of more searches lies elsewhere more often, which the sign test would take for a difference.
    """
    first, second = alike([before, after])
    return compare(first.outcomes(), second.outcomes(), bootstrap, lower=lower)


def bootstrap_of(pieces: Sequence[Collected]) -> Bootstrap:
    section = pieces[0].material.config.report
    return Bootstrap(section.confidence, section.resamples)


def _by_seed(material: Material, spec: Spec) -> dict[int, Outcomes]:
    if spec.method not in material.methods or material.config.verifier.loss != spec.loss:
        return {}
    if verifier_of(material, spec.method) != spec.verifier:
        return {}
    turns = material.turns(spec.method)
    measure = Measure("bon", spec.selector, spec.n, spec.turns)
    found = {seed: outcomes(tests.of(spec.benchmark), measure, turns) for seed, tests in material.tests(spec.method)}
    return {seed: values for seed, values in found.items() if values}


def _searches(found: Outcomes) -> int:
    return min(map(len, found.values()))

"""Looking up accuracies in the collected pieces: a policy of a method on a test set, all its searches of all its seeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mucode.metrics import Bootstrap, Comparison, Estimate, Outcomes, compare, estimate
from mucode.report.results import Measure, joined, outcomes
from mucode.report.sources import Material
from mucode.search import GREEDY
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
    """The piece with the most searches under `spec`; the study's order decides between equals. None: not run."""
    cells = [cell for piece in pieces if (cell := _cell(piece.material, spec)) is not None]
    return max(cells, key=lambda cell: cell.searches, default=None)


def value(cell: Cell, bootstrap: Bootstrap, seeds: Collection[int] | None = None) -> Estimate | None:
    return estimate(cell.outcomes(seeds), bootstrap)


def difference(before: Cell, after: Cell, bootstrap: Bootstrap) -> Comparison | None:
    """`after` minus `before`, paired on the problems and the seeds that both have. None: they have none.

    Where one has more searches of a problem under a seed than the other, its first ones count: a mean of more searches
    lies elsewhere more often, which the exact McNemar test would take for a difference.
    """
    shared = sorted(set(before.seeds) & set(after.seeds))
    pairs = [_alike(before.by_seed[seed], after.by_seed[seed]) for seed in shared]
    return compare(joined(one for one, _ in pairs), joined(other for _, other in pairs), bootstrap)


def _alike(one: Outcomes, other: Outcomes) -> tuple[Outcomes, Outcomes]:
    """The problems that both have, as many searches of each."""
    counts = {name: min(len(one[name]), len(other[name])) for name in one.keys() & other.keys()}
    first, second = ({name: own[name][:k] for name, k in counts.items()} for own in (one, other))
    return first, second


def bootstrap_of(pieces: Sequence[Collected]) -> Bootstrap:
    section = pieces[0].material.config.report
    return Bootstrap(section.confidence, section.resamples)


def _cell(material: Material, spec: Spec) -> Cell | None:
    config = material.config
    if spec.method not in material.methods or config.verifier.loss != spec.loss:
        return None
    if verifier_of(material, spec.method) != spec.verifier:
        return None
    turns = material.turns(spec.method)
    measure = Measure("bon", spec.selector, spec.n, spec.turns)
    found = {seed: outcomes(tests.of(spec.benchmark), measure, turns) for seed, tests in material.tests(spec.method)}
    kept = {seed: values for seed, values in found.items() if values}
    if spec.selector == GREEDY and not config.methods[spec.method].trains:
        kept = {seed: kept[seed] for seed in sorted(kept)[:1]}  # of the base model every seed's is the same search
    return Cell(kept) if kept else None

"""Paired differences: of each method to before training, and of the methods to each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from mucode.metrics import Comparison, compare
from mucode.report.blocks import Block, Figure, Figures, Heading, Section, Table, colour
from mucode.report.charts import Dot, dots
from mucode.report.results import Measure, Row, bootstrap, by_seed, measures, of_method, short
from mucode.report.sources import BEFORE, Material
from mucode.report.words import MINUS, interval, percent, probability, set_title, signed_points

OURS, RIVAL = "mucode", "multi_star"  # the comparison that the paper is about
HEAD = ("methods", "answers by", "difference", "interval", "n", "better : worse", "p")


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of differences.json: a method, all its seeds together, against another on the same problems."""

    method: str
    against: str  # "instruct": before training
    benchmark: str
    selector: str | None
    n: int
    turns: int
    metric: str
    difference: float
    ci_low: float
    ci_high: float
    better: int
    worse: int
    p_value: float
    problems: int
    by_seed: tuple[float, ...]  # the difference under each seed: how much trainings differ


@dataclass(frozen=True, slots=True)
class Compared:
    """One trained method minus another, under one measure."""

    method: str
    against: str
    measure: Measure
    change: Comparison

    @property
    def name(self) -> str:
        return f"{self.method} {MINUS} {self.against}"


def compared_methods(material: Material) -> list[tuple[str, str]]:
    """Every two trained methods, mucode before its rivals; mucode against multi_star comes first."""
    found = [(one, other) if one == OURS else (other, one) for one, other in combinations(material.trained, 2)]
    return sorted(found, key=lambda pair: (pair != (OURS, RIVAL), pair[0] != OURS))


def comparisons(material: Material, benchmark: str, chosen: Iterable[Measure]) -> list[Compared]:
    """Paired differences of all trained methods on one test set, pair by pair."""
    wanted = list(chosen)
    found = []
    for method, against in compared_methods(material):
        for measure in wanted:
            one, other = (of_method(material, name, benchmark, measure) for name in (method, against))
            if change := compare(other, one, bootstrap(material)):
                found.append(Compared(method, against, measure, change))
    return found


def main_comparisons(material: Material, benchmark: str) -> list[Compared]:
    """What a reader looks for first: few measures, and only the pairs with mucode where it is one of the methods."""
    found = comparisons(material, benchmark, short(material, benchmark))
    return [one for one in found if one.method == OURS] or found


def differences(material: Material, benchmark: str, rows: Sequence[Row]) -> list[Difference]:
    """To before training, as in the table's rows; then between the methods, under every measure of the table."""
    before = [Compared(row.method, BEFORE, row.measure, row.change) for row in rows if row.change]
    between = comparisons(material, benchmark, measures(material, benchmark))
    return [_difference(material, benchmark, one) for one in (*before, *between)]


def _difference(material: Material, benchmark: str, found: Compared) -> Difference:
    measure, change = found.measure, found.change
    after, before = (by_seed(material, name, benchmark, measure) for name in (found.method, found.against))
    return Difference(
        method=found.method,
        against=found.against,
        benchmark=benchmark,
        selector=measure.selector,
        n=measure.n,
        turns=measure.turns,
        metric=measure.metric,
        difference=change.difference.value,
        ci_low=change.difference.low,
        ci_high=change.difference.high,
        better=change.better,
        worse=change.worse,
        p_value=change.p_value,
        problems=change.difference.n,
        by_seed=tuple(after[seed] - before[seed] for seed in after),
    )


def comparisons_section(material: Material) -> list[Section]:
    """A section, if there are two trained methods to compare."""
    blocks: list[Block] = []
    for benchmark in material.benchmarks:
        if found := main_comparisons(material, benchmark):
            several = len(material.benchmarks) > 1
            blocks += [Heading(set_title(material.conditions(benchmark)))] if several else []
            blocks += _blocks(material, benchmark, found)
    return [Section("comparisons", "Methods compared with each other", tuple(blocks))] if blocks else []


def _blocks(material: Material, benchmark: str, found: Sequence[Compared]) -> list[Block]:
    kinds = [measure.name for measure in short(material, benchmark)]
    marks: dict[str, list[Dot]] = {}
    for one in found:
        css = colour(kinds.index(one.measure.name))
        marks.setdefault(one.name, []).append(Dot(one.measure.name, css, one.change.difference))
    drawing = dots(f"methods compared on {benchmark}", list(marks.items()), difference=True)
    every = comparisons(material, benchmark, measures(material, benchmark))
    return [
        Figures((Figure(f"Differences on {benchmark}", drawing, caption(material)),)),
        Table(HEAD, tuple(cells(one) for one in found), "", labels=2),
        Table(HEAD, tuple(cells(one) for one in every), "", labels=2, folded="Every two methods, by every selector"),
    ]


def caption(material: Material) -> str:
    return (
        f"The first method minus the second, paired on the same problems and seeds, in percentage points with "
        f"{percent(material.config.report.confidence, 0)} bootstrap intervals over problems, each with all its "
        f"searches; p: the exact sign test over problems. Each method has its own verifier and its own number of turns. "
        "No p is corrected for the number of comparisons: of twenty without any true difference, at most one falls "
        "below 0.05."
    )


def cells(one: Compared) -> tuple[str, ...]:
    found = one.change.difference
    counts = (str(found.n), f"{one.change.better} : {one.change.worse}", probability(one.change.p_value))
    return (one.name, one.measure.name, signed_points(found.value), interval(found, points=True), *counts)

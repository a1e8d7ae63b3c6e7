"""The results: a row for each method, seed, test set and way of choosing, and paired differences to before training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mucode.metrics import (
    Bootstrap,
    Comparison,
    Estimate,
    Outcomes,
    compare,
    estimate,
    first_turn_passes,
    search_rewards,
)
from mucode.report.sources import BEFORE, Material, Origin, Searches
from mucode.selection import JUDGED_BY


@dataclass(frozen=True, slots=True)
class Measure:
    """One way to turn a model's samples into answers."""

    metric: str  # "pass@1" | "bon"
    selector: str | None  # of "bon"
    n: int  # samples a state
    turns: int

    @property
    def name(self) -> str:
        return self.metric if self.selector is None else f"best of {self.n}, {self.selector}"


@dataclass(frozen=True, slots=True)
class Result:
    """A row of results.json."""

    method: str
    seed: int
    benchmark: str
    selector: str | None
    n: int
    turns: int
    metric: str
    accuracy: float
    ci_low: float
    ci_high: float
    problems: int
    searches: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of differences.json: a method, all its seeds together, against before training on the same problems."""

    method: str
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


def bootstrap(material: Material) -> Bootstrap:
    section = material.config.report
    return Bootstrap(section.confidence, section.resamples)


def measures(material: Material) -> tuple[Measure, ...]:
    search = material.config.search
    best = [Measure("bon", selector, search.candidates, search.turns) for selector in search.selectors]
    return (Measure("pass@1", None, 1, 1), *best)


def headline(material: Material) -> Measure:
    """Best of N under the selector that also picks the pair on validation."""
    by_selector = {measure.selector: measure for measure in measures(material)}
    return next((by_selector[s] for s in JUDGED_BY if s in by_selector), measures(material)[0])


def outcomes(searches: Searches, measure: Measure) -> Outcomes:
    """One value of each search of each problem; the searches are of one test set."""
    if measure.selector is None:
        return first_turn_passes(searches.samples)
    return search_rewards(searches.choices, measure.selector)


def joined(parts: Iterable[Outcomes]) -> Outcomes:
    """The searches of several seeds, problem by problem."""
    table: dict[str, tuple[float, ...]] = {}
    for part in parts:
        for problem, values in part.items():
            table[problem] = table.get(problem, ()) + tuple(values)
    return table


def of_method(material: Material, method: str, benchmark: str, measure: Measure) -> Outcomes:
    """All seeds of a method on one test set."""
    groups = [searches for origin, searches in sorted(material.test.items(), key=_by_origin) if origin.method == method]
    return joined(outcomes(searches.of(benchmark), measure) for searches in groups)


def _by_origin(item: tuple[Origin, Searches]) -> Origin:
    return item[0]


def results(material: Material) -> list[Result]:
    """Every method, seed, test set and measure; sets without problems have no rows."""
    return [
        _result(origin, benchmark, measure, found, material.config.search.searches)
        for benchmark in material.benchmarks
        for method in material.methods
        for origin, searches in sorted(material.test.items(), key=_by_origin)
        if origin.method == method
        for measure in measures(material)
        if (found := estimate(outcomes(searches.of(benchmark), measure), bootstrap(material))) is not None
    ]


def _result(origin: Origin, benchmark: str, measure: Measure, found: Estimate, searches: int) -> Result:
    return Result(
        method=origin.method,
        seed=origin.seed,
        benchmark=benchmark,
        selector=measure.selector,
        n=measure.n,
        turns=measure.turns,
        metric=measure.metric,
        accuracy=found.value,
        ci_low=found.low,
        ci_high=found.high,
        problems=found.n,
        searches=searches,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the results table: all seeds of one method under one measure."""

    method: str
    measure: Measure
    accuracy: Estimate
    change: Comparison | None  # against before training; None before training


def table(material: Material, benchmark: str) -> list[Row]:
    """The headline table of one test set, measure by measure, `instruct` first."""
    rows = [
        row
        for measure in measures(material)
        for method in material.methods
        if (row := _row(material, benchmark, measure, method)) is not None
    ]
    return rows


def _row(material: Material, benchmark: str, measure: Measure, method: str) -> Row | None:
    after, before = (of_method(material, name, benchmark, measure) for name in (method, BEFORE))
    accuracy = estimate(after, bootstrap(material))
    if accuracy is None:
        return None
    return Row(method, measure, accuracy, None if method == BEFORE else compare(before, after, bootstrap(material)))


def differences(rows: Sequence[Row], benchmark: str) -> list[Difference]:
    return [_difference(row, row.change, benchmark) for row in rows if row.change is not None]


def _difference(row: Row, change: Comparison, benchmark: str) -> Difference:
    return Difference(
        method=row.method,
        benchmark=benchmark,
        selector=row.measure.selector,
        n=row.measure.n,
        turns=row.measure.turns,
        metric=row.measure.metric,
        difference=change.difference.value,
        ci_low=change.difference.low,
        ci_high=change.difference.high,
        better=change.better,
        worse=change.worse,
        p_value=change.p_value,
        problems=change.difference.n,
    )

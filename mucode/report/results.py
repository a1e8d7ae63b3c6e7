"""The results: a row for each method, seed, test set and way of choosing, and paired differences to before training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean

from mucode.config import BenchmarkSet
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
from mucode.policies import GREEDY, UNTESTED
from mucode.report.sources import BEFORE, Material, Searches
from mucode.selection import JUDGED_BY


@dataclass(frozen=True, slots=True)
class Measure:
    """One way to turn a model's samples into answers."""

    metric: str  # "pass@1", "pass@4" | "bon"
    selector: str | None  # of "bon"
    n: int  # samples a state; the k of pass@k
    turns: int  # at most; a method may have fewer

    @property
    def name(self) -> str:
        if self.selector in (None, GREEDY):
            return self.selector or self.metric
        return f"best of {self.n}, {self.selector}"


@dataclass(frozen=True, slots=True)
class Result:
    """A row of results.json."""

    method: str
    seed: int
    benchmark: str  # dataset, split and conditions in one name
    dataset: str
    split: str
    public_tests: bool
    feedback: str
    selector: str | None
    n: int
    turns: int
    loss: str  # of the verifier
    verifier: str  # each | once
    metric: str
    accuracy: float
    ci_low: float
    ci_high: float
    problems: int
    searches: int
    headline: bool  # N and T as the parameters say, not another point of a curve


def bootstrap(material: Material) -> Bootstrap:
    section = material.config.report
    return Bootstrap(section.confidence, section.resamples)


def measures(material: Material, benchmark: str | None = None) -> tuple[Measure, ...]:
    """The table's rows: N and T as the parameters say. Where a test set has no public tests, fewer selectors are left."""
    search = material.config.search
    blind = {each.name for each in material.config.problems.benchmarks if not each.public_tests}
    chosen = [s for s in search.selectors if benchmark not in blind or s in UNTESTED]
    greedy = [Measure("bon", GREEDY, 1, search.turns)] if search.greedy else []
    best = [Measure("bon", selector, search.candidates, search.turns) for selector in chosen]
    return (Measure("pass@1", None, 1, 1), *greedy, *best)


def every_measure(material: Material, benchmark: str, turns: int) -> list[Measure]:
    """All points of the curves as well: each N after each turn, the independent samples of the same budget, pass@N."""
    search = material.config.search
    found = [Measure(f"pass@{n}", None, n, 1) for n in sorted(set(candidates(material)) - {1})]
    for measure in measures(material, benchmark):
        if measure.selector is None:
            found.append(measure)
            continue
        ns = [1] if measure.selector == GREEDY else candidates(material)
        found += [Measure("bon", measure.selector, n, turn) for n in ns for turn in range(1, turns + 1)]
        if search.independent and measure.selector != GREEDY:
            several = sorted({n * turns for n in ns} - set(ns))
            found += [Measure("bon", measure.selector, n, 1) for n in several]
    return found


def candidates(material: Material) -> list[int]:
    """Every N that was searched with on the test sets."""
    search = material.config.search
    return sorted({search.candidates, *search.other_candidates})


def headline(material: Material, benchmark: str) -> Measure:
    """Best of N under the selector that picks the pair on validation, or the next best that the set has."""
    by_selector = {measure.selector: measure for measure in measures(material, benchmark)}
    return next((by_selector[s] for s in (*JUDGED_BY, GREEDY) if s in by_selector), measures(material)[0])


def on_validation(material: Material) -> Measure:
    """Best of N under the selector that picks the pair."""
    search = material.config.search
    decider = next(s for s in JUDGED_BY if s in search.validation_selectors)
    return Measure("bon", decider, search.candidates, search.turns)


def short(material: Material, benchmark: str) -> list[Measure]:
    """One program, greedy if there is such a search, and the headline: what comparisons start with."""
    few = {None, GREEDY, headline(material, benchmark).selector}
    return [measure for measure in measures(material, benchmark) if measure.selector in few]


def outcomes(searches: Searches, measure: Measure, turns: int) -> Outcomes:
    """One value of each search of each problem, after at most `turns`; the searches are of one test set."""
    if measure.selector is None:
        return first_turn_passes(searches.samples, measure.n)
    return search_rewards(
        searches.by(measure.selector, measure.n), measure.selector, measure.n, min(measure.turns, turns)
    )


def joined(parts: Iterable[Outcomes]) -> Outcomes:
    """The searches of several seeds, problem by problem."""
    table: dict[str, tuple[float, ...]] = {}
    for part in parts:
        for problem, values in part.items():
            table[problem] = table.get(problem, ()) + tuple(values)
    return table


def by_seed(material: Material, method: str, benchmark: str, measure: Measure) -> dict[int, float]:
    """The accuracy of each seed of a method by itself; without those that have no problem."""
    turns = material.turns(method)
    found = {seed: outcomes(searches.of(benchmark), measure, turns) for seed, searches in material.tests(method)}
    return {seed: fmean(map(fmean, rewards.values())) for seed, rewards in found.items() if rewards}


def of_method(material: Material, method: str, benchmark: str, measure: Measure) -> Outcomes:
    """All seeds of a method on one test set."""
    turns = material.turns(method)
    return joined(outcomes(found.of(benchmark), measure, turns) for _, found in material.tests(method))


def results(material: Material) -> list[Result]:
    """Every method, seed, test set and measure; sets without problems have no rows."""
    rows = []
    for conditions in material.config.test_sets:
        for method in material.methods:
            turns = material.turns(method)
            for seed, found in material.tests(method):
                searches = found.of(conditions.name)
                for measure in every_measure(material, conditions.name, turns):
                    value = estimate(outcomes(searches, measure, turns), bootstrap(material))
                    if value is not None:
                        rows.append(_result(material, method, seed, conditions, measure, value))
    return rows


def _result(
    material: Material, method: str, seed: int, conditions: BenchmarkSet, measure: Measure, found: Estimate
) -> Result:
    config = material.config
    most = replace(measure, turns=config.search.turns) if measure.turns == material.turns(method) else measure
    return Result(
        method=method,
        seed=seed,
        benchmark=conditions.name,
        dataset=conditions.source,
        split=conditions.split,
        public_tests=conditions.public_tests,
        feedback=conditions.feedback,
        selector=measure.selector,
        n=measure.n,
        turns=measure.turns,
        loss=config.verifier.loss,
        verifier=config.study.verifier,
        metric=measure.metric,
        accuracy=found.value,
        ci_low=found.low,
        ci_high=found.high,
        problems=found.n,
        searches=1 if measure.selector == GREEDY else config.search.searches,
        headline=bool({measure, most} & set(measures(material, conditions.name))),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the results table: all seeds of one method under one measure."""

    method: str
    measure: Measure
    accuracy: Estimate
    seeds: tuple[float, ...]  # each seed's own accuracy
    change: Comparison | None  # against before training; None before training, and where it is the same samples


def table(material: Material, benchmark: str) -> list[Row]:
    """The headline table of one test set, measure by measure, `instruct` first."""
    rows = [
        row
        for measure in measures(material, benchmark)
        for method in material.methods
        if (row := _row(material, benchmark, measure, method)) is not None
    ]
    return rows


def _row(material: Material, benchmark: str, measure: Measure, method: str) -> Row | None:
    after, before = (of_method(material, name, benchmark, measure) for name in (method, BEFORE))
    accuracy = estimate(after, bootstrap(material))
    if accuracy is None:
        return None
    same = measure.turns == 1 and not material.config.methods[method].trains  # instruct_single's first turn is theirs
    change = None if same or method == BEFORE else compare(before, after, bootstrap(material))
    return Row(method, measure, accuracy, tuple(by_seed(material, method, benchmark, measure).values()), change)

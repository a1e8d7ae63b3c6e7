"""A control at equal budget: N programs at each of T turns against N * T independent programs of the first turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from mucode.metrics import Comparison, Estimate, compare, estimate
from mucode.policies import GREEDY
from mucode.report.blocks import Block, Figure, Figures, Heading, Section, Table, colour
from mucode.report.charts import Dot, dots
from mucode.report.results import Measure, bootstrap, candidates, headline, measures, of_method
from mucode.report.sources import BEFORE, Material
from mucode.report.words import interval, method_name, percent, probability, set_title, signed_points

HEAD = (
    "N × T",
    "model",
    "answers by",
    "multi-turn",
    "programs drawn",
    "independent",
    "difference",
    "better\u00a0:\u00a0worse",
    "p",
)


@dataclass(frozen=True, slots=True)
class Budget:
    """One selector's two ways to spend N * T programs."""

    method: str
    selector: str
    n: int
    turns: int
    fed: Estimate  # over T turns
    drawn: float  # programs that the multi-turn search really draws: it ends on a public pass
    independent: Estimate
    change: Comparison  # multi-turn minus independent


def budgets(material: Material, benchmark: str) -> list[Budget]:
    """Of every model with several turns, N by N."""
    if not material.config.search.independent:
        return []
    selectors = [m.selector for m in measures(material, benchmark) if m.selector not in (None, GREEDY)]
    models = [name for name in (BEFORE, *material.trained) if material.turns(name) > 1]
    found = [
        _budget(material, benchmark, name, str(selector), n)
        for selector in selectors
        for n in candidates(material)
        for name in models
    ]
    return [one for one in found if one is not None]


def _budget(material: Material, benchmark: str, method: str, selector: str, n: int) -> Budget | None:
    turns = material.turns(method)
    fed = of_method(material, method, benchmark, Measure("bon", selector, n, turns))
    alone = of_method(material, method, benchmark, Measure("bon", selector, n * turns, 1))
    both = estimate(fed, bootstrap(material)), estimate(alone, bootstrap(material))
    change = compare(alone, fed, bootstrap(material))
    if both[0] is None or both[1] is None or change is None:
        return None
    return Budget(
        method, selector, n, turns, both[0], n * _turns_taken(material, benchmark, method, selector, n), both[1], change
    )


def _turns_taken(material: Material, benchmark: str, method: str, selector: str, n: int) -> float:
    """The mean number of turns that a search took: once it has ended it only repeats its choice, state and all."""
    states: dict[tuple[int, str, int], set[str]] = {}
    for seed, found in material.tests(method):
        for row in found.of(benchmark).by(selector, n):
            if row.turn <= material.turns(method):
                states.setdefault((seed, row.problem_id, row.search), set()).add(row.state)
    return fmean(map(len, states.values()))


def budget_section(material: Material) -> list[Section]:
    """A section, if the study drew independent samples."""
    blocks: list[Block] = []
    for benchmark in material.benchmarks:
        if found := budgets(material, benchmark):
            several = len(material.benchmarks) > 1
            blocks += [Heading(set_title(material.conditions(benchmark)))] if several else []
            blocks += _blocks(material, benchmark, found)
    return [Section("budget", "Equal budget: turns or more samples", tuple(blocks))] if blocks else []


def _blocks(material: Material, benchmark: str, found: Sequence[Budget]) -> list[Block]:
    main = headline(material, benchmark).selector
    chosen = [one for one in found if one.selector == main]
    rows: dict[str, list[Dot]] = {}
    for one in chosen:
        css = colour(material.methods.index(one.method))
        rows.setdefault(_name(one), []).append(Dot(method_name(one.method), css, one.change.difference))
    caption = (
        f"By {main}: multi-turn searches minus independent samples, paired on the same problems; "
        f"{percent(material.config.report.confidence, 0)} bootstrap intervals over problems, each with all its "
        "searches. Right of zero, turns are worth more than more samples."
    )
    figure = Figure("Multi-turn minus independent", dots("equal budget", list(rows.items()), difference=True), caption)
    meaning = (
        "Multi-turn: N programs at each of T turns. Independent: N × T programs of the first turn, among which the "
        "same selector picks. Programs drawn: the mean that the multi-turn search really drew, because it ends "
        "when its pick passes the public test (the oracle's when it is right). Differences: in percentage points; p: "
        "the exact sign test over problems."
    )
    table = Table(HEAD, tuple(_cells(one) for one in chosen), meaning, labels=3)
    rest = tuple(_cells(one) for one in found if one.selector != main)
    folded = [Table(HEAD, rest, "", labels=3, folded="By the other selectors")] if rest else []
    return [Figures((figure,)), table, *folded]


def _name(one: Budget) -> str:
    return f"{one.n} × {one.turns}"


def _cells(one: Budget) -> tuple[str, ...]:
    change = one.change.difference
    return (
        _name(one),
        method_name(one.method),
        one.selector,
        f"{percent(one.fed.value)} {interval(one.fed)}",
        f"{one.drawn:.1f}",
        f"{percent(one.independent.value)} {interval(one.independent)}",
        f"{signed_points(change.value)} {interval(change, points=True)}",
        f"{one.change.better} : {one.change.worse}",
        probability(one.change.p_value),
    )

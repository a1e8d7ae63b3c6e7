"""One model's accuracy selector by selector: over N at the first turn, over N in whole searches, over the turns."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from mucode.metrics import Estimate, Outcomes, best_of_subsets, estimate, first_turns
from mucode.policies import GREEDY, ORACLE, SELECTORS
from mucode.records import SearchSample
from mucode.report.blocks import Table
from mucode.report.charts import Point, Series, lines
from mucode.report.results import Measure, bootstrap, candidates, joined, measures, outcomes
from mucode.report.sources import Material, Searches
from mucode.report.words import interval, percent
from mucode.types import Completion, Sample, Status, Verdict

CSS = {"random": "c0", GREEDY: "c2", "lv": "c5", "pt": "c3", "pt+lv": "c1", ORACLE: "c4"}
Values = tuple[str, str, tuple[tuple[int, Estimate], ...]]  # a line: name, css, (x, estimate)


def by_samples(material: Material, benchmark: str, groups: Sequence[Searches], turns: int) -> list[Values]:
    """First turn only: the exact mean over all subsets of n of the stored samples."""
    ns = candidates(material)
    xs = ns if len(ns) > 1 else range(1, ns[0] + 1)
    found = []
    for selector in _selectors(material, benchmark):
        ranked = [ranked_rewards(group.samples, selector) for group in groups]
        points = [(n, joined(subsets(each, n) for each in ranked)) for n in xs]
        found.append((selector, CSS[selector], _estimates(material, points)))
    return [one for one in found if one[2]]


def by_searches(material: Material, benchmark: str, groups: Sequence[Searches], turns: int) -> list[Values]:
    """Multi-turn searches, each N a search of its own."""
    return _selector_lines(
        material,
        benchmark,
        candidates(material),
        lambda selector, n: joined(outcomes(group, Measure("bon", selector, n, turns), turns) for group in groups),
    )


def by_turn(material: Material, benchmark: str, groups: Sequence[Searches], turns: int) -> list[Values]:
    """What a search's answer would be after each turn."""
    n = material.config.search.candidates
    found = _selector_lines(
        material,
        benchmark,
        range(1, turns + 1),
        lambda selector, turn: joined(outcomes(group, Measure("bon", selector, n, turn), turns) for group in groups),
    )
    greedy = [measure for measure in measures(material, benchmark) if measure.selector == GREEDY]
    for measure in greedy:
        points = [(turn, joined(outcomes(g, measure, turn) for g in groups)) for turn in range(1, turns + 1)]
        found.append((GREEDY, CSS[GREEDY], _estimates(material, points)))
    return [one for one in found if one[2]]


def _selector_lines(
    material: Material, benchmark: str, xs: Sequence[int], read: Callable[[str, int], Outcomes]
) -> list[Values]:
    found = [(s, CSS[s], _estimates(material, [(x, read(s, x)) for x in xs])) for s in _selectors(material, benchmark)]
    return [one for one in found if one[2]]


def _selectors(material: Material, benchmark: str) -> list[str]:
    return [m.selector for m in measures(material, benchmark) if m.selector is not None and m.selector != GREEDY]


def _estimates(material: Material, points: Sequence[tuple[int, Outcomes]]) -> tuple[tuple[int, Estimate], ...]:
    found = [(x, estimate(values, bootstrap(material))) for x, values in points]
    return tuple((x, value) for x, value in found if value is not None)


def ranked_rewards(samples: Sequence[SearchSample], selector: str) -> dict[str, list[list[float]]]:
    """The rewards of each first turn's samples, search by search, in the selector's order of preference.

    A random order has no first: every place then holds the mean.
    """
    table: dict[str, list[list[float]]] = {}
    for problem, searches in first_turns(samples).items():
        for rows in searches:
            rewards = [row.reward for row in rows]
            if selector == "random":
                rewards = [sum(rewards) / len(rewards)] * len(rewards)
            elif selector == ORACLE:
                rewards.sort(reverse=True)
            else:
                rewards = [rewards[index] for index in preference(rows, selector)]
            table.setdefault(problem, []).append(rewards)
    return table


def subsets(ranked: Mapping[str, Sequence[Sequence[float]]], n: int) -> Outcomes:
    """The expected reward of the selector's pick among n of the first turn's samples, one value of each search."""
    return {
        problem: tuple(best_of_subsets(rewards, n) for rewards in searches if n <= len(rewards))
        for problem, searches in ranked.items()
        if any(n <= len(rewards) for rewards in searches)
    }


def preference(rows: Sequence[SearchSample], selector: str) -> list[int]:
    """The samples in the order in which a deterministic selector would pick them, each pick then taken away."""
    rng = random.Random(0)  # a deterministic selector does not draw
    left = [(index, _sample(row)) for index, row in enumerate(rows)]
    order = []
    while left:
        order.append(left.pop(SELECTORS[selector]([sample for _, sample in left], rng))[0])
    return order


def _sample(row: SearchSample) -> Sample:
    status = Status.PASSED if row.public_passed else Status.FAILED
    return Sample(Completion("", row.program), Verdict(status, 0, 0), row.score)


# Drawing


def top_of(panels: Sequence[tuple[str, Sequence[Values]]]) -> float:
    """Panels share a scale, so that they can be compared by eye."""
    return max(e.high for _, values in panels for _, _, points in values for _, e in points)


def chart(name: str, values: Sequence[Values], axis: str, top: float, band: str | None = None) -> Markup:
    """Lines of estimates; with a `band` only that line shows its intervals, as a band."""
    series = [
        Series(
            title, css, tuple(Point(x, e.value, e if band in (None, title) else None) for x, e in points), band == title
        )
        for title, css, points in values
    ]
    return lines(name, series, axis, "problems solved", top)


def numbers(by: str, panels: Sequence[tuple[str, Sequence[Values]]], about: str = "") -> Table:
    """The estimates behind plots."""
    xs = sorted({x for _, values in panels for _, _, points in values for x, _ in points})
    rows = []
    for panel, values in panels:
        for title, _, points in values:
            at = dict(points)
            cells = [f"{percent(at[x].value)} {interval(at[x])}" if x in at else "" for x in xs]
            rows.append((panel, title, *cells))
    head = ("", "", *(f"{by} {x}" for x in xs))
    return Table(head, tuple(rows), "", labels=2, folded=about or f"The numbers behind these plots, by {by}")

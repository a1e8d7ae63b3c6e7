"""Accuracy by iteration, by N and by turn."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from markupsafe import Markup

from mucode.metrics import Estimate, Outcomes, best_of_subsets, estimate, search_rewards
from mucode.records import SearchSample
from mucode.report.blocks import Block, Figure, Figures, Paragraph, Section, Table, colour
from mucode.report.charts import Point, Series, lines
from mucode.report.headline import confidence
from mucode.report.results import Measure, bootstrap, headline, joined, measures, outcomes
from mucode.report.sources import BEFORE, Material, Searches
from mucode.report.words import count, interval, method_name, percent
from mucode.search import ORACLE, SELECTORS
from mucode.types import Completion, Sample, Status, Verdict

CSS = {"random": "c0", "lv": "c5", "pt": "c3", "pt+lv": "c1", ORACLE: "c4"}
Values = tuple[str, str, tuple[tuple[int, Estimate], ...]]  # a line: name, css, (x, estimate)


def curves_section(material: Material) -> Section:
    blocks: list[Block] = list(_by_iteration(material))
    for benchmark in material.benchmarks:
        blocks += _panels(material, benchmark, "N", by_samples)
        if material.config.search.turns > 1:
            blocks += _panels(material, benchmark, "turn", _by_turn)
    return Section("curves", "Accuracy by iteration, by N and by turn", tuple(blocks))


# By iteration, on the validation problems


def _by_iteration(material: Material) -> list[Block]:
    both = (Measure("pass@1", None, 1, 1), headline(material))
    drawn = [(measure, _iteration_lines(material, measure)) for measure in dict.fromkeys(both)]
    drawn = [(measure, values) for measure, values in drawn if values]
    if not drawn:
        return [Paragraph("There is no validation problem, so no accuracy by iteration.")]
    n = drawn[0][1][0][2][0][1].n
    ends = f"{count(n, 'validation problem')}, {confidence(material)} intervals. {picked(material)}"
    panels = [(measure.name, values) for measure, values in drawn]
    figures = [
        Figure(
            f"{measure.name} by iteration",
            _chart(measure.name, values, "iteration (0: before training)", _top(panels)),
            _caption(measure, ends),
        )
        for measure, values in drawn
    ]
    return [Figures(tuple(figures)), _numbers("iteration", panels)]


def picked(material: Material) -> str:
    """Which iteration's pair went on to the test problems, of each method, seed by seed."""
    words = []
    for method in material.trained:
        iterations = [str(i) for origin, i in sorted(material.chosen.items()) if origin.method == method]
        words.append(f"{method} {', '.join(iterations)}")
    by_seed = ", seed by seed" if len(material.config.study.seeds) > 1 else ""
    return f"Iteration chosen for the test problems{by_seed}: {'; '.join(words)}."


def _caption(measure: Measure, ends: str) -> str:
    what = "One program, first turn" if measure.selector is None else f"Multi-turn {measure.name}"
    return f"{what}, after each fine-tuning. {ends}"


def _iteration_lines(material: Material, measure: Measure) -> list[Values]:
    found = []
    for method in material.trained:
        place = material.methods.index(method)
        points = [(i, _validation(material, method, i, measure)) for i in range(material.config.study.iterations + 1)]
        kept = tuple((i, value) for i, value in points if value is not None)
        if kept:
            found.append((method, colour(place), kept))
    return found


def _validation(material: Material, method: str, iteration: int, measure: Measure) -> Estimate | None:
    owner = BEFORE if iteration == 0 else method
    parts = [
        outcomes(by_iteration[iteration], measure, material.turns(method))
        for origin, by_iteration in sorted(material.validation.items())
        if origin.method == owner and iteration in by_iteration
    ]
    return estimate(joined(parts), bootstrap(material))


# By N and by turn, on the test problems, a panel for each model


def _panels(
    material: Material, benchmark: str, by: str, read: Callable[[Material, Sequence[Searches]], list[Values]]
) -> list[Block]:
    panels = []
    for method in (BEFORE, *material.trained):
        groups = [found.of(benchmark) for _, found in material.tests(method)]
        if values := read(material, groups):
            panels.append((method_name(method), values))
    if not panels:
        return [Paragraph(f"{benchmark} holds no problem, so no accuracy by {by}.")]
    top = _top(panels)
    figures = tuple(_panel(material, benchmark, by, name, values, top) for name, values in panels)
    return [Figures(figures), _numbers(by, panels)]


def _panel(material: Material, benchmark: str, by: str, name: str, values: Sequence[Values], top: float) -> Figure:
    n = values[0][2][0][1].n
    main = headline(material).selector
    band = f"Band: {confidence(material)} interval of {main}, {count(n, 'problem')} of {benchmark}."
    search = material.config.search
    if by == "N":
        title, axis = f"{name}: first turn, by N", "N, programs to choose from"
        what = (
            f"First turn only: the exact mean over all subsets of N of the {search.candidates} programs sampled "
            "for each problem. Random is flat by definition; oracle is pass@N."
        )
    else:
        title, axis = f"{name}: by turn", "turn"
        what = f"Answer after each turn, best of {search.candidates}; a search that passed the public test keeps it."
    return Figure(title, _chart(title, values, axis, top, main), f"{what} {band}")


def _top(panels: Sequence[tuple[str, Sequence[Values]]]) -> float:
    """Panels share a scale, so that they can be compared by eye."""
    return max(e.high for _, values in panels for _, _, points in values for _, e in points)


def _chart(name: str, values: Sequence[Values], axis: str, top: float, band: str | None = None) -> Markup:
    series = [
        Series(
            title, css, tuple(Point(x, e.value, e if band in (None, title) else None) for x, e in points), band == title
        )
        for title, css, points in values
    ]
    return lines(name, series, axis, "problems solved", top)


def _numbers(by: str, panels: Sequence[tuple[str, Sequence[Values]]]) -> Table:
    xs = sorted({x for _, values in panels for _, _, points in values for x, _ in points})
    rows = []
    for panel, values in panels:
        for title, _, points in values:
            at = dict(points)
            cells = [f"{percent(at[x].value)} {interval(at[x])}" if x in at else "" for x in xs]
            rows.append((panel, title, *cells))
    head = ("", "", *(f"{by} {x}" for x in xs))
    return Table(head, tuple(rows), "", labels=2, folded=f"The numbers behind these plots, by {by}")


def by_samples(material: Material, groups: Sequence[Searches]) -> list[Values]:
    return _selector_lines(
        material,
        range(1, material.config.search.candidates + 1),
        lambda selector, n: joined(_subsets(group.samples, selector, n) for group in groups),
    )


def _by_turn(material: Material, groups: Sequence[Searches]) -> list[Values]:
    return _selector_lines(
        material,
        range(1, material.config.search.turns + 1),
        lambda selector, turn: joined(
            search_rewards(group.choices, selector, material.config.search.candidates, turn) for group in groups
        ),
    )


def _selector_lines(material: Material, xs: Sequence[int], read: Callable[[str, int], Outcomes]) -> list[Values]:
    found = []
    for selector in [measure.selector for measure in measures(material) if measure.selector is not None]:
        points = [(x, estimate(read(selector, x), bootstrap(material))) for x in xs]
        kept = tuple((x, value) for x, value in points if value is not None)
        if kept:
            found.append((selector, CSS[selector], kept))
    return found


def _subsets(samples: Sequence[SearchSample], selector: str, n: int) -> Outcomes:
    """The expected reward of the selector's pick among n of the first turn's samples, one value of each search."""
    states: dict[tuple[str, int], list[SearchSample]] = {}
    for row in samples:
        if row.turn == 1 and row.candidate >= 0:
            states.setdefault((row.problem_id, row.search), []).append(row)
    table: dict[str, tuple[float, ...]] = {}
    for (problem, _), rows in sorted(states.items()):
        if n <= len(rows):
            table[problem] = (*table.get(problem, ()), _expected(rows, selector, n))
    return table


def _expected(rows: Sequence[SearchSample], selector: str, n: int) -> float:
    rewards = [row.reward for row in rows]
    if selector == "random":
        return sum(rewards) / len(rewards)
    if selector == ORACLE:
        return best_of_subsets(sorted(rewards, reverse=True), n)
    return best_of_subsets([rows[index].reward for index in preference(rows, selector)], n)


def preference(rows: Sequence[SearchSample], selector: str) -> list[int]:
    """The samples in the order in which a deterministic selector would pick them, each pick then taken away."""
    rng = random.Random(0)  # a deterministic selector does not draw
    left = list(range(len(rows)))
    order = []
    while left:
        order.append(left.pop(SELECTORS[selector]([_sample(rows[index]) for index in left], rng)))
    return order


def _sample(row: SearchSample) -> Sample:
    status = Status.PASSED if row.public_passed else Status.FAILED
    return Sample(Completion("", row.program), Verdict(status, 0, 0), row.score)

"""Accuracy by iteration, by N and by turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mucode.metrics import Estimate, estimate
from mucode.report.blocks import Block, Figure, Figures, Heading, Paragraph, Section, colour
from mucode.report.headline import confidence
from mucode.report.panels import Values, by_samples, by_searches, by_turn, chart, numbers, top_of
from mucode.report.results import Measure, bootstrap, candidates, headline, joined, on_validation, outcomes
from mucode.report.sources import BEFORE, Material, Searches
from mucode.report.words import count, method_name, set_title

SHOWN = 2  # models whose panels are shown at once; the panels of more wait behind a summary line


@dataclass(frozen=True, slots=True)
class Axis:
    """What accuracy is drawn over."""

    by: str  # in column heads
    title: str
    name: str  # below the plot
    read: Callable[[Material, str, Sequence[Searches], int], list[Values]]
    least: int  # turns that a method needs to be drawn


FIRST = Axis("N", "first turn, by N", "N, programs to choose from", by_samples, 1)
SEARCHED = Axis("N", "whole searches, by N", "N, programs drawn at each turn", by_searches, 1)
TURNED = Axis("turn", "by turn", "turn", by_turn, 2)


def curves_section(material: Material) -> Section:
    blocks: list[Block] = list(_by_iteration(material))
    for benchmark in material.benchmarks:
        if len(material.benchmarks) > 1:
            blocks.append(Heading(set_title(material.conditions(benchmark))))
        blocks += _on(material, benchmark)
    return Section("curves", "Accuracy by iteration, by N and by turn", tuple(blocks))


# By iteration, on the validation problems


def _by_iteration(material: Material) -> list[Block]:
    both = (Measure("pass@1", None, 1, 1), on_validation(material))
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
            chart(measure.name, values, "iteration (0: before training)", top_of(panels)),
            _caption(measure, ends),
        )
        for measure, values in drawn
    ]
    return [Figures(tuple(figures)), numbers("iteration", panels)]


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


# By N and by turn, on the test problems


def _on(material: Material, benchmark: str) -> list[Block]:
    """A test set's curves: the methods against each other where there are several, then each model's selectors."""
    several, multi = len(candidates(material)) > 1, material.config.search.turns > 1
    axes = [*([SEARCHED] if several else []), FIRST, *([TURNED] if multi else [])]
    found = [(axis, models_of(material, benchmark, axis)) for axis in axes]
    if not any(models for _, models in found):
        return [Paragraph(f"{benchmark} holds no problem, so there are no curves.")]
    overview = _overview(material, benchmark, [(axis, models) for axis, models in found if axis is not FIRST])
    return [
        *overview,
        *(block for axis, models in found if models for block in _panels(material, benchmark, axis, models)),
    ]


def models_of(material: Material, benchmark: str, axis: Axis) -> list[tuple[str, list[Values]]]:
    """The lines of each model, selector by selector."""
    found = []
    for method in (BEFORE, *material.trained):
        groups = [searches.of(benchmark) for _, searches in material.tests(method)]
        if material.turns(method) >= axis.least and (
            values := axis.read(material, benchmark, groups, material.turns(method))
        ):
            found.append((method, values))
    return found


def _overview(
    material: Material, benchmark: str, found: Sequence[tuple[Axis, list[tuple[str, list[Values]]]]]
) -> list[Block]:
    """A line for each model, by the headline's selector; nothing where a single method's panels say it all."""
    main = headline(material, benchmark).selector
    if len(material.trained) < SHOWN or main is None:
        return []
    figures, tables = [], []
    for axis, models in found:
        drawn = [
            (method_name(method), colour(material.methods.index(method)), points)
            for method, values in models
            for selector, _, points in values
            if selector == main
        ]
        if drawn:
            words = f"Multi-turn search by {main}, each method with its own verifier and number of turns."
            caption = f"{words} {_ends(material, benchmark, drawn)}"
            top = top_of([("", drawn)])
            figures.append(Figure(f"Methods, {axis.title}", chart(axis.title, drawn, axis.name, top), caption))
            tables.append(numbers(axis.by, [(main, drawn)], f"The numbers: methods, {axis.title}"))
    return [Figures(tuple(figures)), *tables] if figures else []


def _panels(material: Material, benchmark: str, axis: Axis, models: Sequence[tuple[str, list[Values]]]) -> list[Block]:
    """A plot for each model."""
    panels = [(method_name(method), values) for method, values in models]
    top, main = top_of(panels), headline(material, benchmark).selector
    figures = [
        Figure(
            f"{name}: {axis.title}",
            chart(f"{name}, {axis.title}", values, axis.name, top, main),
            _what(material, axis) + f" Band: interval of {main}. " + _ends(material, benchmark, values),
        )
        for name, values in panels
    ]
    folded = "" if len(panels) <= SHOWN else f"Selector by selector, {axis.title}: {count(len(panels), 'model')}"
    return [Figures(tuple(figures), folded=folded), numbers(axis.by, panels, f"The numbers: selectors, {axis.title}")]


def _ends(material: Material, benchmark: str, values: Sequence[Values]) -> str:
    n = values[0][2][0][1].n
    return f"{confidence(material)} intervals, {count(n, 'problem')} of {benchmark}."


def _what(material: Material, axis: Axis) -> str:
    n = material.config.search.candidates
    if axis is FIRST:
        return (
            "First turn only: the exact mean over all subsets of N of the programs sampled for each problem. Random is "
            "flat by definition; oracle is pass@N."
        )
    if axis is SEARCHED:
        return "Multi-turn search, for each N a search of its own."
    return f"Answer after each turn, best of {n}; a search that passed the public test keeps its answer."

"""The study as one table: method by test set by selector by N, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence

from mucode.metrics import Estimate, estimate
from mucode.report.markdown import aligned
from mucode.report.results import Measure, Result, bootstrap, of_method
from mucode.report.sources import Material
from mucode.report.words import interval, percent

Line = tuple[str, str, int, str]  # test set, what answers, N, method


def grid(material: Material, rows: Sequence[Result]) -> str:
    """Every row of results.json in one Markdown table, all seeds of a method together.

    A column is a turn: what the search's answer would be if it ended there. With several seeds each seed's own accuracy
    stands behind the interval, which is over problems, each with all its searches, and leaves out how trainings differ.
    """
    lines: dict[Line, dict[int, list[Result]]] = {}
    for row in rows:
        answers = row.selector or "pass@N"
        lines.setdefault((row.benchmark, answers, row.n, row.method), {}).setdefault(row.turns, []).append(row)
    turns = range(1, material.config.search.turns + 1)
    head = ("test set", "answers by", "N", "model", *(f"turn {turn}" for turn in turns))
    order = {method: place for place, method in enumerate(material.methods)}
    found = [
        (benchmark, answers, str(n), method, *(_cell(material, by_turn.get(turn, [])) for turn in turns))
        for (benchmark, answers, n, method), by_turn in sorted(
            lines.items(), key=lambda line: (*line[0][:3], order[line[0][3]])
        )
    ]
    return aligned([head, *found], labels=4)


def _cell(material: Material, seeds: Sequence[Result]) -> str:
    """The accuracy with its interval, then seed by seed where there are several; "" where nothing was measured."""
    if not seeds:
        return ""
    found = _together(material, seeds)
    each = " / ".join(percent(row.accuracy) for row in seeds) if len(seeds) > 1 else ""
    return f"{percent(found.value)} {interval(found)}" + (f" ({each})" if each else "")


def _together(material: Material, seeds: Sequence[Result]) -> Estimate:
    first = seeds[0]
    if len(seeds) == 1:
        return Estimate(first.accuracy, first.ci_low, first.ci_high, first.problems)
    measure = Measure(first.metric, first.selector, first.n, first.turns)
    found = estimate(of_method(material, first.method, first.benchmark, measure), bootstrap(material))
    if found is None:
        raise ValueError("a row of results without outcomes")
    return found

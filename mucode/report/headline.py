"""The results section, and the same table as Markdown for the terminal and the README."""

from __future__ import annotations

from collections.abc import Sequence

from mucode.metrics import Comparison, Estimate
from mucode.report.blocks import Block, Figure, Figures, Paragraph, Section, Table, Terms, colour
from mucode.report.charts import Dot, dots
from mucode.report.results import Row, headline, table
from mucode.report.sources import BEFORE, Material
from mucode.report.words import count, interval, method_name, percent, probability, signed_points

HEAD = ("answers by", "model", "accuracy", "interval", "n", "difference", "interval", "better : worse", "p")
CLAIMS_NOTHING = (
    "The model is random and its replies are scripted: these numbers show that every stage ran, and claim "
    "nothing about the method."
)


def claims_nothing(material: Material) -> bool:
    return material.config.model.setting.startswith("random:")


def results_section(material: Material) -> Section:
    blocks: list[Block] = []
    for benchmark in material.benchmarks:
        rows = table(material, benchmark)
        blocks += _benchmark(material, benchmark, rows) if rows else [Paragraph(f"{benchmark} holds no problem.")]
    return Section("results", "Results on the test problems", (*blocks, meanings(material)))


def _benchmark(material: Material, benchmark: str, rows: Sequence[Row]) -> list[Block]:
    figures = [_accuracies(material, benchmark, rows)]
    if any(row.change for row in rows):
        figures.append(_changes(material, benchmark, rows))
    cells = tuple(_cells(row) for row in rows)
    return [
        Paragraph(summary(material, benchmark, rows)),
        Figures(tuple(figures)),
        Table(HEAD, cells, f"{benchmark}. {_conditions(material, rows)}", labels=2),
    ]


def summary(material: Material, benchmark: str, rows: Sequence[Row]) -> str:
    """What the table comes down to: a sentence for each method."""
    chosen = [row for row in rows if row.measure == headline(material, benchmark)]
    before = next(row for row in chosen if row.method == BEFORE)
    name, problems = before.measure.name, count(before.accuracy.n, "problem")
    found = f"{percent(before.accuracy.value)} {interval(before.accuracy)}"
    start = f"On {benchmark} ({problems}), {name} solves {found} before training. "
    return start + " ".join(_after(material, row, row.change) for row in chosen if row.change is not None)


def _after(material: Material, row: Row, change: Comparison) -> str:
    found = change.difference
    verdict = "" if claims_nothing(material) else f": {_verdict(material, change)}"
    return (
        f"After {row.method}: {percent(row.accuracy.value)} {interval(row.accuracy)}, a paired difference of "
        f"{signed_points(found.value)} points {interval(found, points=True)}, McNemar p "
        f"{probability(change.p_value, relation=True)}{verdict}."
    )


def _verdict(material: Material, change: Comparison) -> str:
    """What the interval and the test say together."""
    apart = change.difference.low > 0 or change.difference.high < 0
    unlikely = change.p_value < 1 - material.config.report.confidence
    if apart and unlikely:
        return "more than chance would explain"
    if apart or unlikely:
        return "the interval and the test disagree, so there are too few problems to tell"
    return "the interval holds zero, so this may be chance"


def _accuracies(material: Material, benchmark: str, rows: Sequence[Row]) -> Figure:
    marks = _by_measure(material, [(row, row.accuracy) for row in rows])
    caption = (
        f"Problems of {benchmark} solved, with {confidence(material)} intervals; n = {rows[0].accuracy.n} problems."
    )
    return Figure("Accuracy", dots(f"accuracy on {benchmark}", marks), caption)


def _changes(material: Material, benchmark: str, rows: Sequence[Row]) -> Figure:
    marks = _by_measure(material, [(row, row.change.difference) for row in rows if row.change])
    caption = (
        f"Paired difference to before training on the same problems, with {confidence(material)} intervals. An "
        "interval that holds zero cannot tell the two apart."
    )
    return Figure("Difference to before training", dots(f"difference on {benchmark}", marks, difference=True), caption)


def _by_measure(material: Material, found: Sequence[tuple[Row, Estimate]]) -> list[tuple[str, list[Dot]]]:
    rows: dict[str, list[Dot]] = {}
    for row, value in found:
        css = colour(material.methods.index(row.method))
        rows.setdefault(row.measure.name, []).append(Dot(method_name(row.method), css, value))
    return list(rows.items())


def _cells(row: Row) -> tuple[str, ...]:
    accuracy = row.accuracy
    start = (row.measure.name, method_name(row.method), percent(accuracy.value), interval(accuracy), str(accuracy.n))
    if row.change is None:
        return (*start, "", "", "", "")
    change = row.change
    found = change.difference
    pair = f"{change.better} : {change.worse}"
    return (*start, signed_points(found.value), interval(found, points=True), pair, probability(change.p_value))


def confidence(material: Material) -> str:
    return f"{100 * material.config.report.confidence:g}\u00a0%"


def _conditions(material: Material, rows: Sequence[Row]) -> str:
    search = material.config.search
    seeds = len(material.config.study.seeds)
    return (
        f"{count(rows[0].accuracy.n, 'problem')} (n), {count(search.searches, 'search', 'searches')} each"
        f"{f' under each of {seeds} seeds' if seeds > 1 else ''}, at most {count(search.turns, 'turn')}, temperature "
        f"{search.temperature:g}. Intervals: {confidence(material)} bootstrap over problems and searches. "
        "Differences: paired, in percentage points, with the problems solved better : worse than before and the "
        "exact McNemar p."
    )


def meanings(material: Material) -> Terms:
    """What the rows are."""
    search = material.config.search
    turns = count(search.turns, "turn")
    every = {
        "random": "A blind pick, so it is what a single sample at each turn would give.",
        "lv": "The highest verifier score.",
        "pt": "The first that passes the public test, else the first.",
        "pt+lv": "A public pass, the verifier deciding among several; if none passes, the highest score.",
        "oracle": "Looks at the private tests too: an upper bound, not a method.",
    }
    best = (
        f"At each of at most {turns}, {search.candidates} programs are drawn and a selector picks one; the search "
        "ends when the pick passes the public test. By selector:"
    )
    return Terms(
        (
            ("solved", "The answer passes the public and the private tests."),
            ("pass@1", "One program, first turn: the mean over all first-turn samples, which is unbiased."),
            (f"best of {search.candidates}", best),
            *((selector, every[selector]) for selector in search.selectors),
        )
    )


def markdown(material: Material, tables: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """The results as Markdown tables, aligned so that they also read well in a terminal."""
    parts = [f"**{CLAIMS_NOTHING}**\n"] if claims_nothing(material) else []
    for benchmark, rows in tables:
        if not rows:
            parts.append(f"{benchmark} holds no problem.\n")
            continue
        cells = [tuple(cell.replace("\u2212", "-").replace("\u00a0", " ") for cell in _cells(row)) for row in rows]
        caption = f"{benchmark}. {_conditions(material, rows)}".replace("\u00a0", " ")
        parts.append(f"{_aligned([HEAD, *cells])}\n{caption}\n")
    return "\n".join(parts)


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(cells[column]) for cells in lines) for column in range(len(HEAD))]
    rows = ["| " + " | ".join(_padded(cells, widths)) + " |" for cells in lines]
    rule = "|" + "|".join("-" * (w + 2) if at < 2 else "-" * (w + 1) + ":" for at, w in enumerate(widths)) + "|"
    return "\n".join([rows[0], rule, *rows[1:]]) + "\n"


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    both = zip(cells, widths, strict=True)
    return [cell.ljust(width) if at < 2 else cell.rjust(width) for at, (cell, width) in enumerate(both)]

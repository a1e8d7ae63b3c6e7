"""The results section: accuracies with intervals, and paired differences to before training."""

from __future__ import annotations

from collections.abc import Sequence

from mucode.metrics import Comparison, Estimate
from mucode.policies import GREEDY
from mucode.report.blocks import Block, Figure, Figures, Heading, Paragraph, Section, Table, Terms, colour
from mucode.report.charts import Dot, dots
from mucode.report.results import Row, headline, table
from mucode.report.sources import BEFORE, Material
from mucode.report.words import count, interval, method_name, percent, probability, set_title, signed_points

HEAD = ("answers by", "model", "accuracy", "interval", "n", "difference", "interval", "better : worse", "p")
SEEDS = (
    "Seed by seed: each has models, rollouts and searches of its own. Apart: the highest seed minus the lowest, in "
    "percentage points. The intervals above are over problems, each with all its searches under every seed; how much one "
    "training differs from another is seen here only."
)
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
        blocks += [Heading(set_title(material.conditions(benchmark)))] if len(material.benchmarks) > 1 else []
        blocks += _benchmark(material, benchmark, rows) if rows else [Paragraph(f"{benchmark} holds no problem.")]
    return Section("results", "Results on the test problems", (*blocks, meanings(material)))


def _benchmark(material: Material, benchmark: str, rows: Sequence[Row]) -> list[Block]:
    figures = [_accuracies(material, benchmark, rows)]
    if any(row.change for row in rows):
        figures.append(_changes(material, benchmark, rows))
    return [
        Paragraph(summary(material, benchmark, rows)),
        Figures(tuple(figures)),
        Table(HEAD, tuple(cells(row) for row in rows), caption(material, benchmark, rows), labels=2),
        *([Table(lines[0], tuple(lines[1:]), SEEDS, labels=2)] if (lines := seed_by_seed(material, rows)) else []),
    ]


def summary(material: Material, benchmark: str, rows: Sequence[Row]) -> str:
    """What the table comes down to: a sentence for each method."""
    chosen = [row for row in rows if row.measure == headline(material, benchmark)]
    before = next(row for row in chosen if row.method == BEFORE)
    name, problems = before.measure.name, count(before.accuracy.n, "problem")
    found = f"{percent(before.accuracy.value)} {interval(before.accuracy)}"
    start = f"On {benchmark} ({problems}), {name} solves {found} before training. "
    words = [_after(material, row, row.change) for row in chosen if row.change is not None]
    return start + " ".join(words)


def _after(material: Material, row: Row, change: Comparison) -> str:
    found = change.difference
    verdict = "" if claims_nothing(material) else f": {_verdict(material, change)}"
    start = f"After {row.method}" if row.method in material.trained else f"{row.method}, untrained and in one turn"
    return (
        f"{start}: {percent(row.accuracy.value)} {interval(row.accuracy)}, a paired difference of "
        f"{signed_points(found.value)} points {interval(found, points=True)}, sign test p "
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


def cells(row: Row) -> tuple[str, ...]:
    accuracy = row.accuracy
    start = (row.measure.name, method_name(row.method), percent(accuracy.value), interval(accuracy), str(accuracy.n))
    if row.change is None:
        return (*start, "", "", "", "")
    change = row.change
    found = change.difference
    pair = f"{change.better} : {change.worse}"
    return (*start, signed_points(found.value), interval(found, points=True), pair, probability(change.p_value))


def seed_by_seed(material: Material, rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The table's accuracies under each seed, below their head; nothing where there is one seed."""
    seeds = material.config.study.seeds
    if len(seeds) == 1:
        return []
    head = ("answers by", "model", *(f"seed {seed}" for seed in seeds), "all", "apart")
    return [head, *(_seeds(row) for row in rows)]


def _seeds(row: Row) -> tuple[str, ...]:
    apart = signed_points(max(row.seeds) - min(row.seeds)).lstrip("+")
    each = (percent(value) for value in (*row.seeds, row.accuracy.value))
    return (row.measure.name, method_name(row.method), *each, apart)


def confidence(material: Material) -> str:
    return f"{100 * material.config.report.confidence:g}\u00a0%"


def caption(material: Material, benchmark: str, rows: Sequence[Row]) -> str:
    """The conditions under which a table was measured."""
    search, seeds = material.config.search, len(material.config.study.seeds)
    several = f" under each of {seeds} seeds" if seeds > 1 else ""
    return (
        f"{benchmark}. {count(rows[0].accuracy.n, 'problem')} (n), {count(search.searches, 'search', 'searches')} each"
        f"{several}, at most {count(search.turns, 'turn')}{_single_turn(material)}, temperature "
        f"{search.temperature:g}.{_unusual(material, benchmark)} Intervals: {confidence(material)} bootstrap over "
        "problems, each with all its searches. Differences: paired, in percentage points, with the problems solved "
        "better : worse than before and the p of the exact sign test over them."
    )


def _single_turn(material: Material) -> str:
    names = [name for name in material.methods if material.turns(name) == 1 < material.config.search.turns]
    return f" ({' and '.join(names)}: one)" if names else ""


def _unusual(material: Material, benchmark: str) -> str:
    """What is different about a test set's searches."""
    conditions = material.conditions(benchmark)
    words = (
        ""
        if conditions.public_tests
        else (
            " The public tests are neither shown nor run: every search but the oracle's takes all its turns, revising "
            "without being told what is wrong, and only random, lv and the oracle can choose."
        )
    )
    if conditions.feedback == "random":
        words += (
            " A control: a program is told what another problem\u2019s program was told, so what is gained over the "
            "turns is not owed to the feedback."
        )
    return words


def meanings(material: Material) -> Terms:
    """What the rows are."""
    search = material.config.search
    turns = count(search.turns, "turn")
    every = {
        "random": "A blind pick, so it is what a single sample at each turn would give.",
        "lv": "The highest verifier score.",
        "pt": "The first that passes the public test, else the first.",
        "pt+lv": "A public pass, the verifier deciding among several; if none passes, the highest score.",
        "oracle": "Looks at the private tests too, turn by turn: no method, since nobody has them when it counts. "
        "After turn 1 each goes on from a choice of its own, so that it may end below another.",
    }
    best = (
        f"At each of at most {turns}, {search.candidates} programs are drawn and a selector picks one; the search "
        "ends when the pick passes the public test. By selector:"
    )
    greedy = [(GREEDY, "One program a turn at temperature 0, one search.")] if search.greedy else []
    return Terms(
        (
            ("solved", "The answer passes the public and the private tests."),
            ("pass@1", "One program, first turn: the mean over all first-turn samples, which is unbiased."),
            *greedy,
            (f"best of {search.candidates}", best),
            *((selector, every[selector]) for selector in search.selectors),
        )
    )

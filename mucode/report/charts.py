"""The report's plots: lines with intervals, dots with whiskers, stacked shares, ROC curves and reliability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mucode.metrics import Bin, Curve, Estimate
from mucode.report.svg import (
    Frame,
    Scale,
    area,
    axes,
    axis_titles,
    box,
    dot,
    line,
    nice_ticks,
    path,
    spread,
    svg,
    text,
    whisker,
)
from mucode.report.words import count, interval, percent, signed_points


@dataclass(frozen=True, slots=True)
class Point:
    """A measured value at x, with an interval where there is one."""

    x: float
    value: float
    found: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a plot. `css` is one of the page's colour classes."""

    name: str
    css: str
    points: tuple[Point, ...]
    band: bool = False  # draw the intervals as a band; else as whiskers


def lines(name: str, series: Sequence[Series], x_name: str, y_name: str, top: float) -> Markup:
    """Shares of 1 over whole numbers up to `top`, each line named at its right end."""
    return _lines(name, series, (x_name, y_name), nice_ticks(0, min(1.0, max(top, 0.05))), shares=True)


def losses_chart(name: str, series: Sequence[Series]) -> Markup:
    """Losses by epoch, from zero."""
    ticks = nice_ticks(0, max([0.1, *(p.value for one in series for p in one.points)]))
    return _lines(name, series, ("epoch", "mean loss"), ticks, shares=False)


def _lines(
    name: str, series: Sequence[Series], names: tuple[str, str], ticks: Sequence[float], *, shares: bool
) -> Markup:
    height = max(270, 14 * len(series) + 66)  # so that every line's name has room
    frame = Frame(400, height, left=38, right=max(74.0, *(14 + 6.4 * len(one.name) for one in series)), top=26)
    xs = sorted({point.x for one in series for point in one.points})
    margin = max(0.15, 0.05 * (xs[-1] - xs[0]))
    x, y = frame.x(xs[0] - margin, xs[-1] + margin), frame.y(0, ticks[-1])
    marks = axes(frame, x, y, _sparse(xs, x), [(at, percent(at, 0) if shares else f"{at:g}") for at in ticks])
    marks += axis_titles(frame, *names)
    for one in [one for one in series if one.band]:
        upper = [(x(p.x), y(p.found.high)) for p in one.points if p.found]
        lower = [(x(p.x), y(p.found.low)) for p in one.points if p.found]
        marks.append(area([*upper, *reversed(lower)], f"band {one.css}"))
    for place, one in enumerate(series):
        marks += _line_marks(one, x, y, dodge=0 if one.band else (place - (len(series) - 1) / 2) * 5)
    ends = [y(one.points[-1].value) for one in series]
    places = spread(ends, 14, frame.top, frame.height - frame.bottom)
    right = frame.width - frame.right
    marks += [text(right + 6, at + 4, one.name, f"label {one.css}") for one, at in zip(series, places, strict=True)]
    return svg(frame, name, marks)


def _sparse(xs: Sequence[float], scale: Scale) -> list[tuple[float, str]]:
    """Ticks at the values themselves, without those that would touch the one before."""
    kept: list[float] = []
    for at in xs:
        if not kept or scale(at) - scale(kept[-1]) >= 18:
            kept.append(at)
    return [(at, f"{at:g}") for at in kept]


def _line_marks(one: Series, x: Scale, y: Scale, dodge: float) -> list[Markup]:
    has_whiskers = not one.band and any(p.found for p in one.points)
    shift = dodge if has_whiskers else 0.0
    marks = [path([(x(p.x) + shift, y(p.value)) for p in one.points], f"line {one.css}")]
    if has_whiskers:
        marks += [
            whisker(x(p.x) + shift, y(p.found.low), y(p.found.high), f"whisker {one.css}")
            for p in one.points
            if p.found
        ]
    for p in one.points:
        words = percent(p.value) + (f" {interval(p.found)}" if p.found else "")
        marks.append(dot(x(p.x) + shift, y(p.value), f"dot {one.css}", f"{one.name}, {p.x:g}: {words}"))
    return marks


@dataclass(frozen=True, slots=True)
class Dot:
    """An estimate on a row of a dot plot."""

    name: str
    css: str
    found: Estimate


def dots(name: str, rows: Sequence[tuple[str, Sequence[Dot]]], *, difference: bool = False) -> Markup:
    """Estimates with whiskers, one row for each label; shares of 1, or differences around zero in points."""
    pitch = 14 + 13 * max(len(marks) for _, marks in rows)
    legend = sorted({mark.name: mark.css for _, row in rows for mark in row}.items(), key=lambda item: item[1])
    legend_marks, named = _legend(legend, 20, 460) if len(legend) > 1 else ([], 0.0)
    left = max(112.0, *(16 + 6.2 * len(label) for label, _ in rows))
    frame = Frame(460, named + 50 + pitch * len(rows), left=left, right=16, top=8 + named, bottom=42)
    found = [mark.found for _, row in rows for mark in row]
    low = min([0.0, *(f.low for f in found)])
    ticks = nice_ticks(low, max([0.05, *(f.high for f in found)]), about=6)
    x = frame.x(ticks[0], ticks[-1])
    base = frame.height - frame.bottom
    marks = [line(x(at), frame.top, x(at), base, "axis" if at == 0 else "rule") for at in ticks]
    marks += legend_marks
    shown = [signed_points(at, 0) if difference else percent(at, 0) for at in ticks]
    marks += [text(x(at), base + 16, words, "tick", "middle") for at, words in zip(ticks, shown, strict=True)]
    below = "difference in percentage points" if difference else "problems solved"
    marks.append(text((frame.left + frame.width - frame.right) / 2, frame.height - 6, below, "name", "middle"))
    for place, (label, row) in enumerate(rows):
        middle = frame.top + pitch * (place + 0.5)
        if place:
            marks.append(line(0, middle - pitch / 2, frame.width - frame.right, middle - pitch / 2, "rule"))
        marks.append(text(frame.left - 12, middle + 4, label, "tick", "end"))
        for order, mark in enumerate(row):
            at = middle + (order - (len(row) - 1) / 2) * 13
            marks += _dot_marks(mark, x, at, difference)
    return svg(frame, name, marks)


def _legend(names: Sequence[tuple[str, str]], left: float, right: float) -> tuple[list[Markup], float]:
    """Names in their colours above a plot, in as many lines as they need; and the height of these lines."""
    marks: list[Markup] = []
    at, top = left, 10.0
    for words, css in names:
        width = 34 + 6.8 * len(words)
        if at > left and at + width - 14 > right:
            at, top = left, top + 16
        marks += [dot(at + 4, top, f"dot {css}", radius=4), text(at + 13, top + 4, words, f"label {css}")]
        at += width
    return marks, top + 12


def _dot_marks(mark: Dot, x: Scale, at: float, difference: bool) -> list[Markup]:
    f = mark.found
    words = f"{signed_points(f.value)} points" if difference else percent(f.value)
    ends = [line(x(end), at - 3, x(end), at + 3, f"whisker {mark.css}") for end in (f.low, f.high)]
    return [
        line(x(f.low), at, x(f.high), at, f"whisker {mark.css}"),
        *ends,
        dot(x(f.value), at, f"dot {mark.css}", f"{mark.name}: {words} {interval(f, points=difference)}", radius=4.5),
    ]


def roc_chart(name: str, curves: Sequence[tuple[str, str, Curve]]) -> Markup:
    """ROC curves (name, css, curve); the diagonal is a coin."""
    frame, x, y = _unit_square([(title, css) for title, css, _ in curves])
    marks = _unit_marks(frame, x, y, "wrong programs above the threshold", "correct programs above it")
    for place, (title, css, curve) in enumerate(curves):
        points = list(zip(curve.false_positive_rate, curve.true_positive_rate, strict=True))
        marks += _key(frame, place, title, css)
        marks.append(path([(x(a), y(b)) for a, b in points], f"line {css}"))
    return svg(frame, name, marks)


def reliability_chart(name: str, series: Sequence[tuple[str, str, Sequence[Bin]]]) -> Markup:
    """Observed over predicted probability; a dot's area is its number of programs."""
    frame, x, y = _unit_square([(title, css) for title, css, _ in series])
    marks = _unit_marks(frame, x, y, "predicted probability of a correct program", "share that is correct")
    largest = max(group.n for _, _, bins in series for group in bins)
    for place, (title, css, bins) in enumerate(series):
        marks += _key(frame, place, title, css)
        marks.append(path([(x(group.probability), y(group.correct)) for group in bins], f"thin {css}"))
        marks += [_bubble(title, css, group, (x, y), largest) for group in bins]
    return svg(frame, name, marks)


def _bubble(title: str, css: str, group: Bin, scales: tuple[Scale, Scale], largest: int) -> Markup:
    x, y = scales
    predicted, observed = percent(group.probability), percent(group.correct)
    words = f"{title}: predicted {predicted}, observed {observed}, {count(group.n, 'program')}"
    size = max(2.5, 11 * (group.n / largest) ** 0.5)
    return dot(x(group.probability), y(group.correct), f"bubble {css}", words, size)


def _unit_square(names: Sequence[tuple[str, str]]) -> tuple[Frame, Scale, Scale]:
    """Room for a square plot of shares below a line for each name."""
    top = 32.0 + 16 * len(names)
    frame = Frame(400, 318 + top, left=44, right=26, top=top)
    return frame, frame.x(0, 1), frame.y(0, 1)


def _unit_marks(frame: Frame, x: Scale, y: Scale, below: str, above: str) -> list[Markup]:
    ticks = [(at / 4, percent(at / 4, 0)) for at in range(5)]
    diagonal = path([(x(0), y(0)), (x(1), y(1))], "diagonal")
    return [*axes(frame, x, y, ticks, ticks), *axis_titles(frame, below, above), diagonal]


def _key(frame: Frame, place: int, title: str, css: str) -> list[Markup]:
    """A line of the legend above a square plot."""
    at = 10.0 + 16 * place
    return [dot(frame.left + 4, at, f"dot {css}", radius=4), text(frame.left + 13, at + 4, title, f"label {css}")]


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a stacked bar."""

    name: str
    css: str
    count: int


def stacked(name: str, rows: Sequence[tuple[str, Sequence[Share]]]) -> Markup:
    """Bars of the same length, parts in the order given; the legend stands above."""
    legend = list({share.name: share.css for _, row in rows for share in row if share.count}.items())
    frame = Frame(760, 34 * len(rows) + 44, left=150, right=64, top=42, bottom=2)
    marks: list[Markup] = []
    at = frame.left
    for words, css in legend:
        marks += [box(at, 8, 10, 10, f"part {css}"), text(at + 15, 17, words, "tick")]
        at += 27 + 6.6 * len(words)
    for place, (label, row) in enumerate(rows):
        top, total = frame.top + 34 * place, sum(share.count for share in row)
        x = frame.x(0, max(total, 1))
        marks.append(text(frame.left - 10, top + 16, label, "tick", "end"))
        marks.append(text(frame.width - frame.right + 8, top + 16, f"n = {total}", "tick"))
        start = 0
        for share in row:
            if share.count:
                left, width = x(start), x(start + share.count) - x(start)
                words = f"{label}: {share.name}, {share.count} of {total} ({percent(share.count / total)})"
                marks.append(box(left, top, width, 24, f"part {share.css}", words))
                if width > 44:
                    marks.append(
                        text(
                            left + width / 2, top + 16, percent(share.count / total, 0), f"inside {share.css}", "middle"
                        )
                    )
            start += share.count
    return svg(frame, name, marks)

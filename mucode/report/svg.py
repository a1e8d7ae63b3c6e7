"""Inline SVG by hand: a few marks, a scale, axes. Colours are classes of the page, so plots follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map of values to pixels."""

    low: float
    high: float
    start: float  # pixel of `low`
    end: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot's size and the pixels of its inner rectangle."""

    width: float
    height: float
    left: float
    right: float  # pixels left free at the right, for direct labels
    top: float = 14
    bottom: float = 40

    def x(self, low: float, high: float) -> Scale:
        return Scale(low, high, self.left, self.width - self.right)

    def y(self, low: float, high: float) -> Scale:
        return Scale(low, high, self.height - self.bottom, self.top)


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten apart) that span low to high."""
    span = high - low or 1.0
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if span / (power * factor) <= about + 1e-9)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * index, 10) for index in range(first, last + 1)]


def number(value: float) -> str:
    """A coordinate: two decimals, the same on every machine."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(css, *map(number, (x1, y1, x2, y2)))


def text(x: float, y: float, words: str, css: str = "", anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        css, number(x), number(y), anchor, words
    )


def dot(x: float, y: float, css: str, title: str = "", radius: float = 3.5) -> Markup:
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}">{}</circle>').format(
        css, number(x), number(y), number(radius), hint(title)
    )


def box(x: float, y: float, width: float, height: float, css: str, title: str = "") -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}">{}</rect>').format(
        css, *map(number, (x, y, width, height)), hint(title)
    )


def path(points: Sequence[tuple[float, float]], css: str) -> Markup:
    return Markup('<polyline class="{}" points="{}"/>').format(css, _coordinates(points))


def area(points: Sequence[tuple[float, float]], css: str) -> Markup:
    return Markup('<polygon class="{}" points="{}"/>').format(css, _coordinates(points))


def hint(title: str) -> Markup:
    """What a pointer that rests on a mark is told."""
    return Markup("<title>{}</title>").format(title) if title else Markup("")


def whisker(x: float, low: float, high: float, css: str) -> Markup:
    """A vertical interval with small caps, in pixels."""
    caps = [line(x - 3, y, x + 3, y, css) for y in (low, high)]
    return Markup("").join([line(x, low, x, high, css), *caps])


def svg(frame: Frame, name: str, marks: Sequence[Markup]) -> Markup:
    """The element; `name` is what a screen reader says."""
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        number(frame.width), number(frame.height), name, Markup("").join(marks)
    )


def axes(
    frame: Frame, x: Scale, y: Scale, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]]
) -> list[Markup]:
    """Horizontal rules with labels at the left, labels below the base line."""
    right, base = frame.width - frame.right, frame.height - frame.bottom
    marks = [line(frame.left, y(at), right, y(at), "rule") for at, _ in y_ticks]
    marks += [text(frame.left - 6, y(at) + 4, words, "tick", "end") for at, words in y_ticks]
    marks += [line(frame.left, base, right, base, "axis")]
    marks += [text(x(at), base + 16, words, "tick", "middle") for at, words in x_ticks]
    return marks


def axis_titles(frame: Frame, below: str, above: str) -> list[Markup]:
    """The horizontal axis's name below it; the vertical one's on top, where it needs no turned letters."""
    middle = (frame.left + frame.width - frame.right) / 2
    return [
        text(middle, frame.height - 6, below, "name", "middle"),
        text(frame.left, frame.top - 12, above, "name"),
    ]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, at least `gap` apart and within [low, high] if they fit, in the order given."""
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    placed = [min(max(wanted[index], low), high) for index in order]
    for place in range(1, len(placed)):
        placed[place] = max(placed[place], placed[place - 1] + gap)
    limit = high
    for place in range(len(placed) - 1, -1, -1):
        placed[place] = min(placed[place], limit)
        limit = placed[place] - gap
    result = [0.0] * len(placed)
    for position, index in zip(placed, order, strict=True):
        result[index] = position
    return result


def _coordinates(points: Sequence[tuple[float, float]]) -> Markup:
    return escape(" ".join(f"{number(x)},{number(y)}" for x, y in points))

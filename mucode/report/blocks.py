"""What a section of the page is made of; the template draws each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or two."""

    text: str
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True, slots=True)
class Heading:
    """What the blocks below it are about, where a section goes through several test sets."""

    text: str
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot and what one sees in it."""

    title: str
    drawing: Markup
    caption: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Plots side by side where there is room; `wide` ones take a row each and scroll on a small screen."""

    figures: tuple[Figure, ...]
    wide: bool = False
    folded: str = ""  # a summary line behind which they wait; "" shows them
    kind: Literal["figures"] = "figures"


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as words. The first `labels` columns are text, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    labels: int = 1
    folded: str = ""  # a summary line behind which the table waits; "" shows it
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class Terms:
    """Words and what they mean."""

    terms: tuple[tuple[str, str], ...]
    kind: Literal["terms"] = "terms"


@dataclass(frozen=True, slots=True)
class TurnView:
    """One turn of an episode, as shown."""

    number: int
    program: str
    codeless: bool
    outcome: str
    correct: bool
    observation: str


@dataclass(frozen=True, slots=True)
class Episode:
    """A rollout to read. Every string in it may be a model's."""

    title: str
    why: str
    where: str
    problem: str
    tests: str
    turns: tuple[TurnView, ...]


@dataclass(frozen=True, slots=True)
class Episodes:
    """Rollouts, turn by turn."""

    episodes: tuple[Episode, ...]
    kind: Literal["episodes"] = "episodes"


Block = Paragraph | Heading | Figures | Table | Terms | Episodes


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of the page."""

    id: str
    title: str
    blocks: tuple[Block, ...]


def colour(index: int) -> str:
    """The CSS class of a method's colour; 0 is before training. Eight hues that colour-blind readers can tell apart."""
    return f"c{index if index == 0 else 1 + (index - 1) % 7}"

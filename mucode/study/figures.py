"""The study's figures as SVG files of their own: by N, by turn, by loss. Equal studies give equal bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.resources import files

from mucode.report.blocks import Figure, colour
from mucode.report.charts import Point, Series, lines
from mucode.study.cells import Spec, bootstrap_of, find, value
from mucode.study.collected import Collected
from mucode.study.first import picks_figure
from mucode.study.tables import candidates, named, shared_seeds, trained_under
from mucode.study.turns import BEST, BEST_BLIND, BY_TURN

DRAWN = "N, programs drawn at each turn"
N = (DRAWN, "Best of N with pt+lv on MBPP, three turns{}.")  # axis, caption
TURN = ("turn", "MBPP after each turn, best of 5: {}.")
WITH, WITHOUT = "with public tests (pt+lv{})", "without (lv{})"
LOSS = (DRAWN, "Best of N on MBPP of µCode by each loss: of its verifier, and so of what the generator learned from{}.")
Line = tuple[str, list[tuple[int, Spec]], set[int] | None]  # name, points, seeds (None: all that there are)


def figures(pieces: Sequence[Collected]) -> dict[str, Figure]:
    """File name -> plot, of those that the pieces have numbers for."""
    own = {piece.name: piece for piece in pieces if piece.name in {"candidates", "loss"}}
    both = list(own.values())
    ns = candidates(both)
    under = trained_under(pieces, "candidates", "loss")
    drawn = {
        "n": _drawn("By N", both, _by_n(ns, ("instruct", "mucode"), ("bradley_terry",)), (N[0], N[1].format(under))),
        "first": picks_figure(pieces),
        "turns": _drawn("By turn", pieces, _by_turn(pieces), (TURN[0], TURN[1].format(_turns(pieces)))),
    }
    if len(own) > 1 and find(both, Spec("mucode", n=ns[-1], loss="bce")):
        words = (LOSS[0], LOSS[1].format(under))
        drawn["loss"] = _drawn("By loss", both, _by_n(ns, ("mucode",), ("bradley_terry", "bce")), words)
    return {f"study-{name}.svg": figure for name, figure in drawn.items() if figure}


def as_file(figure: Figure) -> str:
    """The page's element as a file: with its namespace, and with the page's colours."""
    style = files("mucode.report").joinpath("page.css").read_text(encoding="utf-8")
    start, _, rest = str(figure.drawing).partition(">")
    head = start.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return f"{head}>\n<style>{style}</style>\n{rest}\n"


def _turns(pieces: Sequence[Collected]) -> str:
    """Which kinds of searches there are; they may rest on other trainings."""
    kinds = {WITH: shared_seeds(pieces, BY_TURN[BEST]), WITHOUT: shared_seeds(pieces, BY_TURN[BEST_BLIND])}
    return ", and ".join(words.format(f", {named(seeds)}") for words, seeds in kinds.items() if seeds is not None)


def _by_n(ns: Sequence[int], methods: Sequence[str], losses: Sequence[str]) -> Iterable[Line]:
    for method in methods:
        for loss in losses:
            name = method if len(losses) == 1 else loss.replace("_", "-")
            yield name, [(n, Spec(method, n=n, loss=loss)) for n in ns], None


def _by_turn(pieces: Sequence[Collected]) -> Iterable[Line]:
    for kind, words in ((BEST, ""), (BEST_BLIND, ", no tests")):
        seeds = shared_seeds(pieces, BY_TURN[kind])
        for spec in BY_TURN[kind]:
            yield f"{spec.method}{words}", [(turn, replace(spec, turns=turn)) for turn in (1, 2, 3)], seeds


def _drawn(title: str, pieces: Sequence[Collected], wanted: Iterable[Line], words: tuple[str, str]) -> Figure | None:
    axis, caption = words
    series = []
    for place, (name, points, seeds) in enumerate(wanted):
        found = [
            Point(x, estimate.value, estimate)
            for x, spec in points
            if (cell := find(pieces, spec)) and (estimate := value(cell, bootstrap_of(pieces), seeds))
        ]
        if found:
            series.append(Series(name, colour(place), tuple(found)))
    if not series:
        return None
    top = max(point.found.high for one in series for point in one.points if point.found)
    return Figure(title, lines(title, series, axis, "problems solved", top), caption)

"""Accuracy after each turn: what the turns add, and where along them two methods come to differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mucode.metrics import Bootstrap, Comparison, Outcomes, compare
from mucode.policies import GREEDY
from mucode.report.blocks import Table
from mucode.study.cells import BLIND, HUMANEVAL, Cell, Spec, alike, bootstrap_of, difference, find
from mucode.study.collected import Collected
from mucode.study.tables import NOT_RUN, cell_text, named, shared_seeds
from mucode.study.words import points

METHODS, TURNS = ("instruct", "multi_star", "mucode"), (1, 2, 3)
BEST, BEST_BLIND, ONE = "public tests, pt+lv", "no public tests, lv", "public tests, greedy"
ELSEWHERE, ONE_ELSEWHERE = "HumanEval, pt+lv", "HumanEval, greedy"
BY_TURN = {
    BEST: [Spec(method) for method in METHODS],
    BEST_BLIND: [Spec(method, BLIND, selector="lv") for method in METHODS],
    ONE: [Spec(method, selector=GREEDY, n=1) for method in METHODS],
    ELSEWHERE: [Spec(method, HUMANEVAL) for method in METHODS],
    ONE_ELSEWHERE: [Spec(method, HUMANEVAL, GREEDY, n=1) for method in METHODS],
}
CAPTION = (
    "MBPP where not said otherwise, best of 5 or one greedy program a turn, under the seeds that all methods run so "
    "far have{}; a search that passed the public test keeps its answer. "
    "Last column: turn 3 minus turn 1. Gains and differences are paired, in points; differences under all seeds that "
    "both have. A lead at turn 1 is not recovery, which shows in what later turns add, most cleanly in the greedy "
    "rows."
)


def by_turn_table(pieces: Sequence[Collected]) -> Table:
    """Every method's accuracy after each turn, and of µCode and Multi-STaR the paired difference."""
    head = ("searches", "method", "turn 1", "turn 2", "turn 3", "turn 1 to 3")
    lines: list[tuple[str, ...]] = []
    shared: list[str] = []
    for words, specs in BY_TURN.items():
        if not any(find(pieces, spec) for spec in specs):
            continue
        seeds = shared_seeds(pieces, specs)
        shared.append(f"{words}: {named(seeds)}")
        for spec in specs:
            found = _cells(pieces, spec, seeds)
            cells = [cell_text(cell, pieces) for cell in found]
            lines.append((words, spec.method, *cells, _points(_gain(spec, found, bootstrap_of(pieces)))))
        rival, ours = (_cells(pieces, spec, None) for spec in specs[1:])
        changes = _differences(rival, ours, bootstrap_of(pieces))
        lines.append((words, "mucode minus multi_star", *(_points(change, _size(rival, ours)) for change in changes)))
    under = f" ({'; '.join(shared)})" if shared else ""
    return Table(head, tuple(lines), CAPTION.format(under), labels=2)


def _cells(pieces: Sequence[Collected], spec: Spec, seeds: set[int] | None) -> list[Cell | None]:
    """Turn by turn."""
    return [_under(find(pieces, replace(spec, turns=turn)), seeds) for turn in TURNS]


def _under(cell: Cell | None, seeds: set[int] | None) -> Cell | None:
    own = {} if cell is None else {s: found for s, found in cell.by_seed.items() if seeds is None or s in seeds}
    return Cell(own) if own else None


def _gain(spec: Spec, cells: Sequence[Cell | None], bootstrap: Bootstrap) -> Comparison | None:
    """What the turns add; with public tests no search can lose, for one that passed them keeps its answer."""
    first, *_, last = cells
    lower = None if spec.benchmark == BLIND else 0.0
    return difference(first, last, bootstrap, lower) if first and last else None


def _differences(
    rival: Sequence[Cell | None], ours: Sequence[Cell | None], bootstrap: Bootstrap
) -> list[Comparison | None]:
    """After each turn, and of the gain over the turns."""
    by_turn = [
        difference(before, after, bootstrap) if before and after else None
        for before, after in zip(rival, ours, strict=True)
    ]
    found = [cell for pair in (rival[0], rival[-1], ours[0], ours[-1]) if (cell := pair) is not None]
    if len(found) < 4:
        return [*by_turn, None]
    first, last, our_first, our_last = (cell.outcomes() for cell in alike(found))
    return [*by_turn, compare(_minus(last, first), _minus(our_last, our_first), bootstrap, bound=2.0)]


def _size(rival: Sequence[Cell | None], ours: Sequence[Cell | None]) -> str:
    """What the differences rest on."""
    if not (rival[-1] and ours[-1]):
        return ""
    cell, _ = alike([rival[-1], ours[-1]])
    return f", n = {len(cell.outcomes())} × {cell.searches}"


def _minus(after: Outcomes, before: Outcomes) -> Outcomes:
    """Search by search."""
    return {name: tuple(b - a for a, b in zip(before[name], after[name], strict=True)) for name in before}


def _points(found: Comparison | None, size: str = "") -> str:
    return NOT_RUN if found is None else f"{points(found.difference)}{size}"

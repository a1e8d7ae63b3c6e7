"""What lies behind the results: data, trainings, verifiers, cost."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from mucode.report.blocks import Table
from mucode.study.account import Data, Learned, Ranked
from mucode.study.collected import Collected
from mucode.study.meter import Spent

COST = (
    "Hours are what it took to bring a piece about, where what pieces share was paid by the first; tokens are those that "
    "its files hold, shared ones included."
)
DATA = "Solved: problems with a correct program in any turn. Repaired: failures followed by a correct program."
RANKED = (
    "The distinct programs that the searches sampled; an AUC of 0.5 is a coin. Problems: those with correct and wrong "
    "programs."
)
Row = TypeVar("Row")


def data_table(pieces: Sequence[Collected]) -> Table:
    """Each round of rollouts: what there was to learn from, and whether feedback was of use."""
    head = ("rollouts", "problems", "solved", "episodes", "turns", "correct", "failures gone on from", "repaired")
    rows = _once(((piece.name, row) for piece in pieces for row in piece.account.data), lambda row: row)
    return Table(head, tuple(_data(row) for _, row in rows), DATA)


def trainings_table(pieces: Sequence[Collected]) -> Table:
    head = ("training", "of", "piece", "loss by epoch", "examples", "tokens")
    rows = ((piece.name, row) for piece in pieces for row in piece.account.learned)
    found = _once(rows, lambda row: (row.kind, row.key, row.losses))
    return Table(head, tuple(_learned(name, row) for name, row in found), "", labels=3)


def verifiers_table(pieces: Sequence[Collected]) -> Table:
    """How well each pair's verifier ranks the programs of problems that it was not trained on."""
    head = ("verifier of", "test set", "piece", "programs", "correct", "problems", "AUC within problems", "interval")
    rows = _once(((piece.name, row) for piece in pieces for row in piece.account.ranked), lambda row: row)
    return Table(head, tuple(_ranked(name, row) for name, row in rows), RANKED, labels=3)


def cost_table(pieces: Sequence[Collected]) -> Table:
    head = ("piece", "hours", "energy", "tokens generated", "tokens trained on")
    lines: list[tuple[str, ...]] = []
    for piece in pieces:
        tokens = piece.account.tokens
        numbers = (sum(each.generated for each in tokens), sum(each.trained for each in tokens))
        lines.append((piece.name, *_spent(piece.spent), *(f"{number:,}" for number in numbers)))
    together = sum((piece.spent for piece in pieces[1:]), start=pieces[0].spent)
    return Table(head, (*lines, ("together", *_spent(together), "", "")), COST)


def _once(rows: Iterable[tuple[str, Row]], key: Callable[[Row], Hashable]) -> list[tuple[str, Row]]:
    """Rows that several pieces share, under the first one's name."""
    found: dict[Hashable, tuple[str, Row]] = {}
    for name, row in rows:
        found.setdefault(key(row), (name, row))
    return list(found.values())


def _data(row: Data) -> tuple[str, ...]:
    numbers = (row.problems, row.solved, row.rollouts, row.turns, row.correct, row.failures, row.repaired)
    return (row.key, *map(str, numbers))


def _learned(piece: str, row: Learned) -> tuple[str, ...]:
    numbers = (f"{row.numbers[name]:,.0f}" if name in row.numbers else "" for name in ("examples", "tokens"))
    return (row.kind, row.key, piece, " ".join(f"{loss:.3f}" for loss in row.losses), *numbers)


def _ranked(piece: str, row: Ranked) -> tuple[str, ...]:
    counts = (f"{row.programs:,}", f"{row.correct:,}", str(row.problems))
    if row.auc is None:
        return (row.group, row.benchmark, piece, *counts, "", "")
    return (row.group, row.benchmark, piece, *counts, f"{row.auc:.3f}", f"[{row.auc_low:.3f}, {row.auc_high:.3f}]")


def _spent(cost: Spent) -> tuple[str, str]:
    energy = "not told" if cost.joules is None else f"{cost.joules / 3.6e6:.2f} kWh"
    return f"{cost.seconds / 3600:.2f}", energy

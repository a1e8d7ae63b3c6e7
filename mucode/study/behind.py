"""What lies behind the results: data, trainings, verifiers, cost."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from mucode.report.blocks import Table
from mucode.report.words import interval, percent
from mucode.study.account import Data, Learned, Ranked, Tokens
from mucode.study.cells import verifier_of
from mucode.study.collected import Collected
from mucode.study.drawn import Drawn
from mucode.study.meter import Spent

COST = (
    "Hours are what it took to bring a piece about; what pieces share was paid by the one that ran first, and what was "
    "tried in other workspaces is not in them. Tokens are those that a piece's files hold, shared ones included; together "
    "each stage counts once."
)
LEARNED = "Examples: pairs of programs (verifier), demonstrations (generator); tokens of one epoch, without padding."
DATA = "Solved: problems with a correct program in any turn. Repaired: failures followed by a correct program."
RANKED = (
    "The distinct programs that the searches sampled; an AUC of 0.5 is a coin. Problems: those with correct and wrong "
    "programs."
)
DRAWN = (
    "Best of N with pt+lv (without public tests: lv); later turns hold the problems that had not passed the public test. "
    "Shares are means over these problems, with bootstrap intervals. The same again: the very text that has just failed."
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
    return Table(head, tuple(_learned(name, row) for name, row in found), LEARNED, labels=3)


def verifiers_table(pieces: Sequence[Collected]) -> Table:
    """How well each pair's verifier ranks the programs of problems that it was not trained on."""
    numbers = ("programs", "correct", "problems", "AUC within problems", "interval")
    head = ("programs of", "verifier", "test set", "piece", *numbers)
    rows = [(piece, row) for piece in pieces for row in piece.account.ranked]
    found = _once(((piece.name, (_verifier(piece, row), row)) for piece, row in rows), lambda row: row)
    return Table(head, tuple(_ranked(name, *row) for name, row in found), RANKED, labels=4)


def drawn_table(pieces: Sequence[Collected]) -> Table:
    """What the searches drew turn by turn: where feedback is of no use, the same program comes again."""
    head = (
        "programs of",
        "test set",
        "turn",
        "piece",
        "states",
        "programs",
        "right",
        "the same again",
        "distinct at a state",
    )
    rows = _once(((piece.name, row) for piece in pieces for row in piece.account.drawn), lambda row: row)
    return Table(head, tuple(_drawn(name, row) for name, row in rows), DRAWN, labels=4)


def cost_table(pieces: Sequence[Collected]) -> Table:
    head = ("piece", "hours", "energy", "tokens generated", "tokens trained on")
    lines: list[tuple[str, ...]] = []
    for piece in pieces:
        lines.append((piece.name, *_spent(piece.spent), *_tokens(piece.account.tokens)))
    together = sum((piece.spent for piece in pieces[1:]), start=pieces[0].spent)
    distinct = {each for piece in pieces for each in piece.account.tokens}
    return Table(head, (*lines, ("together", *_spent(together), *_tokens(distinct))), COST)


def _tokens(rows: Iterable[Tokens]) -> tuple[str, str]:
    own = list(rows)
    return f"{sum(row.generated for row in own):,}", f"{sum(row.trained for row in own):,}"


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
    examples = row.numbers.get("examples", row.numbers.get("demonstrations"))
    numbers = ("" if number is None else f"{number:,.0f}" for number in (examples, row.numbers.get("tokens")))
    return (row.kind, row.key, piece, " ".join(f"{loss:.3f}" for loss in row.losses), *numbers)


def _verifier(piece: Collected, row: Ranked) -> str:
    """Its loss, and how often it was trained."""
    config, method = piece.material.config, row.group.rsplit("-", 1)[0]
    return f"{config.verifier.loss.replace('_', '-')}, {verifier_of(piece.material, method)}"


def _ranked(piece: str, verifier: str, row: Ranked) -> tuple[str, ...]:
    counts = (f"{row.programs:,}", f"{row.correct:,}", str(row.problems))
    if row.auc is None:
        return (row.group, verifier, row.benchmark, piece, *counts, "", "")
    interval = f"[{row.auc_low:.3f}, {row.auc_high:.3f}]"
    return (row.group, verifier, row.benchmark, piece, *counts, f"{row.auc:.3f}", interval)


def _drawn(piece: str, row: Drawn) -> tuple[str, ...]:
    shares = (
        "" if each is None else f"{percent(each.value)} {interval(each)}"
        for each in (row.right, row.again, row.distinct)
    )
    return (row.group, row.benchmark, str(row.turn), piece, str(row.states), f"{row.programs:,}", *shares)


def _spent(cost: Spent) -> tuple[str, str]:
    energy = "not told" if cost.joules is None else f"{cost.joules / 3.6e6:.2f} kWh"
    return f"{cost.seconds / 3600:.2f}", energy

"""What lies behind the results: data, trainings, verifiers, cost."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from mucode.report.blocks import Table
from mucode.report.words import percent
from mucode.study.account import Data, Learned, Ranked, Tokens
from mucode.study.cells import verifier_of
from mucode.study.collected import Collected
from mucode.study.drawn import Drawn
from mucode.study.imitated import Imitated
from mucode.study.meter import Spent
from mucode.study.words import share

COST = (
    "Hours are what it took to bring a piece about; what pieces share was paid by the one that ran first, and what was "
    "tried in other workspaces is not in them, but runs whose result was discarded are. Tokens are those that a piece's "
    "files hold, shared ones included; together each stage counts once."
)
LEARNED = (
    "Loss by epoch: each epoch's mean over its optimizer steps. Examples: pairs of programs (verifier), demonstrations "
    "(generator); tokens of one epoch, without padding."
)
IMITATED = (
    "What generators are trained on: of D*, at most as many states of a problem as the parameters allow. Turn 1: "
    "problems with their first turn among these. Programs: different ones to imitate. Weight: the share of the "
    "demonstrations' weight, by which each counts in the loss, that states after a failure have."
)
DATA = (
    "Correct: turns with a correct program, each the last of its episode. Failures gone on from: failed programs "
    "that another turn followed. Solved: problems with a correct program in any turn. Repaired: failures followed by "
    "a correct program."
)
RANKED = (
    "The distinct programs that the searches sampled, greedy ones included, of problems with correct and wrong ones; "
    "AUC: computed within each problem, then averaged, all alike; 0.5 is guessing. Passers: of the public test. "
    "Between these alone pt+lv lets the verifier decide what is right; elsewhere it chooses which failure to go on "
    "from. Without public tests it decides among all."
)
DRAWN = (
    "Best of N with pt+lv (without public tests: lv); later turns hold the problems that had not passed the public test "
    "(without public tests: all). "
    "Each method's own, so the problems differ from row to row. States: one for each search that got so far. Shares are "
    "means over the problems, all alike, with bootstrap intervals. The same again: the very text that "
    "was chosen in the turn before and had failed (without public tests it may have been right). A reply without a program "
    "is a text of its own. Distinct: different texts among the programs drawn at a state."
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


def imitated_table(pieces: Sequence[Collected]) -> Table:
    """What each generator was shown, and how much of it after a failure."""
    head = ("generator", "piece", "demonstrations", "problems", "turn 1", "programs", "after a failure", "weight")
    rows = _once(((piece.name, row) for piece in pieces for row in piece.account.imitated), lambda row: row)
    return Table(head, tuple(_imitated(name, row) for name, row in rows), IMITATED, labels=2)


def verifiers_table(pieces: Sequence[Collected]) -> Table:
    """How well each pair's verifier ranks the programs of problems that it was not trained on."""
    numbers = ("programs", "correct", "problems", "AUC within problems", "interval")
    head = ("programs of", "verifier", "test set", "among", "piece", *numbers)
    rows = [(piece, row) for piece in pieces for row in piece.account.ranked]
    found = _once(((piece.name, (_verifier(piece, row), row)) for piece, row in rows), lambda row: row)
    return Table(head, tuple(_ranked(name, *row) for name, row in found), RANKED, labels=5)


def drawn_table(pieces: Sequence[Collected]) -> Table:
    """What the searches drew turn by turn: where feedback is of no use, the same program comes again."""
    head = (
        "programs of",
        "test set",
        "turn",
        "piece",
        "problems",
        "states",
        "programs",
        "pass public",
        "of these wrong",
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
    to_come = [f"{piece.name} ({', '.join(piece.to_come)})" for piece in pieces if piece.to_come and not piece.closed]
    words = f"{COST} Not at its end: {'; '.join(to_come)}." if to_come else COST
    return Table(head, (*lines, ("together", *_spent(together), *_tokens(distinct))), words)


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


def _imitated(piece: str, row: Imitated) -> tuple[str, ...]:
    numbers = (row.demonstrations, row.problems, row.first_turns, row.programs, row.after_failure)
    return (row.key, piece, *map(str, numbers), percent(row.weight))


def _verifier(piece: Collected, row: Ranked) -> str:
    """Its loss, and how often it was trained."""
    config, method = piece.material.config, row.group.rsplit("-", 1)[0]
    return f"{config.verifier.loss.replace('_', '-')}, {verifier_of(piece.material, method)}"


def _ranked(piece: str, verifier: str, row: Ranked) -> tuple[str, ...]:
    labels = (row.group, verifier, row.benchmark, row.among, piece, f"{row.programs:,}", f"{row.correct:,}")
    if row.auc is None:
        return (*labels, "0", "", "")
    return (*labels, str(row.auc.n), f"{row.auc.value:.3f}", f"[{row.auc.low:.3f}, {row.auc.high:.3f}]")


def _drawn(piece: str, row: Drawn) -> tuple[str, ...]:
    shares = map(share, (row.right, row.again, row.distinct))
    return (row.group, row.benchmark, str(row.turn), piece, str(row.right.n), *_counts(row), *shares)


def _counts(row: Drawn) -> tuple[str, ...]:
    wrong = f"{row.wrong_passers} ({percent(row.wrong_passers / row.passers, 0)})" if row.passers else ""
    return str(row.states), f"{row.programs:,}", str(row.passers), wrong


def _spent(cost: Spent) -> tuple[str, str]:
    energy = "not measured" if cost.joules is None else f"{cost.joules / 3.6e6:.2f} kWh"
    return f"{cost.seconds / 3600:.2f}", energy

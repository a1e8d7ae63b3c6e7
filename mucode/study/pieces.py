"""The pieces of the study, largest effect first, and what each is to decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mucode.types import MucodeError
from mucode.workspace import DEFAULT, STUDY


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the study that runs by itself: profiles/study/NAME.yaml."""

    name: str
    decides: str

    def size(self, over: str = DEFAULT) -> str:
        """The size that it runs as; `over` is a profile laid over it, such as smoke."""
        return f"{STUDY}/{self.name}" + ("" if over == DEFAULT else f"+{over}")


PIECES = (
    Piece("main", "mucode minus multi_star on MBPP: the primary comparison"),
    Piece("methods", "Tables 1 and 2: every method under one seed"),
    Piece("humaneval", "Table 1 on HumanEval: do the main rows hold elsewhere?"),
    Piece("selectors", "Table 3: who picks among the programs of a turn"),
    Piece("candidates", "the figure by N"),
    Piece("rft", "RFT_LV: the verifier's best rollouts instead of the expert's programs"),
    Piece("loss", "Bradley-Terry against BCE, by N"),
    Piece("verifier", "a verifier trained on the trained generator's rollouts against one trained once"),
    Piece("blind", "without public tests: does µCode recover over the turns?"),
    Piece("feedback", "a control: is it the feedback that helps?"),
)

MAIN_ROWS = ("main", "methods", "humaneval")  # whose searches Tables 1 and 2 are made of; others may have other seeds


def chosen(names: Sequence[str]) -> list[Piece]:
    """The named pieces in the study's order; none named: all of them.

    Raises:
        MucodeError: no such piece.
    """
    known = {piece.name for piece in PIECES}
    if unknown := [name for name in names if name not in known]:
        raise MucodeError(f"the study has no piece {unknown[0]!r}: choose among {', '.join(p.name for p in PIECES)}")
    return [piece for piece in PIECES if not names or piece.name in names]

"""results.json: a row for each piece, method, seed, test set, selector, N and number of turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mucode.report.results import Result, results
from mucode.report.write import DECIMALS
from mucode.study.cells import verifier_of
from mucode.study.collected import Collected


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One row; accuracies and the ends of their intervals are shares of 1."""

    method: str
    dataset: str
    split: str
    public_tests: bool
    selector: str  # "greedy": one program a turn at temperature 0
    n: int
    turns: int
    loss: str
    verifier: str  # each | once
    searches: int  # of each problem, under this seed
    seed: int
    accuracy: float
    ci_low: float
    ci_high: float
    problems: int
    piece: str  # whose searches these are; searches that pieces share are the first one's


def study_rows(pieces: Sequence[Collected]) -> list[StudyRow]:
    """Every accuracy of multi-turn search that the pieces hold; the control with another problem's feedback is none."""
    rows: dict[StudyRow, StudyRow] = {}
    for piece in pieces:
        for found in results(piece.material):
            if found.metric == "bon" and found.feedback == "execution":
                row = _row(piece, found)
                rows.setdefault(replace(row, piece=""), row)
    return list(rows.values())


def as_json(rows: Sequence[StudyRow]) -> list[dict[str, Any]]:
    return [{n: round(v, DECIMALS) if isinstance(v, float) else v for n, v in asdict(row).items()} for row in rows]


def _row(piece: Collected, found: Result) -> StudyRow:
    assert found.selector is not None  # of "bon"
    return StudyRow(
        method=found.method,
        dataset=found.dataset,
        split=found.split,
        public_tests=found.public_tests,
        selector=found.selector,
        n=found.n,
        turns=found.turns,
        loss=found.loss,
        verifier=verifier_of(piece.material, found.method),
        searches=found.searches,
        seed=found.seed,
        accuracy=found.accuracy,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        problems=found.problems,
        piece=piece.name,
    )

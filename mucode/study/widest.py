"""Best of N at the first turn for every N, from the most programs that a search of the study has drawn there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mucode.metrics import Outcomes, estimate
from mucode.report.blocks import Table
from mucode.report.panels import ranked_rewards, subsets
from mucode.report.results import joined
from mucode.study.cells import MBPP, bootstrap_of
from mucode.study.collected import Collected
from mucode.study.first import SHOWN, TRUSTED
from mucode.study.words import share

_LOSSES = {"candidates": "Bradley-Terry", "loss": "BCE"}  # piece -> the loss of its verifier
_CAPTION = (
    "µCode at the first turn of MBPP with {}, for each N up to the {} programs that the search by the largest N drew there: "
    "exact means over all choices of N of a problem's programs, n = {}, the same seeds as above. What further turns add to "
    "the N between is not in it."
)


def first_turn_table(pieces: Sequence[Collected]) -> Table:
    """A row for each N, a column for each loss."""
    found = {_LOSSES[piece.name]: _by_n(piece) for piece in pieces if piece.name in _LOSSES}
    most = max(max(by_n, default=0) for by_n in found.values())
    bootstrap = bootstrap_of(pieces)
    rows = [
        (str(n), *(share(estimate(by_n.get(n, {}), bootstrap)) for by_n in found.values())) for n in range(1, most + 1)
    ]
    problems = len(next((by_n[1] for by_n in found.values() if by_n), {}))
    return Table(("N", *found), tuple(rows), _CAPTION.format(TRUSTED, most, problems))


def _by_n(piece: Collected) -> Mapping[int, Outcomes]:
    ranked = [
        ranked_rewards(searches.of(MBPP).samples, TRUSTED)
        for _, searches in piece.material.tests(SHOWN)
        if searches.of(MBPP).samples
    ]
    most = max((len(each) for table in ranked for own in table.values() for each in own), default=0)
    return {n: joined(subsets(table, n) for table in ranked) for n in range(1, most + 1)}

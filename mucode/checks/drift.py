"""How a round of labels differs from the round before it: what no single label shows."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mucode.checks.columns import Columns
from mucode.records import Experience, Label, Step
from mucode.types import Status

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Shape:
    """What a round looks like as a whole."""

    iteration: int
    pass_rate: float  # share of steps with reward 1
    statuses: Mapping[str, float]  # share of each public outcome
    program_length: float  # median, in characters; 0 without a program
    duplicate_share: float  # programs that an earlier step of the same problem has as well


@dataclass(frozen=True, slots=True)
class Drift:
    """Two rounds beside each other, and how far they lie apart."""

    now: Shape
    before: Shape
    pass_rate: float  # difference
    statuses: float  # total variation distance, 0 to 1
    length_ratio: float  # the longer median over the shorter
    duplicate_share: float  # difference


def drift(labels: Sequence[Label], steps: Sequence[Step], previous: Sequence[Experience]) -> Drift | None:
    """The round against the latest one in D_1..i-1; None for the first round.

    Args:
        labels, steps: of the same round, a label for each step.
        previous: D_1..i-1.
    """
    if not previous:
        return None
    last = max(row.iteration for row in previous)
    before = _shape_of([row for row in previous if row.iteration == last])
    now = _shape(
        steps[0].iteration,
        [row.reward for row in labels],
        [row.status for row in steps],
        [(row.problem_id, row.program) for row in labels],
    )
    lengths = sorted(max(1.0, shape.program_length) for shape in (now, before))
    return Drift(
        now=now,
        before=before,
        pass_rate=_rounded(abs(now.pass_rate - before.pass_rate)),
        statuses=_rounded(_variation(now.statuses, before.statuses)),
        length_ratio=_rounded(lengths[1] / lengths[0]),
        duplicate_share=_rounded(abs(now.duplicate_share - before.duplicate_share)),
    )


def drift_columns(found: Drift) -> Columns:
    """One row, for the drift suite: each distance, and what it lies between."""
    columns: Columns = {
        "pass_rate_drift": [found.pass_rate],
        "status_drift": [found.statuses],
        "length_ratio": [found.length_ratio],
        "duplicate_drift": [found.duplicate_share],
    }
    for name, shape in (("now", found.now), ("before", found.before)):
        columns[f"pass_rate_{name}"] = [shape.pass_rate]
        columns[f"statuses_{name}"] = [" ".join(f"{status}:{share}" for status, share in shape.statuses.items())]
        columns[f"length_{name}"] = [shape.program_length]
        columns[f"duplicates_{name}"] = [shape.duplicate_share]
    return columns


def _shape_of(rows: Sequence[Experience]) -> Shape:
    return _shape(
        rows[0].iteration,
        [row.reward for row in rows],
        [row.status for row in rows],
        [(row.problem_id, row.program) for row in rows],
    )


def _shape(
    iteration: int, rewards: Sequence[float], statuses: Sequence[Status], pairs: Sequence[tuple[str, str | None]]
) -> Shape:
    programs = [(problem, program) for problem, program in pairs if program is not None]
    duplicates = len(programs) - len(set(programs))
    counts: Counter[str] = Counter(status.value for status in statuses)
    return Shape(
        iteration=iteration,
        pass_rate=_rounded(sum(rewards) / len(rewards)),
        statuses={status: _rounded(count / len(statuses)) for status, count in sorted(counts.items())},
        program_length=statistics.median(len(program) for _, program in programs) if programs else 0,
        duplicate_share=_rounded(duplicates / len(programs)) if programs else 0.0,
    )


def _variation(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return sum(abs(one.get(status, 0.0) - other.get(status, 0.0)) for status in {*one, *other}) / 2


def _rounded(value: Any) -> float:
    return round(float(value), _DECIMALS)

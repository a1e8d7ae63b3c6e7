"""What each generator was trained to say, and where: relabelled states teach what to do after a failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mucode.config import Config
from mucode.expert import limited
from mucode.records import read_rows
from mucode.types import Demonstration


@dataclass(frozen=True, slots=True)
class Imitated:
    """The demonstrations that one generator was trained on: those of D* that the cap on a problem's states leaves."""

    key: str
    demonstrations: int
    problems: int
    first_turns: int  # problems with their first turn among them
    programs: int  # distinct, of all problems
    after_failure: int  # demonstrations at a state that holds a failure
    weight: float  # their share of all demonstrations' weight, in [0, 1]


def imitated(folder: Path, config: Config) -> Iterator[Imitated]:
    """Of every generator of the plan; `folder` holds the stage's demonstrations."""
    for key, item in config.plan["generators"].items():
        rows = read_rows(folder / f"{key}.parquet", Demonstration)
        yield _imitated(key, limited(rows, config.fine_tune.states_per_problem, item["seed"]))


def _imitated(key: str, rows: list[Demonstration]) -> Imitated:
    later = [row for row in rows if row.history]
    return Imitated(
        key=key,
        demonstrations=len(rows),
        problems=len({row.problem_id for row in rows}),
        first_turns=len({row.problem_id for row in rows if not row.history}),
        programs=len({(row.problem_id, row.program) for row in rows}),
        after_failure=len(later),
        weight=sum(row.weight for row in later) / total if (total := sum(row.weight for row in rows)) else 0.0,
    )

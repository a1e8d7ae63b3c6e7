"""Problems that came in later and passed `mucode collect`: a versioned file of rows in MBPP's format, for training only."""

from __future__ import annotations

from pathlib import Path

from mucode.problems.mbpp import problem_from_mbpp_row
from mucode.problems.rows import Row, problems_in
from mucode.types import Answer, Problem

COLLECTED_FILE = Path("data/collected/problems.jsonl")  # in the workspace; under `dvc add`


def load(path: Path | None = None) -> list[tuple[Problem, Answer]]:
    """The collected problems in the file's order, which is that of their acceptance; none where there is no file.

    Raises:
        MucodeError: the file cannot be read, or a row is no problem, by its line.
    """
    path = path or COLLECTED_FILE
    return problems_in(path, collected_problem) if path.exists() else []


def collected_problem(row: Row) -> tuple[Problem, Answer]:
    """One row of the file.

    Raises:
        MucodeError: it is no problem in MBPP's format.
    """
    return problem_from_mbpp_row(row, "collected", "train")

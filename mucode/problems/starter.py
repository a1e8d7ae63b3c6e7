"""The starter set: our own one-function exercises in MBPP's format, with a `split` and a `topic`, shipped with us."""

from __future__ import annotations

from pathlib import Path

from mucode.problems.mbpp import problem_from_mbpp_row
from mucode.problems.rows import Row, problems_in, text_in
from mucode.types import Answer, MucodeError, Problem

STARTER_FILE = Path(__file__).parent / "starter" / "starter.jsonl"
_SPLITS = ("train", "validation", "test")


def load(path: Path | None = None) -> list[tuple[Problem, Answer]]:
    """The starter problems in the file's order; `path` names another file of the same format.

    Raises:
        MucodeError: the file cannot be read, or a row is no problem or has no known split, by its line.
    """
    return problems_in(path or STARTER_FILE, _starter_problem)


def _starter_problem(row: Row) -> tuple[Problem, Answer]:
    split = text_in(row, "split", "")
    if split not in _SPLITS:
        raise MucodeError(f"split {split!r} is none of {', '.join(_SPLITS)}")
    return problem_from_mbpp_row(row, "starter", split)

"""The starter set: our own one-function exercises in MBPP's format, with a `split` and a `topic`, shipped with us."""

from __future__ import annotations

from pathlib import Path

from mucode.problems.mbpp import problem_from_mbpp_row
from mucode.problems.rows import json_rows, text_in
from mucode.types import Answer, MucodeError, Problem

STARTER_FILE = Path(__file__).parent / "starter" / "starter.jsonl"
_SPLITS = ("train", "validation", "test")


def load(path: Path | None = None) -> list[tuple[Problem, Answer]]:
    """The starter problems in the file's order; `path` names another file of the same format.

    Raises:
        MucodeError: the file cannot be read, or a row has no known split.
    """
    pairs = []
    for number, row in json_rows(path or STARTER_FILE):
        split = text_in(row, "split", "")
        if split not in _SPLITS:
            raise MucodeError(f"{path or STARTER_FILE}, line {number}: split {split!r} is none of {', '.join(_SPLITS)}")
        pairs.append(problem_from_mbpp_row(row, "starter", split))
    return pairs

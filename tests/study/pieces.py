"""Pieces, and pieces of which something is missing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from statistics import fmean

from mucode.records import SearchChoice, read_rows
from mucode.report.sources import Origin
from mucode.study.collected import Collected


def only(pieces: list[Collected], name: str) -> Collected:
    return next(piece for piece in pieces if piece.name == name)


def without(piece: Collected, *gone: Origin) -> Collected:
    test = {origin: found for origin, found in piece.material.test.items() if origin not in gone}
    return dataclasses.replace(piece, material=dataclasses.replace(piece.material, test=test))


def with_one_seed(piece: Collected) -> Collected:
    return without(piece, *(origin for origin in piece.material.test if origin.seed != 0))


def rewards(folder: Path, piece: str, group: str, selector: str = "pt+lv", n: int = 5) -> dict[str, float]:
    """Mean reward of the answers, problem by problem, read off the choices directly."""
    rows = read_rows(folder / piece / f"{group}.parquet", SearchChoice)
    chosen = [row for row in rows if (row.selector, row.n, row.final) == (selector, n, True)]
    return {p: fmean(r.reward for r in chosen if r.problem_id == p) for p in {row.problem_id for row in chosen}}

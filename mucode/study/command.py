"""`mucode results` and `mucode budget`."""

from __future__ import annotations

import math
import sys
from pathlib import Path

from mucode.study.page import write_results
from mucode.types import MucodeError
from mucode.workspace import DEFAULT


def results(*, study: Path = Path("docs/study"), out: Path = Path("docs")) -> None:
    """Write the study's page anew from the small files of its finished pieces.

    Parameters
    ----------
    study:
        The folder with a folder of each finished piece.
    out:
        Where results.md, results.json and the figures go.
    """
    write_results(study, out)
    sys.stdout.write(f"{out / 'results.md'}\n")


def budget(
    *,
    piece: str | None = None,
    over: str = DEFAULT,
    generation: float = 170.0,
    scoring: float = 350.0,
    training: float = 100.0,
) -> None:
    """What each piece of the study will take, before it is run; what pieces share is counted once.

    Parameters
    ----------
    piece:
        Show what each stage instance of this piece needs instead.
    over:
        A profile laid over every piece, such as smoke.
    generation:
        Tokens per second of rollouts and searches.
    scoring:
        Tokens per second of the verifier, reading.
    training:
        Tokens per second of both trainings, forward and backward.
    """
    for name, rate in {"generation": generation, "scoring": scoring, "training": training}.items():
        if not 0 < rate < math.inf:
            raise MucodeError(f"--{name} {rate} is no rate: give tokens per second above 0")
    from mucode.study.budget import Rates, budget_table, rows_table
    from mucode.study.pieces import chosen

    rates = Rates(generation, scoring, training)
    if piece is None:
        sys.stdout.write(budget_table(Path.cwd(), over, rates))
    else:
        sys.stdout.write(rows_table(Path.cwd(), chosen([piece])[0], over, rates))

"""The report's files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mucode.config import Config
from mucode.records import folder_written_whole, write_json
from mucode.report.comparisons import Difference, differences
from mucode.report.grid import grid
from mucode.report.held_out import HeldOut, held_out
from mucode.report.markdown import markdown
from mucode.report.page import page
from mucode.report.results import Result, results, table
from mucode.report.sources import Folders, read_material

DECIMALS = 6  # of every number in the JSON files: more would only show how a machine rounds


def write_report(  # noqa: PLR0913, PLR0917  # a stage's arguments are its files
    problems: Path,
    datasets: Path,
    gates: Path,
    evaluations: Path,
    benchmarks: Path,
    rollouts: Path,
    verifiers: Path,
    generators: Path | None,
    config: Config,
    out: Path,
) -> None:
    """Write the folder `out`, whole or not at all; equal inputs give equal bytes.

    report.html is one file that works offline; table.md is its results table; results.json holds a row for each method,
    seed, test set and measure (`results.Result`), and study.md the same rows as one table; differences.json the paired
    differences (`comparisons.Difference`); verifiers.json every verifier on held-out problems (`held_out.HeldOut`).

    Args:
        problems: problems.parquet.
        datasets, gates, rollouts: folders with a file for each round of rollouts in the plan.
        evaluations, benchmarks: folders of searches, with samples.parquet and choices.parquet.
        verifiers, generators: model folders; a training.json in them is shown. None: nothing about fine-tuning.
        config: names the files through its plan.
        out: the folder to make.

    Raises:
        MucodeError: a file of the plan is missing or of other columns.
    """
    folders = Folders(problems, datasets, gates, evaluations, benchmarks, rollouts, verifiers, generators)
    material = read_material(folders, config)
    tables = [(benchmark, table(material, benchmark)) for benchmark in material.benchmarks]
    rows = results(material)
    changes = [change for benchmark, lines in tables for change in differences(material, benchmark, lines)]
    with folder_written_whole(out) as partial:
        (partial / "report.html").write_text(page(material), encoding="utf-8", newline="\n")
        (partial / "table.md").write_text(markdown(material, tables), encoding="utf-8", newline="\n")
        (partial / "study.md").write_text(grid(material, rows), encoding="utf-8", newline="\n")
        write_json(partial / "results.json", rounded(rows))
        write_json(partial / "differences.json", rounded(changes))
        write_json(partial / "verifiers.json", rounded(held_out(material)))


def rounded(rows: Sequence[Result] | Sequence[Difference] | Sequence[HeldOut]) -> list[dict[str, Any]]:
    return [_rounded(dataclasses.asdict(row)) for row in rows]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_rounded(inner) for inner in value]
    return round(value, DECIMALS) if isinstance(value, float) else value

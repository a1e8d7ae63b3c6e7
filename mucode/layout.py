"""Where results lie under data/, for what runs after the graph: the registry and the flows.

A stage gets its paths from dvc.yaml's command lines; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one workspace: the folder with dvc.yaml and params.yaml."""

    root: Path = Path()

    @property
    def problems(self) -> Path:
        """What a generator may know of every problem."""
        return self.root / "data/problems.parquet"

    @property
    def answers(self) -> Path:
        """What it may not: private tests and references."""
        return self.root / "data/answers.parquet"

    def outs(self, stage: str) -> Path:
        """The folder of a stage's results: "rollouts", "labels", ..., "benchmarks"."""
        return self.root / "data" / stage

    @property
    def reports(self) -> Path:
        """The folder with report.html, table.md, study.md and the JSON files behind them."""
        return self.root / "data/reports"

    def selected(self, group: str) -> Path:
        """The pair that did best on validation: folders generator/ and verifier/, and selection.json."""
        return self.root / f"data/selected/{group}"

    def evaluation(self, group: str, iteration: str) -> Path:
        """The search on validation by the pair of one iteration."""
        return self.root / f"data/evaluations/{group}/{iteration}"

    def benchmark(self, group: str) -> Path:
        """The search on the test sets by the selected pair."""
        return self.root / f"data/benchmarks/{group}"

"""Where things lie under data/: the only module that spells such a path (dvc.yaml spells them too; a test compares)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one workspace: the folder with dvc.yaml and params.yaml."""

    root: Path = Path()

    @property
    def problems(self) -> Path:
        return self.root / "data/problems.parquet"

    @property
    def base(self) -> Path:
        return self.root / "data/generators/base"

    @property
    def report(self) -> Path:
        """The folder with report.html and results.json."""
        return self.root / "data/reports"

    def labels(self, key: str) -> Path:
        return self.root / f"data/labels/{key}.parquet"

    def gate(self, key: str) -> Path:
        return self.root / f"data/gates/{key}.json"

    def selected(self, group: str) -> Path:
        """The pair that did best on validation: folders generator/ and verifier/, and selection.json."""
        return self.root / f"data/selected/{group}"

    def dataset(self, key: str) -> Path:
        return self.root / f"data/datasets/{key}.parquet"

"""A stage that logs, what is kept of it, and what MLflow has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mucode.tracking import log_stage
from mucode.tracking.runs import REFUSED, UNTRACKED
from mucode.tracking.server import EXPERIMENT, mlflow_at

NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens


def log(workspace: Path, **changes: Any) -> None:
    log_stage(
        "train_verifier",
        "base-0",
        {"verifier": {"epochs": 2, "loss": "bce"}, "seed": 0},
        {"accuracy": 0.75},
        {"data/datasets/base-0.parquet": "ab" * 32},
        1.5,
        **{"curves": {"loss": [0.7, 0.5]}, "workspace": workspace, **changes},
    )


def kept(workspace: Path) -> list[Path]:
    return sorted((workspace / UNTRACKED).glob("*.json"))


def runs(workspace: Path) -> list[Any]:
    with mlflow_at(workspace) as client:
        found = client.get_experiment_by_name(EXPERIMENT)
        return list(client.search_runs([found.experiment_id]))


def refused(workspace: Path) -> list[Path]:
    return sorted((workspace / UNTRACKED / REFUSED).iterdir())

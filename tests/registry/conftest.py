"""A database to register in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mucode.tracking.server import mlflow_at


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables: making them takes seconds, copying them none."""
    folder = tmp_path_factory.mktemp("database")
    with mlflow_at(folder) as client:
        client.search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def workspace(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an empty registry of its own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return tmp_path

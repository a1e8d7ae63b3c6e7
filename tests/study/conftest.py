"""Finished pieces of a small study, made by scripted players through the real rollout and search code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from mucode.config import load_config
from mucode.study.collected import Collected, collect, read_study
from mucode.study.finished import NEEDED
from mucode.study.pieces import Piece, chosen
from mucode.workspace import parameters
from mucode.yaml_files import dump_yaml
from tests.report.study import World, write_study

ROOT = Path(__file__).parents[2]
REAL = "gguf:models/some.gguf#sha256=" + "0" * 64
NAMES = ("main", "selectors", "candidates", "loss", "verifier", "blind")
WORLDS = {"multi_star": World(skill=0.1), "mucode": World(skill=0.45)}


def finish(piece: Piece, workspace: Path, model: str = REAL) -> Path:
    """The workspace of a piece that has run at the size `smoke`, as if with `model`."""
    text = (
        parameters(piece.size("smoke"), ROOT).replace("random:tiny", model).replace("resamples: 200", "resamples: 100")
    )
    workspace.mkdir(parents=True)
    (workspace / "params.yaml").write_text(text)
    config = load_config(workspace / "params.yaml")
    write_lock(
        workspace, [f"{s}@{key}" for kind, stages in NEEDED.items() for key in config.plan[kind] for s in stages]
    )
    write_study(workspace / "data", config, problems=8, worlds=WORLDS)
    return workspace


def write_lock(workspace: Path, names: Iterable[str]) -> None:
    """A dvc.lock in which these stage instances have run."""
    stages = {name: {"cmd": f"run {name}"} for name in names}
    (workspace / "dvc.lock").write_text(dump_yaml({"schema": "2.0", "stages": stages}))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small files of some finished pieces; others have not run."""
    root = tmp_path_factory.mktemp("pieces")
    for piece in chosen(NAMES):
        collect(finish(piece, root / "runs" / piece.name), root / "study" / piece.name)
    return root / "study"


@pytest.fixture(scope="session")
def pieces(folder: Path) -> list[Collected]:
    return read_study(folder)

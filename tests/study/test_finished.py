"""What has run is what the lock file records, as it is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mucode.config import load_config
from mucode.lineage.locked import md5_of
from mucode.study.finished import NEEDED, Stages, done_stages, finished
from mucode.yaml_files import dump_yaml, read_yaml

ROOT = Path(__file__).parents[2]
ALL = {"verifier", "select", "benchmark"}
PARAMETERS = {"verifier": {"rate": 1e-05, "epochs": 1}, "other": 1}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    files = (
        "code.py",
        "data/verifier",
        "data/selected/generator/weights",
        "data/selected/verifier/weights",
        "data/found",
    )
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "params.yaml").write_text(dump_yaml(PARAMETERS))
    return tmp_path


@pytest.fixture
def stages(workspace: Path) -> dict[str, Any]:
    """Of the kinds that dvc.lock has: code, parameters, whole outs, and parts of an out."""

    def at(*paths: str) -> list[dict[str, str | None]]:
        return [{"path": path, "md5": md5_of(workspace / path)} for path in paths]

    return {
        "benchmark": {"deps": at("data/selected/generator", "data/selected/verifier"), "outs": at("data/found")},
        "select": {"deps": at("data/verifier"), "outs": at("data/selected")},
        "verifier": {
            "deps": at("code.py"),
            "params": {"params.yaml": {"verifier": {"rate": "1e-05", "epochs": 1}}},  # as YAML's parser in C reads it
            "outs": at("data/verifier"),
        },
    }


def test_stages_that_are_as_recorded_have_run(workspace: Path, stages: Stages) -> None:
    assert done_stages(workspace, stages) == ALL


def test_what_stands_on_other_code_has_not_run(workspace: Path, stages: Stages) -> None:
    (workspace / "code.py").write_text("raise")
    assert done_stages(workspace, stages) == set()
    (workspace / "code.py").unlink()
    assert done_stages(workspace, stages) == set()


def test_what_stands_on_another_parameter_has_not_run(workspace: Path, stages: Stages) -> None:
    (workspace / "params.yaml").write_text(dump_yaml({**PARAMETERS, "verifier": {"rate": 1e-04, "epochs": 1}}))
    assert done_stages(workspace, stages) == set()


def test_a_parameter_that_no_stage_read_changes_nothing(workspace: Path, stages: Stages) -> None:
    (workspace / "params.yaml").write_text(dump_yaml({**PARAMETERS, "other": 2}))
    assert done_stages(workspace, stages) == ALL


def test_a_stage_that_ran_again_leaves_behind_what_stood_on_its_old_out(
    workspace: Path, stages: dict[str, Any]
) -> None:
    stages["verifier"]["outs"][0]["md5"] = "another"
    assert done_stages(workspace, stages) == {"verifier"}


def test_of_a_part_of_an_out_the_content_counts(workspace: Path, stages: Stages) -> None:
    (workspace / "data/selected/generator/weights").write_text("others")
    assert done_stages(workspace, stages) == {"verifier", "select"}


def test_an_out_that_is_gone_has_not_been_made(workspace: Path, stages: Stages) -> None:
    (workspace / "data/found").unlink()
    assert done_stages(workspace, stages) == {"verifier", "select"}


def test_of_the_plan_only_what_has_run_is_left() -> None:
    config = load_config(ROOT / "params.yaml")
    done = {"benchmark@base-0", "roll_out@base-0", "label@base-0", "validate@base-0"}  # not yet aggregated
    left = finished(config, done).plan
    assert (list(left["benchmarks"]), left["rollouts"]) == (["base-0"], {})
    assert len(config.plan["benchmarks"]) > 1


def test_the_stages_that_a_piece_needs_are_dvc_yaml_s() -> None:
    assert {stage for stages in NEEDED.values() for stage in stages} <= set(read_yaml(ROOT / "dvc.yaml")["stages"])

"""What is edited while a stage runs is not passed off as what made its outs, and takes effect with the next run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows.stage import run_stage

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's use of pygtrie
STAGE = "label@base-0"
READ = "cat params.yaml code/a.py"
EDITS = {
    "params.yaml": "echo 'lr: 1.0e-05' > params.yaml",
    "code": "echo new > code/a.py",
}


@pytest.fixture
def edited(toy: Callable[..., Path], request: pytest.FixtureRequest) -> Path:
    """A workspace whose label stage is edited the first time that it runs, after it has read what it reads."""
    workspace = toy(slow=f"{READ} > data/read && ([ -e once ] || (touch once && {request.param}))")
    (workspace / "params.yaml").write_text("lr: 1.0e-04\n")
    (workspace / "code").mkdir()
    (workspace / "code/a.py").write_text("old\n")
    text = (workspace / "dvc.yaml").read_text()
    text = text.replace("cat data/a > data/label", "cat data/read > data/label")
    text = text.replace("      deps: [data/a]\n", "      deps: [data/a, code]\n      params: [lr]\n")
    (workspace / "dvc.yaml").write_text(text)
    run_stage.fn("prepare", workspace)
    return workspace


def made(workspace: Path) -> str:
    return (workspace / "data/label-base-0").read_text()


def read(workspace: Path) -> str:
    return subprocess.run(READ, shell=True, cwd=workspace, check=True, capture_output=True, text=True).stdout


def by_hand(workspace: Path) -> str:
    """What `dvc repro` says, run by a person."""
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", STAGE]
    return subprocess.run(command, cwd=workspace, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("edited", "name"),
    [
        pytest.param(EDITS["params.yaml"], "params.yaml", marks=pytest.mark.slow),
        (EDITS["code"], "code"),
    ],
    indirect=["edited"],
)
def test_an_edit_while_a_stage_runs_is_refused_by_name_and_the_next_run_takes_it(edited: Path, name: str) -> None:
    state = run_stage.fn(STAGE, edited)
    assert state.is_failed()
    assert str(state.message).startswith(f"{name} changed while {STAGE} ran")
    assert STAGE not in yaml.safe_load((edited / "dvc.lock").read_text())["stages"]
    assert made(edited) != read(edited)
    assert run_stage.fn(STAGE, edited).name == "Completed"
    assert made(edited) == read(edited)
    assert run_stage.fn(STAGE, edited).name == "Cached"


@pytest.mark.slow
@pytest.mark.parametrize("edited", EDITS.values(), indirect=True)
def test_a_person_s_dvc_repro_takes_the_edit_too(edited: Path) -> None:
    run_stage.fn(STAGE, edited)
    assert "Running stage" in by_hand(edited)
    assert made(edited) == read(edited)


@pytest.mark.slow
@pytest.mark.parametrize("edited", ["touch code/a.py params.yaml", "echo '# more' >> params.yaml"], indirect=True)
def test_what_says_the_same_as_before_is_no_edit(edited: Path) -> None:
    assert run_stage.fn(STAGE, edited).name == "Completed"
    assert run_stage.fn(STAGE, edited).name == "Cached"

"""The tiny size for real: problems taken in, the run committed, and made again to the byte, with a remote and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.server import prefect_server, settings, wait_until_up
from mucode.problems.mbpp import PATH_VARIABLE
from mucode.workspace import make_workspace
from tests.collect.rows import NEW, drop, row
from tests.flows.conftest import clone_repository

pytestmark = pytest.mark.slow
FLOW = """
from pathlib import Path
from flows.data_versioning import data_versioning
state = data_versioning(Path(), return_state=True)
print(state.type.value, state.message)
"""


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    surroundings = {**os.environ, "PATH": path, "MUCODE_TRACK_LATER": "1", **environment}
    return subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)


def succeed(folder: Path, *command: str, **environment: str) -> str:
    done = run(folder, *command, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the last commit, whose tiny size has run."""
    clone = clone_repository(tmp_path_factory.mktemp("clone") / "repository")
    workspace = make_workspace("tiny", clone)
    succeed(workspace, sys.executable, "-m", "dvc", "repro", "--quiet")
    succeed(workspace, sys.executable, "-m", "mucode", "branch", "--name", "tiny")
    return clone


def run_branch(clone: Path) -> str:
    return succeed(clone, "git", "branch", "--list", "run/*", "--format=%(refname:short)").strip()


def test_two_runs_of_one_commit_give_the_same_files_and_the_same_lock(clone: Path) -> None:
    said = succeed(clone, sys.executable, "-m", "flows.reproduce", run_branch(clone), "--size", "tiny")
    assert "made anew" in said
    assert "every entry of dvc.lock are as recorded" in said


def test_a_pulled_run_is_the_same_and_nothing_is_made(clone: Path, tmp_path: Path) -> None:
    workspace = clone / "runs/tiny"
    succeed(
        workspace,
        sys.executable,
        "-m",
        "dvc",
        "remote",
        "add",
        "--local",
        "--default",
        "team",
        str(tmp_path / "remote"),
    )
    succeed(workspace, sys.executable, "-m", "dvc", "push", "--quiet")
    done = run(clone, sys.executable, "-m", "flows.reproduce", run_branch(clone), "--size", "tiny")
    assert done.returncode == 0, done.stderr
    assert "pulled from the DVC remote team" in done.stdout
    assert "Running stage" not in done.stderr


@pytest.mark.skipif(PATH_VARIABLE not in os.environ, reason=f"{PATH_VARIABLE} names no local mbpp.jsonl")
def test_the_flow_takes_new_problems_in_to_the_training_set_and_to_the_remote(clone: Path, tmp_path: Path) -> None:
    workspace = make_workspace("tiny", clone, tmp_path / "tiny")
    succeed(workspace, sys.executable, "-m", "dvc", "remote", "add", "--default", "here", str(tmp_path / "remote"))
    wrong = {**row("zebra"), "code": "def zebra(x):\n    return 0"}
    drop(workspace / "data/incoming", "new.jsonl", NEW, wrong)
    with prefect_server(workspace) as server:
        wait_until_up(server, "the Prefect server", f"{server.api}/health")
        environment = {**settings(workspace, server.url), "PYTHONPATH": str(clone)}
        said = succeed(workspace, sys.executable, "-c", FLOW, **environment)
    assert said.splitlines()[-1].startswith("COMPLETED"), said
    (refused,) = [json.loads(line) for line in (workspace / "data/quarantine.jsonl").read_text().splitlines()]
    assert refused["from"] == "new.jsonl, line 2"
    from mucode.records import read_rows
    from mucode.types import Problem

    problems = read_rows(workspace / "data/problems.parquet", Problem)
    assert [(p.entry_point, p.split) for p in problems if p.source == "collected"] == [("weigh", "train")]
    pointer = workspace / "data/collected/problems.jsonl.dvc"
    digest = pointer.read_text().partition("md5: ")[2].split()[0]
    assert (tmp_path / f"remote/files/md5/{digest[:2]}/{digest[2:]}").is_file()

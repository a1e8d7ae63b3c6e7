"""`make study`: pieces through their flows, sharing what they have in common."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from flows.study import done_stages

REPOSITORY = Path(__file__).parent.parent.parent
NEEDED = ("mucode", "flows", "mlflow", "profiles", "params.yaml", "dvc.yaml", ".dvcignore", "pyproject.toml")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The repository without its runs and its cache."""
    root = tmp_path / "root"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    for name in NEEDED:
        (root / name).symlink_to(REPOSITORY / name)
    return root


def study(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.study", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def log(root: Path, piece: str, stage: str) -> str:
    return (root / f"runs/study-{piece}+smoke/.mucode/logs/{stage}.log").read_text()


def test_a_piece_that_the_study_has_not_is_refused_before_anything_runs(root: Path) -> None:
    done = study(root, "--over", "smoke", "mian")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no piece 'mian'" in done.stderr
    assert not (root / "runs").exists()


def test_a_profile_that_there_is_not_is_refused_before_anything_runs(root: Path) -> None:
    done = study(root, "--over", "smok", "main")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no size 'study/main+smok'" in done.stderr
    assert not (root / "runs").exists()


@pytest.mark.slow
@pytest.mark.skipif("MUCODE_MBPP" not in os.environ, reason="MUCODE_MBPP names no MBPP file")
def test_two_pieces_make_a_page_and_share_all_but_their_searches(root: Path) -> None:
    done = study(root, "--over", "smoke", "feedback", "selectors")
    assert done.returncode == 0, done.stderr[-2000:]
    shared = ("roll_out@base-0", "label@base-0", "train_verifier@base-0", "fine_tune@mucode-0-1")
    assert [f"Running stage '{stage}'" in log(root, "selectors", stage) for stage in shared] == [True] * 4
    assert not any(f"Running stage '{stage}'" in log(root, "feedback", stage) for stage in shared)
    assert "Running stage 'benchmark@mucode-0'" in log(root, "feedback", "benchmark@mucode-0")
    documents = root / "runs/study-docs+smoke"
    assert "claim nothing" in (documents / "results.md").read_text()
    rows = json.loads((documents / "results.json").read_text())
    assert {row["selector"] for row in rows} == {"random", "lv", "pt", "pt+lv", "oracle"}
    assert not (root / "docs").exists()
    again = study(root, "--over", "smoke", "selectors")
    assert (again.returncode, "Running stage" in again.stderr) == (0, False)


def test_nothing_has_run_in_a_workspace_without_a_lock_file(tmp_path: Path) -> None:
    assert done_stages(tmp_path) == set()


def test_the_page_of_a_piece_that_has_not_begun_is_not_made(root: Path) -> None:
    done = study(root, "--over", "smoke", "--keep", "main")
    assert (done.returncode, done.stdout) == (0, "main: no search on a test set has run yet\n"), done.stderr
    assert not (root / "runs").exists()


@pytest.mark.slow
def test_what_has_run_is_known_while_another_stage_runs(tmp_path: Path) -> None:
    """Stages that are recorded and as recorded; not what changed since, nor what runs just now."""
    dvc = [sys.executable, "-m", "dvc"]
    (tmp_path / "params.yaml").write_text((REPOSITORY / "params.yaml").read_text())
    commands = {"train_verifier": "echo > verifier-${item}", "benchmark": "touch running-${item} && sleep 600"}
    outs = {"train_verifier": ["verifier-${item}"], "benchmark": ["search-${item}"]}
    stages = {s: {"foreach": ["base-0"], "do": {"cmd": commands[s], "outs": outs[s]}} for s in commands}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    subprocess.run([*dvc, "init", "--quiet", "--no-scm"], cwd=tmp_path, check=True)
    subprocess.run([*dvc, "repro", "--quiet", "train_verifier"], cwd=tmp_path, check=True)
    running = subprocess.Popen([*dvc, "repro", "benchmark@base-0"], cwd=tmp_path, start_new_session=True)
    try:
        wait_for(tmp_path / "running-base-0")
        assert done_stages(tmp_path) == {"train_verifier@base-0"}
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    (tmp_path / "verifier-base-0").write_text("other")
    assert done_stages(tmp_path) == set()


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} has not appeared in a minute")

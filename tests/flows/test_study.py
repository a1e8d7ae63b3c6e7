"""`make study`: pieces through their flows, sharing what they have in common."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.quickstart import the_only_start
from flows.study import documents_of, keep_piece, the_only_study
from mucode.study.collected import collect
from mucode.study.pieces import chosen
from mucode.workspace import folder_of, make_workspace
from tests.study.conftest import finish

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


def test_a_second_study_beside_one_at_work_is_refused_before_anything_is_written(root: Path) -> None:
    with the_only_study("smoke", root):
        done = study(root, "--over", "smoke", "main")
        results = study(root, "--over", "smoke", "--keep", "main")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"a study that writes to {root}/runs/study-docs+smoke is at work already" in done.stderr
    assert "run the piece with `make study` first" in results.stderr  # which is not refused
    assert not (root / "runs").exists()


def test_a_study_leaves_a_run_that_is_starting_in_a_piece_s_workspace_its_parameters(root: Path) -> None:
    workspace = make_workspace("study/main+smoke", root)
    params = workspace / "params.yaml"
    params.write_text(f"{params.read_text()}# as it was when the run began\n")
    before = params.read_bytes()
    with the_only_start(workspace):
        done = study(root, "--over", "smoke", "main")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"a run is going on in {workspace} already" in done.stderr
    assert params.read_bytes() == before
    there = sorted(path.name for path in (workspace / ".mucode").iterdir())
    assert there == ["made.json", "quickstart.lock", "run.lock"]
    assert not documents_of("smoke", root).exists()


@pytest.mark.slow
@pytest.mark.skipif("MUCODE_MBPP" not in os.environ, reason="MUCODE_MBPP names no MBPP file")
def test_two_pieces_make_a_page_and_share_all_but_their_searches(root: Path) -> None:
    done = study(root, "--over", "smoke", "feedback", "candidates")
    assert done.returncode == 0, done.stderr[-2000:]
    shared = ("roll_out@base-2", "label@base-2", "train_verifier@base-2", "fine_tune@mucode-2-1")
    assert [f"Running stage '{stage}'" in log(root, "candidates", stage) for stage in shared] == [True] * 4
    assert not any(f"Running stage '{stage}'" in log(root, "feedback", stage) for stage in shared)
    assert "Running stage 'benchmark@mucode-2'" in log(root, "feedback", "benchmark@mucode-2")
    documents = root / "runs/study-docs+smoke"
    assert "claim nothing" in (documents / "results.md").read_text()
    rows = json.loads((documents / "results.json").read_text())
    assert {row["n"] for row in rows} >= {1, 8}
    assert not (root / "docs").exists()
    again = study(root, "--over", "smoke", "candidates")
    assert (again.returncode, "Running stage" in again.stderr) == (0, False)


@pytest.mark.slow
def test_a_closed_piece_is_passed_over_and_its_page_is_made_of_what_was_kept(root: Path) -> None:
    kept = documents_of("smoke", root) / "study/main"
    collect(finish(chosen(["main"])[0], root / "elsewhere", "random:tiny"), kept)
    lost = study(root, "--over", "smoke", "main")
    assert (lost.returncode, lost.stderr.count("\n")) == (1, 1)
    assert f"{kept} was kept from a workspace that is not here" in lost.stderr
    (kept / "closed").write_text("its disk was lost\n")
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    for arguments in (["main"], ["--keep", "main"], ["--keep"]):
        done = study(root, "--over", "smoke", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert ("main is closed: its disk was lost" in done.stdout) == ("main" in arguments)
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before
    assert "- closed: main: its disk was lost" in (documents_of("smoke", root) / "results.md").read_text()
    assert not (root / "runs/study-main+smoke").exists()


def test_another_model_is_refused_before_a_workspace_is_made(root: Path) -> None:
    collect(finish(chosen(["main"])[0], root / "elsewhere"), documents_of("smoke", root) / "study/main")
    done = study(root, "--over", "smoke", "feedback")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "this piece is of random:tiny" in done.stderr
    assert not (root / "runs/study-feedback+smoke").exists()


def test_the_page_of_a_piece_that_has_not_begun_is_not_made(root: Path) -> None:
    done = study(root, "--over", "smoke", "--keep", "main")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "dvc.lock is missing: run the piece with `make study` first" in done.stderr
    assert not (root / "runs").exists()


@pytest.mark.slow
def test_what_an_older_version_kept_of_other_pieces_is_kept_anew_before_the_page_is_made(tmp_path: Path) -> None:
    for piece in chosen(["main", "selectors"]):
        collect(
            finish(piece, folder_of(piece.size("smoke"), tmp_path)),
            documents_of("smoke", tmp_path) / "study" / piece.name,
        )
    accounts = sorted((documents_of("smoke", tmp_path) / "study").glob("*/account.json"))
    before = [account.read_text() for account in accounts]
    for account in accounts:
        account.write_text("{}")
    (piece,) = chosen(["selectors"])
    assert keep_piece(piece, "smoke", tmp_path) == 0
    assert [account.read_text() for account in accounts] == before

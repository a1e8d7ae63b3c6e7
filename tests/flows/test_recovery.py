from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows.recovery import keep_lock_file, mend
from mucode.processes import held

WHOLE = "schema: '2.0'\nstages:\n  prepare:\n    cmd: echo\n    outs:\n    - path: a\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / ".mucode").mkdir()
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    "cut",
    [
        "",
        "schema: '2.0'\nstages:\n  prep: [",
        "schema: '2.0'\nstages:\n  prepare:\n    cm",
        "schema: '2.0'\nstages:\n",
        "schema: '2.0'\nstages:\n  prepare:\n    cmd: echo\n    outs:\n",
        "schema: '2.0'\nstages:\n  prepare:\n    cmd: echo\n    outs:\n    - pat",
        WHOLE[:-1],
    ],
)
def test_a_half_written_lock_file_gives_way_to_the_last_whole_one(workspace: Path, cut: str) -> None:
    lock = workspace / "dvc.lock"
    lock.write_text(WHOLE)
    keep_lock_file(workspace)
    lock.write_text(cut)
    mend(workspace)
    assert lock.read_text() == WHOLE
    assert (workspace / ".mucode/dvc.lock.damaged").read_text() == cut


def test_a_merge_conflict_is_left_to_a_person(workspace: Path) -> None:
    conflict = WHOLE + "<<<<<<< HEAD\n"
    (workspace / "dvc.lock").write_text(conflict)
    mend(workspace)
    assert (workspace / "dvc.lock").read_text() == conflict


def test_a_stage_that_a_merge_left_twice_is_a_person_s_too(workspace: Path) -> None:
    twice = WHOLE + "".join(WHOLE.splitlines(keepends=True)[2:])
    (workspace / "dvc.lock").write_text(twice)
    mend(workspace)
    assert (workspace / "dvc.lock").read_text() == twice


def test_a_whole_lock_file_stays(workspace: Path) -> None:
    (workspace / "dvc.lock").write_text(WHOLE)
    mend(workspace)
    assert (workspace / "dvc.lock").read_text() == WHOLE


def test_locks_of_the_dead_go(workspace: Path) -> None:
    rwlock = workspace / ".dvc/tmp/rwlock"
    rwlock.write_text(json.dumps({"read": {"/a": [{"pid": 2**22 + 1, "cmd": "dvc repro"}]}, "write": {}}))
    mend(workspace)
    assert not rwlock.exists()


def test_locks_of_the_living_stay(workspace: Path) -> None:
    """While a stage's command runs DVC holds nothing else."""
    rwlock = workspace / ".dvc/tmp/rwlock"
    waiting = [sys.executable, "-c", "print('ready', flush=True); input()", "dvc"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        assert living.stdout is not None
        assert living.stdout.readline() == b"ready\n"  # `exec` returns before /proc has the new command line
        rwlock.write_text(json.dumps({"read": {}, "write": {"/a": {"pid": living.pid, "cmd": "dvc repro"}}}))
        mend(workspace)
        assert rwlock.exists()
        living.kill()
    mend(workspace)
    assert not rwlock.exists()


def test_while_a_living_dvc_is_at_work_nothing_is_touched(workspace: Path) -> None:
    (workspace / "dvc.lock").write_text("schema")
    with held(workspace / ".dvc/tmp/lock", "taken"):
        mend(workspace)
        assert (workspace / "dvc.lock").exists()
    mend(workspace)
    assert not (workspace / "dvc.lock").exists()

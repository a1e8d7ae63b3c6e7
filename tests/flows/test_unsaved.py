"""A disk that fills up while DVC saves what a stage has done: nothing is lost, nothing is done twice, nothing passed off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import unsaved
from flows.commands import Finished
from flows.stage import culprit, run_stage
from tests.bubblewrap import bwrap

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's use of pygtrie
STAGE = "label@base-0"
SLOW = "echo run >> runs.txt"  # counts how often it was run
UNSAVED = (
    "Running stage 'label@base-0':",
    "ERROR: failed to transfer 'b1946a' - [Errno 28] No space left on device: 'data/a'",
    "ERROR: failed to reproduce 'label@base-0': [Errno 28] No space left on device",
)
FULL_DISK = """
from pathlib import Path
from prefect.logging import disable_run_logger
from flows.stage import run_stage
with disable_run_logger():
    for name in ("prepare", "label@base-0"):
        state = run_stage.fn(name, Path())
        print(name, state.name, state.message)
"""


@pytest.fixture
def left(toy: Callable[..., Path]) -> Path:
    """A workspace whose label stage has done its work, which DVC has not saved."""
    workspace = toy(slow=SLOW)
    run_stage.fn("prepare", workspace)
    unsaved.reserve(workspace, STAGE)
    subprocess.run("echo run >> runs.txt && cat data/a > data/label-base-0", shell=True, cwd=workspace, check=True)
    unsaved.note(workspace, STAGE)
    return workspace


def runs(workspace: Path) -> int:
    return (workspace / "runs.txt").read_text().count("run")


def test_the_sentence_says_that_the_work_is_done_what_failed_and_what_to_do() -> None:
    said = culprit(Finished(255, UNSAVED, Path("x.log")))
    assert said.startswith("its work is done, but DVC could not save it (failed to transfer")
    assert "No space left on device" in said
    assert said.endswith("mend that, then run again")


@pytest.mark.slow
def test_finished_work_is_taken_over_and_not_done_again(left: Path) -> None:
    assert run_stage.fn(STAGE, left).name == "Cached"
    assert runs(left) == 1
    assert not list((left / ".mucode/unsaved").glob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["data/a", "data/label-base-0"])
def test_work_is_done_again_when_anything_that_it_read_or_wrote_has_changed(left: Path, changed: str) -> None:
    with (left / changed).open("a") as file:
        file.write("# more\n")
    assert run_stage.fn(STAGE, left).name == "Completed"
    assert runs(left) == 2
    assert (left / "data/label-base-0").read_text() == (left / "data/a").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("torn", [b'{"cmd": "true", "da', b'{"cmd": "tr\xc3'])
def test_a_note_that_was_cut_short_counts_as_none(left: Path, torn: bytes) -> None:
    (left / f".mucode/unsaved/{STAGE}.json").write_bytes(torn)
    assert run_stage.fn(STAGE, left).name == "Completed"
    assert runs(left) == 2


@pytest.mark.slow
def test_as_long_as_the_disk_is_full_the_work_waits_and_then_the_next_run_saves_it(toy: Callable[..., Path]) -> None:
    big = "head -c 1500000 /dev/zero > data/big"
    workspace = toy(slow=f"{SLOW} && {big}")
    disk = workspace.parent / "disk"
    disk.mkdir()
    lent = bwrap(
        *("--dev-bind", "/", "/", "--size", str(6 << 20), "--tmpfs", str(disk)),
        *("--setenv", "PREFECT_HOME", "/tmp/p"),
    )
    text = (workspace / "dvc.yaml").read_text().replace('outs: ["data/label-${key}"]', 'outs: ["data/big"]')
    (workspace / "dvc.yaml").write_text(text.replace(', "mucode-0-1": {}', "").replace(", data/label-mucode-0-1", ""))
    (workspace / "dvc.yaml").write_text((workspace / "dvc.yaml").read_text().replace("data/label-base-0", "data/big"))
    (workspace / "go.py").write_text(FULL_DISK)
    go = f"PYTHONPATH={Path(__file__).parents[2]} {sys.executable} go.py"
    script = f"""
        cp -r {workspace}/. {disk} && cd {disk} && head -c 4000000 /dev/zero > filler
        {go}; head -c 3500000 /dev/zero > filler
        {go}; echo "runs: $(wc -l < runs.txt)"; rm filler
        {go}; echo "runs: $(wc -l < runs.txt)"
    """
    said = subprocess.run([*lent, "sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "prepare Completed None"
    assert said[1].startswith(f"{STAGE} Failed {STAGE}: its work is done, but DVC could not save it")
    assert said[2] == "prepare Cached DVC had nothing to run"
    assert said[3].startswith(f"{STAGE} Failed {STAGE}: its work is done, but DVC could not save it")
    assert said[4:] == [
        "runs: 1",
        "prepare Cached DVC had nothing to run",
        f"{STAGE} Cached DVC had nothing to run",
        "runs: 1",
    ]

"""`mucode collect` on a workspace: what it writes, that it is the same whenever it is run, and whoever kills it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mucode.collect import command
from mucode.collect.command import INCOMING, QUARANTINE, TAKEN_OUT, Collection, collect
from mucode.collect.incoming import arrivals, fetch_revision
from mucode.config import load_config
from mucode.problems import load_problems
from mucode.problems.collected import COLLECTED_FILE
from mucode.problems.mbpp import PATH_VARIABLE
from mucode.types import Answer, MucodeError
from tests.collect.rows import NEW, drop, row
from tests.conftest import make_problem

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789" * 4
needs_mbpp = pytest.mark.skipif(PATH_VARIABLE not in os.environ, reason=f"{PATH_VARIABLE} names no local mbpp.jsonl")
WRONG = {**NEW, "code": "def weigh(a, b):\n    return 0"}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_an_mbpp_of_two_problems(workspace: Path) -> None:
    """One of the test and one of the validation split, in MBPP's place."""
    text = drop(
        workspace, "mbpp.jsonl", *({**row(name), "task_id": n} for name, n in (("gnu", 11), ("emu", 511)))
    ).read_bytes()
    said = f"files: {{mbpp: {{path: mbpp.jsonl, sha256: {hashlib.sha256(text).hexdigest()}}}}}"
    params = (workspace / "params.yaml").read_text()
    (workspace / "params.yaml").write_text(params.replace("files: {}", said))


def state(workspace: Path) -> dict[str, bytes]:
    return {name: (workspace / name).read_bytes() for name in map(str, (COLLECTED_FILE, QUARANTINE))}


def quarantined() -> list[dict[str, Any]]:
    return [json.loads(line) for line in QUARANTINE.read_text().splitlines()]


def test_an_empty_drop_folder_needs_no_test_set_and_writes_nothing(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PATH_VARIABLE, raising=False)
    assert collect() == Collection(accepted=0, refused=0, known=0, total=0)
    assert not (workspace / "data").exists()


def test_what_is_new_is_held_against_every_set_that_something_is_measured_on(workspace: Path) -> None:
    with_an_mbpp_of_two_problems(workspace)
    config = load_config()
    collected = [(make_problem(), Answer("toy/p", (), ""))]
    training, held_out = command.known_sets(config, collected)
    ours = [problem.id for problem, _ in load_problems(config.problems.source) if problem.split == "train"]
    assert [problem.id for problem, _ in training] == ["toy/p", *ours]
    assert {name: len(problems) for name, problems in held_out.items()} == {
        "starter/validation": 40,
        "starter/test": 40,
        "mbpp/validation": 1,
        "mbpp/test": 1,
        "humaneval/test": 164,
    }


def test_nothing_is_accepted_while_a_test_set_cannot_be_had(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = workspace / "mbpp.jsonl"
    elsewhere.write_text('{"task_id": 11}\n')
    monkeypatch.setenv(PATH_VARIABLE, str(elsewhere))
    drop(INCOMING, "new.jsonl", NEW)
    with pytest.raises(MucodeError, match="is not MBPP as it was published"):
        collect()
    assert not COLLECTED_FILE.exists()


@pytest.mark.parametrize("there", [None, "row 1\n"])
def test_nothing_is_collected_while_what_was_collected_elsewhere_is_to_come(workspace: Path, there: str | None) -> None:
    known = b"row 1\nrow 2\n"
    drop(INCOMING, "new.jsonl", NEW)
    COLLECTED_FILE.parent.mkdir()
    if there:
        COLLECTED_FILE.write_text(there)
    pointer = COLLECTED_FILE.with_name("problems.jsonl.dvc")
    pointer.write_text(
        f"outs:\n- md5: {hashlib.md5(known).hexdigest()}\n  size: {len(known)}\n  path: problems.jsonl\n"
    )
    before = sorted((workspace / "data").rglob("*"))
    with pytest.raises(MucodeError, match=r"is not what problems\.jsonl\.dvc points at: run `dvc pull"):
        collect()
    assert sorted((workspace / "data").rglob("*")) == before


def test_a_problem_that_was_taken_out_is_not_accepted_again_while_its_row_lies_in_the_drop_folder(
    workspace: Path,
) -> None:
    with_an_mbpp_of_two_problems(workspace)
    drop(INCOMING, "new.jsonl", NEW)
    COLLECTED_FILE.parent.mkdir(parents=True)
    COLLECTED_FILE.touch()
    drop(TAKEN_OUT.parent, TAKEN_OUT.name, arrivals(INCOMING)[0].row)  # the line as it was kept
    assert collect() == Collection(accepted=0, refused=0, known=1, total=0)
    assert COLLECTED_FILE.read_bytes() == b""


@needs_mbpp
@pytest.mark.slow
def test_good_rows_join_the_training_set_and_the_others_are_listed_until_they_are_corrected(workspace: Path) -> None:
    tested = next(pair for pair in load_problems("mbpp") if pair[0].split == "test")
    leak = {**NEW, "text": tested[0].text, "code": tested[1].reference}
    drop(INCOMING, "new.jsonl", row("zebra"), WRONG, leak, "{cut sho")
    assert collect(dry_run=True) == Collection(accepted=1, refused=3, known=0, total=1)
    assert not COLLECTED_FILE.exists()
    assert not QUARANTINE.exists()
    assert collect() == Collection(accepted=1, refused=3, known=0, total=1)
    (accepted,) = load_problems("collected", COLLECTED_FILE)
    assert (accepted[0].entry_point, accepted[0].split) == ("zebra", "train")
    wrong, leaking, broken = quarantined()
    assert "its own code fails its tests" in wrong["refused"][0]
    assert any(tested[0].id in reason and "leak" in reason for reason in leaking["refused"])
    assert (broken["from"], broken["line"]) == ("new.jsonl, line 4", "{cut sho")

    before = state(workspace)
    assert collect() == Collection(accepted=0, refused=3, known=1, total=1)
    assert state(workspace) == before

    drop(INCOMING, "new.jsonl", row("zebra"), {**wrong, "code": NEW["code"]})  # as a person corrects it
    assert collect() == Collection(accepted=1, refused=0, known=1, total=2)
    assert not QUARANTINE.exists()
    (INCOMING / "new.jsonl").unlink()
    assert collect() == Collection(accepted=0, refused=0, known=0, total=2)
    assert [problem.entry_point for problem, _ in load_problems("collected", COLLECTED_FILE)] == ["zebra", "weigh"]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_what_is_accepted_begins_a_line_of_its_own_and_what_was_there_keeps_its_bytes(
    workspace: Path, end: str
) -> None:
    with_an_mbpp_of_two_problems(workspace)
    COLLECTED_FILE.parent.mkdir(parents=True)
    before = json.dumps(row("zebra")).encode() + end.encode()
    COLLECTED_FILE.write_bytes(before)
    drop(INCOMING, "new.jsonl", NEW)
    assert collect() == Collection(accepted=1, refused=0, known=0, total=2)
    assert COLLECTED_FILE.read_bytes().startswith(before)
    assert [problem.entry_point for problem, _ in load_problems("collected", COLLECTED_FILE)] == ["zebra", "weigh"]


@pytest.mark.slow
def test_a_reference_slower_than_programs_may_be_is_accepted_with_a_warning_as_prepare_would(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with_an_mbpp_of_two_problems(workspace)
    params = (workspace / "params.yaml").read_text()
    (workspace / "params.yaml").write_text(re.sub(r"(?m)^  timeout: [\d.]+", "  timeout: 1.0", params))
    assert load_config().execution.timeout == 1.0
    slow = "import time\ndef weigh(a, b):\n    time.sleep(0.8)\n    return 9 * a + b ** 2 - 4"
    drop(INCOMING, "new.jsonl", {**NEW, "code": slow})
    with caplog.at_level(logging.WARNING, logger="mucode"):
        assert collect() == Collection(accepted=1, refused=0, known=0, total=1)
    (accepted,) = load_problems("collected", COLLECTED_FILE)
    assert f"the reference of {accepted[0].id} takes" in caplog.text
    assert "and programs get 1.0 s" in caplog.text


@needs_mbpp
@pytest.mark.slow
def test_a_kill_at_any_time_leaves_whole_files_and_the_next_run_the_same_ones(workspace: Path) -> None:
    drop(INCOMING, "new.jsonl", row("zebra"), WRONG, row("yak"))
    command = [sys.executable, "-m", "mucode", "collect"]
    started = time.monotonic()
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
    seconds, alive = time.monotonic() - started, 0
    undisturbed = state(workspace)
    times = random.Random(0)
    for _ in range(5):
        shutil.rmtree(COLLECTED_FILE.parent)
        QUARANTINE.unlink(missing_ok=True)
        with subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(times.uniform(0.1, seconds))
            alive += process.poll() is None
            process.send_signal(signal.SIGKILL)
        for path in (COLLECTED_FILE, QUARANTINE):
            assert not path.exists() or path.read_bytes() == undisturbed[str(path)]
        collect()
        assert state(workspace) == undisturbed
    assert alive > 0


def cached_revision(hub: Path, files: dict[str, list[dict[str, Any]]]) -> None:
    """A data set as the Hub's own client keeps it once fetched."""
    snapshot = hub / "datasets--acme--tasks/snapshots" / COMMIT
    for name, rows in files.items():
        drop(snapshot, name, *rows)


@pytest.mark.slow
def test_a_hub_revision_is_put_into_the_drop_folder_once(workspace: Path) -> None:
    half = {**NEW, "text": "\ud83d"}  # of a character: refused with its row, later
    cached_revision(workspace / "hub", {"train.jsonl": [NEW, row("zebra"), half], "README.md": []})
    code = f"from mucode.collect.incoming import *; print(fetch_revision('acme/tasks@{COMMIT}', Path('data/incoming')))"
    environment = {"HF_HUB_CACHE": str(workspace / "hub"), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
        )
        assert run.stdout == f"data/incoming/hub-acme-tasks-{COMMIT[:12]}.jsonl\n"
        shutil.rmtree(workspace / "hub", ignore_errors=True)  # the second call asks nobody
    rows = [json.loads(line) for line in Path(run.stdout.strip()).read_text().splitlines()]
    assert rows == [NEW, row("zebra"), half]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "culprit"),
    [
        ("train.jsonl", b'{"text": "a"}\n{cut sho', r"train\.jsonl, line 2 is no JSON"),
        ("train.parquet", b"PAR1 damaged", r"train\.parquet is no parquet file"),
        (
            "train.parquet",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            r"train\.parquet is no parquet",
        ),
    ],
)
def test_a_damaged_file_of_a_hub_revision_is_named(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, culprit: str
) -> None:
    snapshot = workspace / "hub/datasets--acme--tasks/snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / name).write_bytes(content)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(workspace / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(MucodeError, match=culprit):
        fetch_revision(f"acme/tasks@{COMMIT}", INCOMING)
    assert not INCOMING.exists()


@pytest.mark.parametrize("name", ["acme/tasks", "acme/tasks@main", "acme@" + COMMIT, "a/../b@" + COMMIT])
def test_a_revision_without_its_commit_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MucodeError, match="the 40 digits of the commit"):
        fetch_revision(name, tmp_path)

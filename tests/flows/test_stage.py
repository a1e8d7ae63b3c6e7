from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import disable_run_logger
from prefect.states import Failed
from prefect.testing.utilities import prefect_test_harness

from flows.commands import Finished, run_visibly
from flows.stage import AT_LEAST, GATE_REFUSED, culprit, exit_code, failure, may_pass, run_stage, time_left, why
from flows.versions import has_answered, push
from tests.test_processes import is_gone

LOG = Path("stage.log")
REFUSED = (
    "Running stage 'validate':",
    "> python -m mucode stage validate",
    "mucode: 3 labels of base-0 hold NaN: see the rows",
    "ERROR: failed to reproduce 'validate': failed to run: python -m mucode stage validate, exited with 3",
)


def test_the_culprit_of_a_failure_is_the_stage_s_own_last_sentence() -> None:
    assert culprit(Finished(255, REFUSED, LOG)) == "3 labels of base-0 hold NaN: see the rows"


def test_the_exit_code_is_the_stage_s_not_dvc_s() -> None:
    assert exit_code(Finished(255, REFUSED, LOG)) == GATE_REFUSED


def test_a_killed_dvc_is_named_as_such() -> None:
    assert culprit(Finished(-9, REFUSED[:2], LOG)) == "it was killed by signal 9; run again to continue"


def test_a_killed_stage_is_named_as_such() -> None:
    lines = (*REFUSED[:2], "1 of 3 done", "ERROR: failed to reproduce 'x': failed to run: y, exited with -9")
    assert culprit(Finished(255, lines, LOG)) == "it ended with signal 9; run again to continue"


def test_what_keeps_dvc_from_running_a_stage_is_the_culprit() -> None:
    lines = ("ERROR: failed to reproduce 'prepare': missing data 'source': data/collected",)
    assert culprit(Finished(255, lines, LOG)) == "failed to reproduce 'prepare': missing data 'source': data/collected"


def test_an_error_of_dvc_itself_is_the_culprit() -> None:
    assert culprit(Finished(1, ("ERROR: Unable to acquire lock.",), LOG)) == "Unable to acquire lock."


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("base_model", 75, True),  # the Hub or the package index did not answer
        ("base_model", 1, False),  # it did: there is no such model
        ("prepare", 1, False),  # a reference fails its tests
        ("base_model", -9, False),  # killed: the next run goes on
        ("label@base-0", 1, False),
        ("validate@base-0", GATE_REFUSED, False),
        ("register", 75, True),  # MLflow did not answer
        ("register", 1, False),
    ],
)
def test_only_what_another_machine_may_not_have_answered_is_tried_again(name: str, code: int, expected: bool) -> None:
    lines = ("mucode: no answer", f"ERROR: failed to reproduce '{name}': failed to run: x, exited with {code}")
    with disable_run_logger():
        state = failure(name, Finished(code if code < 0 else 255, lines, LOG))
    assert state.is_failed()
    assert may_pass(run_stage, TaskRun.model_construct(), state) is expected


def test_what_follows_the_stages_gets_its_time_though_the_run_s_hours_be_over() -> None:
    left, over = time_left(1), time_left(0)
    assert 0 < left(0) <= 3600 < left(4000)
    assert (over(0), over(AT_LEAST)) == (0, AT_LEAST)


def test_what_got_no_answer_in_its_time_is_named_and_not_begun_again() -> None:
    over: State[Any] = Failed(
        name="TimedOut", message="Task run exceeded timeout of 3600 second(s)", data=TimeoutError()
    )
    refused: State[Any] = Failed(message="dvc push: no room")
    assert (why("push", over), why("push", refused)) == ("push did not end in its time: run again", "dvc push: no room")
    run = TaskRun.model_construct()
    assert (has_answered(push, run, over), has_answered(push, run, refused)) == (False, True)


def test_output_is_shown_live_and_every_run_s_is_kept(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = tmp_path / "logs/x.log"
    first = run_visibly(["sh", "-c", r"printf '\r1/2\r2/2\nout\n'; echo err >&2"], tmp_path, log)
    again = run_visibly(["sh", "-c", "echo more; exit 4"], tmp_path, log)
    assert (first.returncode, first.lines) == (0, ("1/2", "2/2", "out", "err"))
    assert (again.returncode, again.lines) == (4, ("more",))
    assert log.read_bytes() == b"\r1/2\r2/2\nout\nerr\nmore\n"
    assert capfdbinary.readouterr().err == log.read_bytes()


def test_a_log_that_cannot_be_written_ends_no_command(tmp_path: Path) -> None:
    finished = run_visibly(["sh", "-c", "echo one; echo two"], tmp_path, Path("/dev/full"))
    assert (finished.returncode, finished.lines) == (0, ("one", "two"))


def test_a_terminal_that_is_gone_ends_no_command(tmp_path: Path) -> None:
    said = "from flows.commands import run_visibly; from pathlib import Path; import sys; "
    said += "run_visibly(['sh', '-c', 'echo one; sleep 1; echo two'], Path(), Path('x.log'))"
    with Path("/dev/full").open("w") as full:
        subprocess.run([sys.executable, "-c", said], cwd=tmp_path, stderr=full, check=False)
    assert (tmp_path / "x.log").read_text() == "one\ntwo\n"


def test_a_grandchild_that_keeps_the_pipe_open_delays_nothing(tmp_path: Path) -> None:
    started = time.monotonic()
    finished = run_visibly(["sh", "-c", "sleep 600 & echo $!"], tmp_path, tmp_path / "x.log")
    assert time.monotonic() - started < 60
    [grandchild] = finished.lines
    assert is_gone(int(grandchild))


@pytest.mark.parametrize("pieces", [["a\nUse it\nUse `dvc push`!\n"], ["a\nUse `dv", "c push`!\nb"], ["a\nUse `"]])
def test_of_the_output_one_line_is_left_out_wherever_it_is_cut_and_nothing_else(
    pieces: list[str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    write = "import sys, time\nfor piece in sys.argv[1:]: print(piece, end='', flush=True); time.sleep(0.2)"
    log, line = tmp_path / "x.log", "Use `dvc push`!\n"
    finished = run_visibly([sys.executable, "-c", write, *pieces], tmp_path, log, left_out=line.encode())
    assert log.read_text() == "".join(pieces).replace(line, "")
    assert finished.lines == tuple(log.read_text().splitlines())
    assert capfdbinary.readouterr().err == log.read_bytes()


@pytest.mark.parametrize("remote", ["", "[core]\n    remote = here\n['remote \"here\"']\n    url = /shelf\n"])
def test_dvc_advises_to_push_only_where_a_remote_is_set(
    toy: Callable[..., Path], capfd: pytest.CaptureFixture[str], remote: str
) -> None:
    workspace = toy()
    (workspace / ".dvc/config.local").write_text(remote)
    assert run_stage.fn("prepare", workspace).name == "Completed"
    said = (workspace / ".mucode/logs/prepare.log").read_text()
    assert ("Use `dvc push` to send your updates to remote storage." in said) is bool(remote)
    assert "Running stage 'prepare'" in said
    assert capfd.readouterr().err == said


def test_a_stage_runs_once_and_is_cached_after(toy: Callable[..., Path]) -> None:
    workspace = toy()
    assert run_stage.fn("prepare", workspace).name == "Completed"
    assert (workspace / "data/a").read_text() == "hello\n"
    assert run_stage.fn("prepare", workspace).name == "Cached"


@pytest.mark.slow
def test_a_failed_stage_is_a_failed_state_with_its_sentence(toy: Callable[..., Path]) -> None:
    workspace = toy(slow="echo mucode: no model at X: name another >&2 && false")
    run_stage.fn("prepare", workspace)
    with disable_run_logger():
        state = run_stage.fn("label@base-0", workspace)
    assert state.is_failed()
    assert str(state.message).startswith("label@base-0: no model at X: name another (all of it: ")


@pytest.mark.slow
def test_the_labels_that_a_gate_refused_are_shown_on_the_run_s_page(
    toy: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    refused = json.dumps({"sentence": "1 label holds NaN", "rows": [{"problem_id": "starter/1", "reward": None}]})
    gate = f"mkdir -p .mucode/failures && echo '{refused}' > .mucode/failures/base-0.json && exit {GATE_REFUSED}"
    workspace = toy(slow=gate)

    @flow
    def labels() -> State[Any]:
        run_stage("prepare", workspace)
        return run_stage("label@base-0", workspace, return_state=True)

    with prefect_test_harness(server_startup_timeout=300), get_client(sync_client=True) as client:
        assert labels(return_state=True).is_failed()
        (shown,) = client.read_artifacts()
    assert (shown.key, shown.type, shown.description) == ("failed-labels-base-0", "table", "1 label holds NaN")
    assert json.loads(str(shown.data)) == json.loads(refused)["rows"]


@pytest.mark.slow
def test_a_run_after_a_sigkill_needs_nobody_to_remove_dvc_s_locks(toy: Callable[..., Path]) -> None:
    workspace = toy()
    run_stage.fn("prepare", workspace)
    entry = {"pid": 1, "cmd": "dvc repro of a process whose id another one has"}
    path = str(workspace / "data/label-base-0")
    (workspace / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {path: entry}, "read": {}}))
    assert run_stage.fn("label@base-0", workspace).is_completed()
    (workspace / ".dvc/tmp/rwlock").write_text('{"write": {"/x')
    assert run_stage.fn("label@mucode-0-1", workspace).is_completed()

"""What a stage says about its code is that of the hour, however late MLflow hears of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from mucode.lineage import code_of, lineage, lock_of
from mucode.tracking import log_stage, send_records, tags_of
from mucode.tracking.runs import LATER, UNTRACKED, settle_locks
from mucode.tracking.server import EXPERIMENT, mlflow_at


def log(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LATER, "1")
    log_stage("evaluate", "mucode-0-1", {}, {"bon": 0.5}, {}, 1.0, workspace=repository)


def locks(repository: Path) -> list[dict[str, str] | None]:
    """What the kept records say, oldest first."""
    return [json.loads(path.read_text())["lock"] for path in sorted((repository / UNTRACKED).glob("*.json"))]


def test_a_kept_record_names_the_commit_that_it_ran_at(
    repository: Path, ask: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    then = code_of(repository)
    log(repository, monkeypatch)
    (repository / "mucode/code.py").write_text("second\n")
    ask("-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--all", "-m", "second")
    (record,) = (repository / UNTRACKED).glob("*.json")
    code = json.loads(record.read_text())["code"]
    assert {name: code[name] for name in then} == then == {"git_commit": ask("rev-parse", "HEAD^").strip()}


def test_a_record_that_has_to_wait_belongs_to_the_lock_at_the_end_of_its_own_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_of_run(lock: str) -> dict[str, str]:
        log(repository, monkeypatch)
        (repository / "dvc.lock").write_text(lock)  # DVC writes it after the stage
        settle_locks(repository)  # MLflow is down
        return lock_of(repository)

    weeks = [end_of_run("stages: {evaluate: 1}\n"), end_of_run("stages: {evaluate: 2}\n")]
    assert locks(repository) == weeks
    assert weeks[0] != weeks[1]


def test_of_what_was_made_anew_before_a_run_ended_no_lock_holds_the_outs(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(repository, monkeypatch)
    log(repository, monkeypatch)
    assert locks(repository) == [None, None]
    settle_locks(repository)
    assert locks(repository) == [{}, lock_of(repository)]


def test_a_repository_that_git_cannot_read_does_not_undo_the_stage(
    repository: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (repository / ".git/index").write_text("cut sho")
    with caplog.at_level(logging.WARNING, logger="mucode"):
        log(repository, monkeypatch)
    assert "evaluate@mucode-0-1 is done and goes on" in caplog.text


def test_a_folder_without_git_and_without_a_lock_has_nothing_to_say(tmp_path: Path) -> None:
    assert lineage(tmp_path) == {}


@pytest.mark.slow
def test_a_run_is_tagged_with_its_commit_and_the_lock_at_the_end_of_the_flow(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    log(repository, monkeypatch)
    (repository / "dvc.lock").write_text("stages: {evaluate: {}}\n")  # DVC writes it after the stage
    send_records(repository)
    with mlflow_at(repository) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
        (run,) = client.search_runs([experiment])
    assert lineage(repository).items() <= (tags_of(run.info.run_id, repository) or {}).items()
    assert len(lineage(repository)) == 2


@pytest.mark.slow
def test_a_run_that_a_stage_sends_itself_is_not_said_to_belong_to_the_lock_before_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv(LATER, raising=False)
    log_stage("evaluate", "mucode-0-1", {}, {"bon": 0.5}, {}, 1.0, workspace=repository)
    with mlflow_at(repository) as client:
        (run,) = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert run.data.tags.items() >= code_of(repository).items()
    assert "dvc_lock_sha256" not in run.data.tags

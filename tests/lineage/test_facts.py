"""What a stage says about its code is that of the hour, however late MLflow hears of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mucode.lineage import code_of, lineage
from mucode.tracking import log_stage, send_records, tags_of
from mucode.tracking.runs import LATER, UNTRACKED
from mucode.tracking.server import EXPERIMENT, mlflow_at


def log(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LATER, "1")
    log_stage("evaluate", "mucode-0-1", {}, {"bon": 0.5}, {}, 1.0, workspace=repository)


def test_a_kept_record_names_the_commit_that_it_ran_at(
    repository: Path, ask: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    then = code_of(repository)
    log(repository, monkeypatch)
    (repository / "mucode/code.py").write_text("second\n")
    ask("-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--all", "-m", "second")
    (record,) = (repository / UNTRACKED).glob("*.json")
    assert json.loads(record.read_text())["code"] == then == {"git_commit": ask("rev-parse", "HEAD^").strip()}


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
    assert lineage(repository).items() <= tags_of(run.info.run_id, repository).items()
    assert len(lineage(repository)) == 2

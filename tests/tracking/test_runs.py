"""Runs in MLflow: what a stage says arrives once, and a server that is down costs nothing but a warning."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mucode.tracking import TrackingUnavailable, keep_record, send_records
from mucode.tracking.runs import LATER, UNTRACKED, Record
from mucode.tracking.server import EXPERIMENT, mlflow_at
from tests.conftest import ANOTHER_LOCALE
from tests.tracking.stage import NOWHERE, kept, log, refused, runs


def test_files_to_keep_with_a_run_are_utf_8_whatever_the_locale_says(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from mucode.tracking import log_stage\n"
        "log_stage('report', '', {}, {}, {}, 1.5, artifacts=[Path('table.md')], workspace=Path())"
    )
    (tmp_path / "table.md").write_text("µCode", encoding="utf-8")
    environment = {**os.environ, **ANOTHER_LOCALE, LATER: "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert json.loads(kept(tmp_path)[0].read_text(encoding="utf-8"))["texts"] == {"table.md": "µCode"}


def test_a_record_may_wait_for_whoever_sends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LATER, "1")
    card = tmp_path / "training.json"
    card.write_text('{"losses": [0.7, 0.5]}')
    log(tmp_path, artifacts=[card])
    record = Record(**json.loads(kept(tmp_path)[0].read_text()))
    assert record.params == {"verifier.epochs": "2", "verifier.loss": "bce", "seed": "0"}
    assert record.metrics == {"accuracy": 0.75, "seconds": 1.5}
    assert record.ended - record.started == 1500
    assert record.code["version.torch"] == importlib.metadata.version("torch")
    assert record.texts == {"training.json": '{"losses": [0.7, 0.5]}'}
    assert not (tmp_path / "mlflow.db").exists()


def test_a_record_that_cannot_be_kept_does_not_undo_the_stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / UNTRACKED.parent).write_text("in the way of the folder, as a full disk would be")
    with caplog.at_level(logging.WARNING, logger="mucode"):
        log(tmp_path)
    assert "train_verifier@base-0 is done and goes on" in caplog.text


def test_nothing_kept_means_nothing_to_send_and_no_database(tmp_path: Path) -> None:
    assert send_records(tmp_path) == 0
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("torn", ['{"stage": "evaluate", "ke', '{"of": "a newer version"}', "[]"])
def test_a_record_that_cannot_be_read_is_set_aside_and_named(
    tmp_path: Path, torn: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / UNTRACKED / "0000000000001-evaluate-mucode-0-1.json"
    path.parent.mkdir(parents=True)
    path.write_text(torn)
    with caplog.at_level(logging.WARNING, logger="mucode"):
        assert send_records(tmp_path) == 0
    assert f"the record {path.name} cannot be read (" in caplog.text
    assert (kept(tmp_path), [file.read_text() for file in refused(tmp_path)]) == ([], [torn])


@pytest.mark.slow
def test_a_record_that_mlflow_refuses_is_set_aside_and_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    first = Record("evaluate", "first", {}, {}, {"data/" + "x" * 500: "ab" * 32}, started=0, ended=1)
    for record in (first, Record("evaluate", "second", {}, {}, {}, started=0, ended=2)):
        keep_record(record, tmp_path)
    with caplog.at_level(logging.WARNING, logger="mucode"):
        assert send_records(tmp_path) == 1
    assert f"the record {first.id}.json is refused by MLflow (" in caplog.text
    assert (kept(tmp_path), [path.stem for path in refused(tmp_path)]) == ([], [first.id])
    shown = {run.info.run_name: run.info.status for run in runs(tmp_path)}
    assert shown == {"evaluate@first": "FAILED", "evaluate@second": "FINISHED"}

    keep_record(dataclasses.replace(first, datasets={}), tmp_path)  # mended
    assert send_records(tmp_path) == 1
    assert {run.info.status for run in runs(tmp_path)} == {"FINISHED"}


@pytest.mark.slow
def test_a_finished_stage_is_a_finished_run_with_its_numbers_and_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    card = tmp_path / "training.json"
    card.write_text("{}")
    log(tmp_path, artifacts=[card])
    (run,) = runs(tmp_path)
    assert run.info.run_name == "train_verifier@base-0"
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 1500
    assert run.data.params == {"verifier.epochs": "2", "verifier.loss": "bce", "seed": "0"}
    assert run.data.metrics == {"accuracy": 0.75, "seconds": 1.5, "loss": 0.5}
    assert [i.dataset.name for i in run.inputs.dataset_inputs] == ["data/datasets/base-0.parquet"]
    assert kept(tmp_path) == []
    with mlflow_at(tmp_path) as client:
        assert [m.value for m in client.get_metric_history(run.info.run_id, "loss")] == [0.7, 0.5]
        assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["training.json"]
    assert (tmp_path / "mlartifacts").is_dir()


@pytest.mark.slow
def test_a_record_that_a_kill_left_half_sent_becomes_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    record = Record("evaluate", "mucode-0-1", {"n": "4"}, {"bon": 0.5}, {}, started=1000, ended=2000)
    keep_record(record, tmp_path)
    with mlflow_at(tmp_path) as client:
        experiment = client.create_experiment(EXPERIMENT)
        client.create_run(experiment, start_time=1000, tags={"mucode.record": record.id})
    send_records(tmp_path)
    keep_record(record, tmp_path)  # as if the kill came between the last word and the record's end
    send_records(tmp_path)
    (run,) = runs(tmp_path)
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"bon": 0.5})


@pytest.mark.slow
def test_a_server_that_is_down_makes_a_warning_and_the_record_is_sent_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE)
    with caplog.at_level(logging.WARNING, logger="mucode"):
        log(tmp_path)
    assert NOWHERE in caplog.text
    assert "sent next time" in caplog.text
    assert len(kept(tmp_path)) == 1
    with pytest.raises(TrackingUnavailable, match="cannot be used"):
        send_records(tmp_path)

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    log(tmp_path)
    assert len(runs(tmp_path)) == 2
    assert kept(tmp_path) == []

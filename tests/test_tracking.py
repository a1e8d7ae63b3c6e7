"""Runs in MLflow: what a stage says arrives once, and a server that is down costs nothing but a warning."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mucode.lineage.git import without_credentials
from mucode.tracking import TrackingUnavailable, keep_record, log_stage, send_records, tracking_uri
from mucode.tracking.runs import LATER, REFUSED, UNTRACKED, Record
from mucode.tracking.server import EXPERIMENT, mlflow_at
from mucode.types import MucodeError
from tests.conftest import ANOTHER_LOCALE

NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens


def log(workspace: Path, **changes: Any) -> None:
    log_stage(
        "train_verifier",
        "base-0",
        {"verifier": {"epochs": 2, "loss": "bce"}, "seed": 0},
        {"accuracy": 0.75},
        {"data/datasets/base-0.parquet": "ab" * 32},
        1.5,
        **{"curves": {"loss": [0.7, 0.5]}, "workspace": workspace, **changes},
    )


def kept(workspace: Path) -> list[Path]:
    return sorted((workspace / UNTRACKED).glob("*.json"))


def runs(workspace: Path) -> list[Any]:
    with mlflow_at(workspace) as client:
        found = client.get_experiment_by_name(EXPERIMENT)
        return list(client.search_runs([found.experiment_id]))


def test_the_address_is_the_workspaces_own_database_unless_the_environment_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE)
    assert tracking_uri(tmp_path) == NOWHERE


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ada:secret@db:5432/mlflow", "postgresql://db:5432/mlflow"),
        ("postgresql://ada:sec/ret@db/mlflow", "postgresql://db/mlflow"),
        ("postgresql://ada:s/e@cret@db/mlflow", "postgresql://db/mlflow"),
        ("http://ada:se@cret@127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://127.0.0.1:5000/path@1", "http://127.0.0.1:5000/path@1"),
        ("http://[::1]:5000/path@1", "http://[::1]:5000/path@1"),
        ("https://secret@mlflow.example/path@1", "https://mlflow.example/path@1"),
        ("sqlite:////home/ada@work/mlflow.db", "sqlite:////home/ada@work/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_its_name_and_password(address: str, shown: str) -> None:
    assert without_credentials(f"no answer from {address} (twice)") == f"no answer from {shown} (twice)"


def test_files_to_keep_with_a_run_are_utf_8_whatever_the_locale_says(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from mucode.tracking import log_stage\n"
        "log_stage('report', '', {}, {}, {}, 1.5, artifacts=[Path('table.md')], workspace=Path())"
    )
    (tmp_path / "table.md").write_text("µCode", encoding="utf-8")
    environment = {**os.environ, **ANOTHER_LOCALE, LATER: "1", "PYTHONPATH": str(Path(__file__).parents[1])}
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


def refused(workspace: Path) -> list[Path]:
    return sorted((workspace / UNTRACKED / REFUSED).iterdir())


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "reason"),
    [("", "file is not a database"), ("mysql+nothing://ada@127.0.0.1:9/mlflow", "mysql.nothing")],
)
def test_a_database_that_fails_makes_a_warning_too(
    address: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    (tmp_path / "mlflow.db").write_bytes(bytes(range(256)) * 20)
    with caplog.at_level(logging.WARNING, logger="mucode"):
        log(tmp_path)
    assert re.search(f"cannot be used .*{reason}.* and sent next time", caplog.text)
    assert len(kept(tmp_path)) == 1


@pytest.mark.slow
def test_an_experiment_that_was_deleted_is_brought_back_by_the_command_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    log(tmp_path)
    with mlflow_at(tmp_path) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
        client.delete_experiment(experiment)
    with caplog.at_level(logging.WARNING, logger="mucode"):
        log(tmp_path)
    assert f"was deleted: `mlflow experiments restore -x {experiment}`" in caplog.text
    with pytest.raises(MucodeError) as refusal:
        send_records(tmp_path)
    assert not isinstance(refusal.value, TrackingUnavailable)  # a minute mends nothing
    with mlflow_at(tmp_path) as client:
        client.restore_experiment(experiment)
    assert send_records(tmp_path) == 1


@pytest.mark.slow
def test_a_full_disk_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE)
    (tmp_path / "weights").write_text("w")
    with (
        pytest.raises(MucodeError, match="No space left on device; make room") as refusal,
        mlflow_at(tmp_path),
    ):
        shutil.copyfile(tmp_path / "weights", "/dev/full")
    assert not isinstance(refusal.value, TrackingUnavailable)


@pytest.mark.slow
def test_a_workspace_that_was_moved_is_refused_until_a_link_at_its_old_place_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    before, now = tmp_path / "the one", tmp_path / "the other"
    before.mkdir()
    log(before)
    before.rename(now)
    with pytest.raises(MucodeError, match=f"was made in {before} and names its files there"):
        runs(now)
    before.symlink_to(now)
    assert len(runs(now)) == 1


@pytest.mark.slow
def test_a_copied_workspace_writes_nothing_into_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    original, copy = tmp_path / "original", tmp_path / "copy"
    card = tmp_path / "training.json"
    card.write_text("{}")
    original.mkdir()
    log(original, artifacts=[card])
    shutil.copytree(original, copy)
    before = sorted(original.rglob("*"))
    with caplog.at_level(logging.WARNING, logger="mucode"):
        log(copy, artifacts=[card])
    assert f"was made in {original}" in caplog.text
    assert sorted(original.rglob("*")) == before
    assert len(kept(copy)) == 1


@pytest.mark.slow
def test_what_is_said_of_a_server_that_is_down_tells_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE.replace("//", "//ada:secret@"))
    keep_record(Record("evaluate", "mucode-0-1", {}, {}, {}, started=0, ended=1), tmp_path)
    with pytest.raises(TrackingUnavailable, match=NOWHERE) as refusal:
        send_records(tmp_path)
    assert "secret" not in str(refusal.value)


@pytest.mark.slow
def test_the_old_file_store_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    keep_record(Record("evaluate", "mucode-0-1", {}, {}, {}, started=0, ended=1), tmp_path)
    with pytest.raises(MucodeError, match="unset MLFLOW_TRACKING_URI"):
        send_records(tmp_path)

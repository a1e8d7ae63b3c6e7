"""Which MLflow is asked, and what is said of one that cannot be used: a sentence, and no password."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

import pytest

from mucode.lineage.git import without_credentials
from mucode.tracking import TrackingUnavailable, keep_record, send_records, tracking_uri
from mucode.tracking.runs import Record
from mucode.tracking.server import EXPERIMENT, mlflow_at
from mucode.types import MucodeError
from tests.tracking.stage import NOWHERE, kept, log, runs


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

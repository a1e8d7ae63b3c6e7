"""Registration: a pair is registered once, with all that it is made of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mucode.config import load_config
from mucode.lineage.locked import folder_md5
from mucode.processes import held
from mucode.records import write_json
from mucode.registry import RegistrationReport, register
from mucode.registry.promote import promote, rollback
from mucode.tracking import TrackingUnavailable, load_registered_verifier
from mucode.tracking.server import experiment_id, mlflow_at
from mucode.types import MucodeError
from tests.registry.workspace import ROOT, champions, policy_digest, trail, versions, write_workspace


@pytest.mark.slow
def test_our_md5_of_a_folder_is_the_one_that_dvc_records(tmp_path: Path) -> None:
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".dvcignore").write_text((ROOT / ".dvcignore").read_text())
    for name in ("b.txt", "a.txt", "inner/z.txt", "inner.txt", ".a.txt.writing", "inner/.z.writing/half"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(name)
    subprocess.run([*dvc, "add", "-q", "out"], cwd=tmp_path, check=True)
    recorded = yaml.safe_load((tmp_path / "out.dvc").read_text())["outs"][0]["md5"]
    assert folder_md5(tmp_path / "out") == recorded


@pytest.mark.slow
def test_the_first_pair_is_registered_with_what_it_is_made_of_and_becomes_champion(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0])
    report = register(workspace)
    assert report.promoted
    assert report.champion == (1, 1)
    assert report.registry == f"sqlite:///{workspace}/mlflow.db"
    assert champions(workspace) == {"generator": 1, "verifier": 1}
    (version,) = versions(workspace)
    assert version.tags["dvc_md5"] == folder_md5(workspace / "data/selected/mucode-0/generator")
    assert version.tags["base_sha256"] == "c0ffee"
    assert version.tags["dataset_md5"] == "d" * 32
    assert "claims" not in version.tags
    (entry,) = trail(workspace)
    assert (entry.what, entry.pair, entry.before) == ("promoted", (1, 1), None)
    assert (entry.run, entry.policy_sha256) == (version.run_id, policy_digest(workspace))
    config = load_config(ROOT / "params.yaml")
    turns = f"`rollout.turns`: {config.rollout.turns}"
    for part in (config.model.setting, "starter/test", "10.0% to 90.0%", "mucode-generator", turns):
        assert part in version.description
    assert "77.0%" not in version.description  # of another method
    with mlflow_at(workspace) as client:
        run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["validation/bon"] == 0.5
    assert run.data.metrics["validation/bon/low"] < 0.5 < run.data.metrics["validation/bon/high"]
    assert run.data.tags["dvc_lock_sha256"] == version.tags["dvc_lock_sha256"]
    assert version.tags["dvc_lock_sha256"] == hashlib.sha256((workspace / "dvc.lock").read_bytes()).hexdigest()
    assert run.data.metrics["starter/test/best of 4 pt lv/low"] == 0.1


@pytest.mark.slow
def test_registering_again_changes_nothing(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0])
    register(workspace)
    first = [(v.version, v.tags) for v in versions(workspace)]
    report = register(workspace)
    assert not report.pairs[0].new
    assert not report.promoted
    assert report.champion == (1, 1)
    assert [(v.version, v.tags) for v in versions(workspace)] == first


@pytest.mark.slow
def test_weights_that_were_searched_with_anew_are_judged_by_the_new_searches(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0])
    register(workspace)
    (first,) = versions(workspace)
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 1.0])
    register(workspace)
    (again,) = versions(workspace)
    assert (again.version, again.run_id) == (first.version, first.run_id)
    assert again.tags["outcomes.1"] != first.tags["outcomes.1"]


@pytest.mark.slow
def test_the_models_are_found_among_many_others(workspace: Path) -> None:
    with mlflow_at(workspace) as client:
        for number in range(101):  # one more than a list of them holds
            client.create_registered_model(f"another-{number:03}")
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0])
    register(workspace)
    assert register(workspace).champion == (1, 1)


@pytest.mark.slow
def test_labels_whose_gate_is_not_the_recorded_one_make_no_champion(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0])
    write_json(workspace / "data/gates/base-0.json", {"passed": True, "by": "hand"})
    report = register(workspace)
    assert not report.promoted
    assert "gates" in report.reason
    assert report.champion is None


def set_random(folder: Path) -> None:
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace(load_config(params).model.setting, "random:tiny"))


@pytest.mark.slow
def test_a_random_base_is_registered_with_the_claim_of_nothing(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0])
    set_random(workspace)
    assert register(workspace).promoted  # where it is alone
    for kind in ("generator", "verifier"):
        (version,) = versions(workspace, kind)
        assert version.tags["claims"] == "nothing"
        assert "claims nothing" in version.description


@pytest.mark.slow
def test_a_pair_of_a_random_base_is_no_champion_of_a_team(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    team = workspace / "team.db"
    (workspace / "mlflow.db").rename(team)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{team}")
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0])
    set_random(workspace)
    report = register(workspace)
    assert (report.promoted, report.champion) == (False, None)
    assert "random model" in report.reason
    write_workspace(workspace, generator="g2", verifier="v2", validation=[0.0])
    assert register(workspace).champion == (2, 2)  # which claims something


@pytest.mark.slow
def test_the_files_of_a_team_s_database_lie_beside_it(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "team").mkdir()
    team = (workspace / "mlflow.db").rename(workspace / "team/team.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{team}")
    with mlflow_at(workspace) as client:
        found = client.get_experiment(experiment_id(client, workspace))
    assert found.artifact_location == (workspace / "team/mlartifacts").as_uri()


@pytest.mark.slow
def test_weights_have_an_hour_to_pass_through_a_server(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def transfer(*named: object, **options: object) -> None:
        given.append(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"])
        raise OSError("enough")

    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    with mlflow_at(workspace):
        import mlflow.pyfunc

        monkeypatch.setattr(mlflow.pyfunc, "log_model", transfer)
        monkeypatch.setattr(mlflow.pyfunc, "load_model", transfer)
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0])
    with pytest.raises(TrackingUnavailable, match="enough"):
        register(workspace)
    with pytest.raises(TrackingUnavailable, match="enough"):
        load_registered_verifier("champion", workspace, workspace)
    assert given == ["3600", "3600"]
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "20"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # a person's word
    with pytest.raises(TrackingUnavailable, match="enough"):
        register(workspace)
    assert given[2:] == ["60"]


@pytest.mark.parametrize("command", [register, promote, rollback])
def test_one_process_at_a_time_changes_the_registry(
    command: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_workspace(tmp_path, generator="g1", verifier="v1", validation=[1.0])
    Path("mlflow.db").touch()
    with held(Path(".mucode/registry.lock"), ""), pytest.raises(MucodeError, match="at work here: wait for it"):
        command()
    assert not Path("mlflow.db").read_bytes()


def test_a_registration_report_is_what_its_file_says(tmp_path: Path) -> None:
    report = RegistrationReport((), "mucode-0", False, "why", None, "sqlite:////w/mlflow.db")
    write_json(tmp_path / "report.json", dataclasses.asdict(report))
    assert RegistrationReport(**{**json.loads((tmp_path / "report.json").read_text()), "pairs": ()}) == report

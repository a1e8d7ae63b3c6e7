"""The flows as declared: which stages they cover, which of them are deployed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError

from mucode.yaml_files import load_yaml

REPOSITORY = Path(__file__).parent.parent.parent
CONCERNS = ("data_versioning", "execution_labeling", "verifier_training", "expert_iteration", "bon_evaluation")


def flow_of(module: str) -> Any:
    return getattr(import_module(f"flows.{module}"), module)


def test_every_stage_of_dvc_yaml_belongs_to_exactly_one_concern() -> None:
    declared = sorted(load_yaml((REPOSITORY / "dvc.yaml").read_text())["stages"])
    covered = sorted(stage for concern in CONCERNS for stage in import_module(f"flows.{concern}").STAGES)
    assert covered == declared


def test_every_flow_is_deployed_once_with_a_schedule_and_known_parameters() -> None:
    deployments = load_yaml((REPOSITORY / "prefect.yaml").read_text())["deployments"]
    flows = [deployment["entrypoint"].partition(":")[2] for deployment in deployments]
    assert sorted(flows) == sorted([*CONCERNS, "retrain"])
    for deployment in deployments:
        path, _, name = deployment["entrypoint"].partition(":")
        assert path == f"flows/{name}.py"
        assert deployment["schedules"][0]["cron"]
        assert set(deployment["parameters"]) <= set(flow_of(name).parameters.properties)


@pytest.mark.parametrize("name", [*CONCERNS, "retrain"])
def test_a_folder_without_stages_is_refused_before_the_run(name: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterTypeError, match=r"has no dvc\.yaml"):
        flow_of(name).validate_parameters({"workspace": tmp_path})

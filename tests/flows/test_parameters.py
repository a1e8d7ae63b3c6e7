"""What a run may be told in the UI's form, and that it takes effect where the run happens and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError

from flows.expert_iteration import STAGES
from flows.graph import closure
from flows.parameters import AS_COMMITTED, Variation, workspace_of
from flows.remotes import DvcRemotes
from flows.retrain import retrain
from mucode.config import load_config
from mucode.types import MucodeError
from mucode.workspace import make_workspace
from mucode.yaml_files import load_yaml
from tests.repository import make_repository

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace("tiny", REPOSITORY, tmp_path / "tiny")


def test_a_run_s_own_parameters_take_effect_in_a_folder_of_their_own(workspace: Path) -> None:
    committed = (workspace / "params.yaml").read_text()
    folder = workspace_of(workspace, Variation(method="star", model="random:other", iterations=2, seeds=[3, 4]))
    varied, before = load_config(folder / "params.yaml"), load_config(workspace / "params.yaml")
    assert (varied.study.methods, varied.study.iterations, varied.study.seeds) == (("star",), 2, (3, 4))
    assert varied.model.setting == "random:other"
    assert (varied.search, varied.rollout, varied.problems) == (before.search, before.rollout, before.problems)
    assert "star-4-2" in varied.plan["generators"]
    assert (workspace / "params.yaml").read_text() == committed


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's use of pygtrie
@pytest.mark.parametrize("method", ["instruct", "instruct_single", "star"])
def test_of_a_method_that_trains_nothing_each_flow_runs_what_there_is(workspace: Path, method: str) -> None:
    folder = workspace_of(workspace, Variation(method=method))
    assert ("fine_tune@star-0-1" in closure(folder, STAGES)) is (method == "star")
    assert "train_verifier@base-0" in closure(folder)


def test_a_run_goes_by_the_profile_and_not_by_what_the_workspace_was_made_of(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "root")
    workspace = make_workspace("small", root)
    (root / "profiles/small.yaml").write_text("rollout:\n  turns: 4\nstudy:\n  seeds: [3]\n")
    assert workspace_of(workspace, AS_COMMITTED) == workspace
    assert load_config(workspace / "params.yaml").rollout.turns == 4
    (root / "profiles/small.yaml").write_text("rollout:\n  turns: 5\n")
    varied = load_config(workspace_of(workspace, Variation(seeds=[7])) / "params.yaml")
    assert (varied.rollout.turns, varied.study.seeds) == (5, (7,))


def test_a_run_without_parameters_of_its_own_happens_in_the_workspace(workspace: Path) -> None:
    assert workspace_of(workspace, AS_COMMITTED) == workspace
    assert not (workspace / "runs").exists()


def test_the_same_parameters_find_the_same_folder_and_others_another(workspace: Path) -> None:
    first = workspace_of(workspace, Variation(seeds=[1]))
    assert workspace_of(workspace, Variation(seeds=[1])) == first
    assert workspace_of(workspace, Variation(seeds=[2])) != first


def test_what_a_workspace_and_its_variations_have_in_common_lies_in_one_cache(tmp_path: Path, workspace: Path) -> None:
    folder = workspace_of(workspace, Variation(seeds=[1]))
    cache = (folder / ".dvc/config").read_text().partition("dir = ")[2].strip()
    assert (folder / ".dvc" / cache).resolve() == (workspace / ".dvc/cache").resolve()
    (workspace / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path}/shared\n")
    cache = (workspace_of(workspace, Variation(seeds=[1])) / ".dvc/config").read_text().partition("dir = ")[2].strip()
    assert (folder / ".dvc" / cache).resolve() == tmp_path / "shared"


def test_a_workspace_s_remotes_are_those_of_its_variations_as_long_as_it_has_them(workspace: Path) -> None:
    settings = workspace / ".dvc/config.local"
    settings.write_text("[core]\n    remote = team\n['remote \"team\"']\n    url = ../shelf\n")
    folder = workspace_of(workspace, Variation(seeds=[1]))
    found = DvcRemotes.of(folder)
    assert found.default == "team"
    assert Path(found.settings["team"]["url"]).resolve() == workspace / "shelf"
    assert (folder / ".dvc/config.local").stat().st_mode & 0o077 == 0
    settings.unlink()
    workspace_of(workspace, Variation(seeds=[1]))
    assert DvcRemotes.of(folder).default is None


def test_a_method_that_the_workspace_does_not_define_is_refused_by_name(workspace: Path) -> None:
    with pytest.raises(MucodeError, match=r"params\.yaml: study\.methods names 'stra'"):
        workspace_of(workspace, Variation(method="stra"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"variation": {"iterations": 0}},
        {"variation": {"iterations": "many"}},
        {"variation": {"seeds": []}},
        {"variation": {"seeds": [-1]}},
        {"variation": {"model": "smollm"}},
        {"variation": {"methods": "star"}},
        {"hours": 0},
    ],
)
def test_a_value_that_could_not_run_is_refused_before_the_run(workspace: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterTypeError):
        retrain.validate_parameters({"workspace": workspace, **wrong})


def test_the_form_offers_the_methods_of_params_yaml() -> None:
    offered = retrain.parameters.definitions["Variation"]["properties"]["method"]["anyOf"][0]["enum"]
    assert offered == sorted(load_yaml((REPOSITORY / "params.yaml").read_text())["methods"])

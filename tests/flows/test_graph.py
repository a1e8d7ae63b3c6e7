from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.graph import closure, require_git
from mucode.types import MucodeError
from mucode.workspace import make_workspace

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's use of pygtrie
REPOSITORY = Path(__file__).parent.parent.parent


def test_every_stage_comes_after_all_that_it_reads(toy: Callable[..., Path]) -> None:
    order = closure(toy())
    assert sorted(order) == ["label@base-0", "label@mucode-0-1", "prepare", "report", "validate"]
    assert order.index("prepare") < order.index("label@base-0") < order.index("validate") < order.index("report")


def test_a_concern_takes_what_it_stands_on_and_nothing_above(toy: Callable[..., Path]) -> None:
    assert closure(toy(), ["validate"]) == ["prepare", "label@base-0", "validate"]


def test_a_name_that_is_no_stage_is_refused(toy: Callable[..., Path]) -> None:
    with pytest.raises(MucodeError, match="has no stage 'lable'"):
        closure(toy(), ["lable"])


def test_a_stage_without_instances_is_no_unknown_one(toy: Callable[..., Path]) -> None:
    workspace = toy()
    with (workspace / "dvc.yaml").open("a") as stages:
        stages.write("  select: {foreach: {}, do: {cmd: echo, outs: [data/selected]}}\n")
    assert closure(workspace, ["select"]) == []
    assert len(closure(workspace)) == 5


def test_a_repository_without_git_is_refused_and_a_workspace_needs_none(tmp_path: Path) -> None:
    make_workspace("tiny", REPOSITORY, tmp_path / "tiny")
    require_git(tmp_path / "tiny")
    require_git(REPOSITORY)
    (tmp_path / ".dvc").mkdir()
    shutil.copy(REPOSITORY / ".dvc/config", tmp_path / ".dvc")
    with pytest.raises(
        MucodeError, match="is not under git, by which DVC knows a repository: clone it, or run `git init`"
    ):
        require_git(tmp_path)
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = True\n")
    require_git(tmp_path)
    (tmp_path / ".dvc/config").write_text("")
    (tmp_path / "below/.dvc").mkdir(parents=True)
    (tmp_path / "below/.dvc/config").write_text("")
    (tmp_path / ".git").mkdir()
    require_git(tmp_path / "below")


def test_a_broken_graph_is_one_sentence_that_names_the_file(toy: Callable[..., Path]) -> None:
    workspace = toy()
    (workspace / "dvc.yaml").write_text("stages: {prepare: {outs: [a]}}\n")
    with pytest.raises(MucodeError, match=r"dvc\.yaml makes no graph"):
        closure(workspace)


def test_the_files_of_dvc_add_are_no_stages(toy: Callable[..., Path]) -> None:
    workspace = toy()
    (workspace / "data/drop.jsonl").write_text("{}")
    (workspace / "data/drop.jsonl.dvc").write_text("outs:\n- path: drop.jsonl\n")
    assert len(closure(workspace)) == 5


def test_the_repository_s_graph_walks_algorithm_1_in_its_order() -> None:
    order = [instance.partition("@")[0] for instance in closure(REPOSITORY)]
    lines = ["prepare", "roll_out", "label", "validate", "aggregate", "train_verifier", "relabel", "fine_tune"]
    first = [order.index(line) for line in [*lines, "evaluate", "select", "report"]]
    assert first == sorted(first)

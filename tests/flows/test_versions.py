"""New problems and results on their way into versions: with a remote, with one that is gone, and with none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from prefect.logging import disable_run_logger
from prefect.testing.utilities import prefect_test_harness

from flows.graph import closure
from flows.parameters import Variation, workspace_of
from flows.retrain import retrain
from flows.stage import bring_up_to_date, version_problems
from flows.verifier_training import verifier_training
from flows.versions import add_problems, push, refused_problems, versioned
from mucode.collect.version import require_version
from mucode.dvc_settings import has_remote
from mucode.lineage.branch import is_version
from mucode.types import MucodeError

# DVC's use of pygtrie
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")
REPOSITORY = Path(__file__).parent.parent.parent


def dvc(workspace: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=workspace, check=True, capture_output=True)


@pytest.fixture
def collected(toy: Callable[..., Path]) -> Path:
    """A toy workspace with collected problems, which its first stage reads."""
    workspace = toy()
    (workspace / "data/collected").mkdir()
    (workspace / "data/collected/problems.jsonl").write_text('{"task_id": "a"}\n')
    stages = yaml.safe_load((workspace / "dvc.yaml").read_text())
    stages["stages"]["prepare"]["deps"] = ["data/collected"]
    (workspace / "dvc.yaml").write_text(yaml.safe_dump(stages))
    return workspace


def test_without_collected_problems_and_without_a_remote_there_is_nothing_to_do(toy: Callable[..., Path]) -> None:
    workspace = toy()
    assert add_problems.fn(workspace).name == "Skipped"
    assert versioned(workspace) == []
    skipped = push.fn(workspace, [])
    assert (skipped.name, "no DVC remote is set" in str(skipped.message)) == ("Skipped", True)


@pytest.mark.slow
def test_collected_problems_are_added_and_pushed_and_the_stages_see_them(collected: Path, tmp_path: Path) -> None:
    assert add_problems.fn(collected).is_completed()
    assert versioned(collected) == ["data/collected/problems.jsonl.dvc"]
    dvc(collected, "repro", "prepare")
    before = yaml.safe_load((collected / "dvc.lock").read_text())["stages"]["prepare"]["deps"]
    dvc(collected, "remote", "add", "--default", "here", str(tmp_path / "remote"))
    assert has_remote(collected)
    assert push.fn(collected, [*versioned(collected), *closure(collected, {"prepare"})]).is_completed()

    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(collected, elsewhere, ignore=shutil.ignore_patterns("cache", "tmp", "problems.jsonl", "a"))
    dvc(elsewhere, "pull", *versioned(elsewhere), "prepare")
    assert (elsewhere / "data/collected/problems.jsonl").read_text() == '{"task_id": "a"}\n'
    assert (elsewhere / "data/a").read_text() == "hello\n"

    (collected / "data/collected/problems.jsonl").write_text('{"task_id": "a"}\n{"task_id": "b"}\n')
    assert add_problems.fn(collected).is_completed()
    dvc(collected, "repro", "prepare")
    assert yaml.safe_load((collected / "dvc.lock").read_text())["stages"]["prepare"]["deps"] != before


@pytest.mark.slow
def test_a_remote_that_is_gone_is_a_failure_with_its_reason_and_nothing_is_lost(
    collected: Path, tmp_path: Path
) -> None:
    add_problems.fn(collected)
    (tmp_path / "file").write_text("in the way of a folder")
    dvc(collected, "remote", "add", "--default", "gone", str(tmp_path / "file/remote"))
    with disable_run_logger():
        state = push.fn(collected, versioned(collected))
    assert state.is_failed()
    assert str(state.message).startswith("dvc push: ")
    assert (collected / "data/collected/problems.jsonl").exists()
    assert list((collected / ".dvc/cache/files").rglob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("stale", [None, '{"task_id": "a"}\n', '{"task_id": "a"}\n{"task_id": "c"}\n'])
def test_what_came_with_the_commit_is_pulled_before_anything_trains_without_it(
    collected: Path, stale: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems, pointer = (collected / "data/collected" / name for name in ("problems.jsonl", "problems.jsonl.dvc"))
    problems.write_text('{"task_id": "a"}\n{"task_id": "b"}\n')
    assert add_problems.fn(collected).is_completed()
    versioned_as = pointer.read_bytes()
    problems.unlink()
    if stale is not None:
        problems.write_text(stale)
    state = bring_up_to_date(collected)
    assert state.is_failed()
    assert "is not what problems.jsonl.dvc points at: run `dvc pull data/collected/problems.jsonl.dvc`" in str(
        state.message
    )
    assert not (collected / "data/a").exists()
    with pytest.raises(MucodeError, match="`dvc checkout` where no remote is set"):
        workspace_of(collected, Variation(seeds=[1]))
    assert pointer.read_bytes() == versioned_as

    dvc(collected, "checkout", "--force", *versioned(collected))
    with problems.open("a") as file:
        file.write('{"task_id": "c"}\n')
    require_version(collected)
    assert not is_version(collected)
    version_problems(collected)
    assert is_version(collected)


def test_a_refused_problem_is_one_row_of_the_page_whatever_line_ends_its_text_holds(tmp_path: Path) -> None:
    row = {"refused": ["no code", "too like another"], "from": "new.jsonl, line 1", "text": "one\u2028two\x85three"}
    (tmp_path / "quarantine.jsonl").write_text(f"{json.dumps(row, ensure_ascii=False)}\n")
    (shown,) = refused_problems(tmp_path / "quarantine.jsonl")
    assert shown == {"from": row["from"], "why": "no code; too like another", "text": row["text"]}


def test_the_repository_keeps_the_folder_of_collected_problems_and_not_what_is_in_it() -> None:
    def ignored(name: str) -> bool:
        asked = subprocess.run(["git", "check-ignore", "-q", f"data/{name}"], cwd=REPOSITORY, check=False)
        return asked.returncode == 0

    kept = ("collected/.gitignore", "collected/problems.jsonl.dvc", "README.md")
    dropped = ("collected/problems.jsonl", "incoming/new.jsonl", "quarantine.jsonl", "problems.parquet")
    assert [name for name in kept if ignored(name)] == []
    assert [name for name in dropped if not ignored(name)] == []


@pytest.mark.slow
def test_what_a_flow_has_finished_goes_to_the_remote_also_when_a_later_stage_fails(
    toy: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    workspace = toy()
    declared = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    stages = {name: {"cmd": "false", "deps": ["data/prepare"], "outs": [f"data/{name}"]} for name in declared}
    for name in ("prepare", "base_model"):
        stages[name] = {"cmd": f"echo {name} > data/{name}", "outs": [f"data/{name}"]}
    (workspace / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    kept = {}
    with prefect_test_harness(server_startup_timeout=300):
        for flow in (verifier_training, retrain):
            remote = tmp_path / flow.name
            settings = f"[core]\n    remote = here\n['remote \"here\"']\n    url = {remote}\n"
            (workspace / ".dvc/config.local").write_text(settings)
            assert "it ended with exit code 1" in str(flow(workspace, return_state=True).message)
            kept[flow.name] = {file.read_text() for file in remote.rglob("*") if file.is_file()}
    assert [name for name, files in kept.items() if "prepare\n" in files] == ["verifier_training", "retrain"]

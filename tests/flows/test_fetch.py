"""What a colleague has made and pushed comes from the remote: a new clone does not make it again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.testing.utilities import prefect_test_harness

from flows.fetch import to_fetch
from flows.stage import bring_up_to_date

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # DVC's use of pygtrie
]
STAGES = ["prepare", "label@base-0", "label@mucode-0-1"]


def dvc(workspace: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "--quiet", *arguments], cwd=workspace, check=True)


@pytest.fixture
def clone(toy: Callable[..., Path], tmp_path: Path) -> Path:
    """A clone of a workspace whose labels are on a remote; it has their names, and none of the files."""
    pushed = toy(slow="echo run >> runs.txt")
    (pushed / "params.yaml").write_text("lr: 1\n")
    (pushed / "word").write_text("hello")
    text = (pushed / "dvc.yaml").read_text()
    text = text.replace("cat data/a > data", "(cat data/a; echo ${key}) > data")
    text = text.replace("    outs: [data/a]", "    deps: [word]\n    outs: [data/a]")  # else DVC never skips it
    (pushed / "dvc.yaml").write_text(text.replace("deps: [data/a]", "deps: [data/a]\n      params: [lr]", 1))
    dvc(pushed, "remote", "add", "--default", "shelf", str(tmp_path / "shelf"))
    dvc(pushed, "repro", *STAGES)
    dvc(pushed, "push")
    new = tmp_path / "clone"
    shutil.copytree(pushed, new, ignore=shutil.ignore_patterns("cache", "tmp", "runs.txt", "data"))
    (new / "data").mkdir()
    return new


def test_only_what_the_cache_lacks_and_the_parameters_still_make_is_fetched(clone: Path) -> None:
    assert to_fetch(clone, STAGES) == STAGES
    assert to_fetch(clone, STAGES[:2]) == STAGES[:2]
    dvc(clone, "fetch", "label@base-0")
    assert to_fetch(clone, STAGES) == ["prepare", "label@mucode-0-1"]
    (clone / "params.yaml").write_text("lr: 2\n")
    assert to_fetch(clone, STAGES) == ["prepare"]
    lock_file = (clone / "dvc.lock").read_text()
    (clone / "dvc.yaml").write_text((clone / "dvc.yaml").read_text().replace("hello", "bye"))
    (clone / "params.yaml").write_text("lr: 1\n")
    assert to_fetch(clone, STAGES) == []  # a stage before them is to be run
    assert (clone / "dvc.lock").read_text() == lock_file
    (clone / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    assert to_fetch(clone, STAGES) == []


def test_a_run_in_a_new_clone_takes_from_the_remote_what_is_there_and_makes_the_rest(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

    @flow
    def labels() -> State[Any]:
        return bring_up_to_date(clone, frozenset({"label"}))

    with prefect_test_harness(server_startup_timeout=300):
        assert labels(return_state=True).message == "3 stages, 3 of them up to date before"
        assert not (clone / "runs.txt").exists()
        shutil.rmtree(clone / ".dvc/cache")
        shutil.rmtree(clone / "data")
        (clone / "data").mkdir()
        shutil.move(tmp_path / "shelf", tmp_path / "gone")
        assert labels(return_state=True).message == "3 stages, 0 of them up to date before"
    assert (clone / "data/label-base-0").read_text() == "hello\nbase-0\n"


GRAPH = """\
stages:
  evaluate:
    foreach: [a, b]
    do:
      cmd: mkdir -p found && echo ${item} > found/${item}
      deps: [word]
      outs: ["found/${item}"]
  select:
    cmd: mkdir chosen && cat found/a > chosen/best
    deps: [found]
    outs: [chosen]
  benchmark:
    cmd: cat chosen/best > number
    deps: [chosen/best]
    outs: [number]
"""


def test_what_reads_a_folder_of_outs_or_a_part_of_one_is_fetched_too(tmp_path: Path) -> None:
    pushed, new, stages = tmp_path / "pushed", tmp_path / "new", ["evaluate@a", "evaluate@b", "select", "benchmark"]
    pushed.mkdir()
    dvc(pushed, "init", "--no-scm")
    (pushed / "word").write_text("hello")
    (pushed / "dvc.yaml").write_text(GRAPH)
    dvc(pushed, "remote", "add", "--default", "shelf", str(tmp_path / "shelf"))
    dvc(pushed, "repro")
    dvc(pushed, "push")
    shutil.copytree(pushed, new, ignore=shutil.ignore_patterns("cache", "tmp", "found", "chosen", "number"))
    assert to_fetch(new, stages) == stages
    (new / "word").write_text("bye")
    assert to_fetch(new, stages) == []

"""`make reproduce`: made again beside the user's tree; what came out otherwise is listed and fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows.reproduce import ROUNDING, find, table
from flows.worktree import CHECKED_OUT, FOLDER, check_out
from mucode.lineage import Git, commit_run, lineage
from mucode.lineage.compare import Difference, differing_entries, differing_files
from mucode.lineage.find import Recorded
from mucode.lineage.locked import md5_of
from mucode.tracking import TrackingUnavailable
from mucode.types import MucodeError
from mucode.workspace import varied_workspace

REPOSITORY = Path(__file__).parent.parent.parent
RUN = "run/2026-11-26-weekly"
STAGE = {"cmd": "make a", "deps": [{"path": "code", "md5": "1"}], "params": {"params.yaml": {"n": 1}}}


def run(root: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


def dvc(root: Path, *arguments: str) -> str:
    return run(root, sys.executable, "-m", "dvc", *arguments)


@pytest.fixture
def finished(toy: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose graph has run, and whose dvc.lock is on a run branch. Collected problems are among its data."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    root = toy()
    (root / ".gitignore").write_text(
        "/data/*\n!/data/collected/\n.mucode/\n/.dvc/cache\n/.dvc/tmp\n/.dvc/config.local\n"
    )
    (root / "requirements.lock").write_text("")
    (root / "params.yaml").write_text("problems: {files: {}}\nmodel: {setting: 'random:tiny'}\n")
    (root / "data/collected").mkdir()
    (root / "data/collected/.gitignore").write_text("/problems.jsonl\n")
    (root / "data/collected/problems.jsonl").write_text("{}\n")
    stages = yaml.safe_load((root / "dvc.yaml").read_text())
    stages["stages"]["prepare"]["deps"] = ["data/collected/problems.jsonl"]
    (root / "dvc.yaml").write_text(yaml.safe_dump(stages))
    run(root, "git", "init", "--quiet", "--initial-branch=main")
    run(root, "git", "add", "--all")
    run(root, "git", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", "first")
    dvc(root, "add", "data/collected/problems.jsonl")
    dvc(root, "repro")
    commit_run(root, RUN, Git(root))
    return root


def reproduce(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.reproduce", *arguments], cwd=root, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_run_made_again_without_a_remote_is_the_same_and_leaves_no_trace(finished: Path) -> None:
    before = run(finished, "git", "status", "--porcelain", "--branch"), (finished / "data/a").stat().st_mtime_ns
    done = reproduce(finished, RUN)
    assert (done.returncode, "made anew" in done.stdout) == (0, True), done.stderr
    assert "all 5 outs and every entry of dvc.lock are as recorded" in done.stdout
    assert done.stderr.count("Running stage") == 5
    assert (
        run(finished, "git", "status", "--porcelain", "--branch"),
        (finished / "data/a").stat().st_mtime_ns,
    ) == before
    assert list((finished / FOLDER).iterdir()) == []


@pytest.mark.slow
def test_a_run_with_parameters_of_its_own_is_made_again_with_the_problems_that_it_had(finished: Path) -> None:
    (finished / "params.yaml").write_text((REPOSITORY / "params.yaml").read_text())
    (finished / ".dvcignore").write_text("")
    (finished / ".dvc/.gitignore").write_text("/cache\n/tmp\n/config.local\n")
    (finished / "mucode").mkdir()
    (finished / "mucode/code.py").write_text("")
    run(finished, "git", "add", "--all")
    run(finished, "git", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", "as a repository is")
    varied = varied_workspace(finished, {"study": {"seeds": [5]}})
    dvc(varied, "repro")
    made = commit_run(varied, RUN, Git(finished))
    done = reproduce(finished, made.name)
    assert (done.returncode, "every entry of dvc.lock are as recorded" in done.stdout) == (0, True), done.stdout


@pytest.mark.slow
def test_what_a_remote_has_is_pulled_and_not_made_unless_that_is_asked(finished: Path, tmp_path: Path) -> None:
    dvc(finished, "remote", "add", "--local", "--default", "team", str(tmp_path / "remote"))
    dvc(finished, "push")
    shutil.rmtree(finished / ".dvc/cache")  # as on a newcomer's machine
    done = reproduce(finished, RUN)
    assert (done.returncode, "pulled from the DVC remote team" in done.stdout) == (0, True), done.stderr
    assert "Running stage" not in done.stderr
    done = reproduce(finished, RUN, "--rebuild")
    assert (done.returncode, "made anew" in done.stdout, done.stderr.count("Running stage")) == (0, True, 5), (
        done.stderr
    )
    some = next(path for path in (tmp_path / "remote").rglob("*") if path.is_file() and path.read_text() == "hello\n")
    some.unlink()  # what the remote has lost is made
    done = reproduce(finished, RUN)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Running stage") >= 1


@pytest.mark.slow
def test_what_differs_is_listed_and_its_files_stay_for_a_look(finished: Path) -> None:
    lock = finished / "dvc.lock"
    recorded = md5_of(finished / "data/a")
    assert recorded is not None
    lock.write_text(lock.read_text().replace(recorded, "f" * 32))  # as if a stage had not been reproducible
    commit_run(finished, RUN, Git(finished))
    done = reproduce(finished, f"{RUN}-2")
    assert done.returncode == 1
    line = next(line for line in done.stdout.splitlines() if line.startswith("data/a "))
    assert line.split() == ["data/a", "f" * 32, recorded]
    kept = Path(done.stdout.rpartition("its files: ")[2].strip())
    assert (kept / "data/a").read_text() == "hello\n"


@pytest.mark.slow
def test_what_a_larger_study_left_in_the_lock_and_in_the_folders_is_not_missed(finished: Path) -> None:
    declared = yaml.safe_load((finished / "dvc.yaml").read_text())
    command = "mkdir -p data/parts && echo hello > data/parts/${item}"
    declared["stages"] |= {
        "part": (parts := {"foreach": ["a", "b"], "do": {"cmd": command, "outs": ["data/parts/${item}"]}}),
        "whole": {"cmd": "cat data/parts/a > data/whole", "deps": ["data/parts"], "outs": ["data/whole"]},
    }
    for instances in (["a", "b"], ["a"]):
        parts["foreach"] = instances
        (finished / "dvc.yaml").write_text(yaml.safe_dump(declared))
        dvc(finished, "repro")
    assert "part@b" in (finished / "dvc.lock").read_text()
    commit_run(finished, RUN, Git(finished))
    done = reproduce(finished, f"{RUN}-2")
    assert (done.returncode, "all 7 outs and every entry of dvc.lock are" in done.stdout) == (0, True), done.stderr
    assert "note: 1 stages of that dvc.lock are not in its dvc.yaml any more" in done.stdout


def test_local_models_and_problem_files_are_those_of_the_workspace_where_the_run_was(tmp_path: Path) -> None:
    root = tmp_path / "a/b/c/root"
    files = {"mbpp": "data/my.jsonl", "humaneval": "../beside.jsonl", "starter": "../../../elsewhere.jsonl"}
    said = {source: {"path": path} for source, path in files.items()}
    texts = {
        "params.yaml": yaml.safe_dump({"problems": {"files": said}, "model": {"setting": "gguf:models/w#sha256=1"}}),
        ".gitignore": "/data\n/models\n.mucode\n",
        **dict.fromkeys((*files.values(), "models/w", "dvc.lock"), "x"),
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    run(root, "git", "init", "--quiet")
    run(root, "git", "add", "--all")
    run(root, "git", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", "x")
    recorded = Recorded(run(root, "git", "rev-parse", "HEAD").strip(), ".")
    made = check_out(recorded, Git(root), root / FOLDER / "1", locked=True)
    for path in ("data/my.jsonl", "../beside.jsonl", "models/w"):
        assert (made / path).resolve() == (root / path).resolve()
    assert not (root / "elsewhere.jsonl").exists()  # where that path leads from the worktree


@pytest.mark.slow
def test_problems_that_nobody_has_any_more_are_named(finished: Path) -> None:
    shutil.rmtree(finished / ".dvc/cache")
    done = reproduce(finished, RUN)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "mucode: data/collected/problems.jsonl is neither on a DVC remote nor"
    )


@pytest.mark.slow
def test_a_worktree_that_a_kill_left_half_made_is_in_nobodys_way(finished: Path) -> None:
    commit = run(finished, "git", "rev-parse", RUN).strip()
    left = finished / FOLDER / f"{commit[:12]}-anew"
    run(finished, "git", "worktree", "add", "--detach", "--lock", str(left), commit)
    shutil.rmtree(left)
    left.mkdir()
    (left / "dvc.yaml").write_text("cut sho")
    assert reproduce(finished, RUN, "--keep").returncode == 0
    assert (left / "data/a").read_text() == "hello\n"
    (left / CHECKED_OUT).touch()  # as before it was compared
    again = reproduce(finished, RUN, "--keep")  # goes on with what is there
    assert (again.returncode, "Running stage" in again.stderr) == (0, False)
    again = reproduce(finished, RUN)  # what has been compared and kept for a look is made once more
    assert (again.returncode, again.stderr.count("Running stage")) == (0, 5)


def test_a_run_that_nobody_knows_is_refused_with_the_mlflow_that_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, "git", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--allow-empty", "-m", "x")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(MucodeError, match=f"no run in MLflow at sqlite:///{tmp_path}/mlflow.db is called 'x'"):
        find("x", Git(tmp_path), tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/theirs.db")
    with pytest.raises(MucodeError, match=f"at sqlite:///{tmp_path}/theirs.db is called .* MLFLOW_TRACKING_URI names"):
        find("x", Git(tmp_path), tmp_path)


@pytest.mark.slow
def test_a_run_of_mlflow_is_found_by_the_digest_of_its_lock(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mucode.tracking.server import experiment_id, mlflow_at

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    git, unknown = Git(finished), "no branch, tag or commit here and no run .* is called"
    with pytest.raises(MucodeError, match=f"{unknown} 'run/no-such'"):
        find("run/no-such", git, finished)
    assert not (finished / "mlflow.db").exists()
    with mlflow_at(finished) as client:
        experiment = experiment_id(client, finished)
        known = client.create_run(experiment, tags=lineage(finished)).info.run_id
        bare = client.create_run(experiment).info.run_id
        lost = client.create_run(experiment, tags={"dvc_lock_sha256": "0" * 64}).info.run_id
    assert find(known, git, finished).commit == git("rev-parse", RUN)
    with pytest.raises(MucodeError, match=r"says no dvc\.lock"):
        find(bare, git, finished)
    with pytest.raises(MucodeError, match=r"no commit here holds the dvc\.lock"):
        find(lost, git, finished)
    for name in ("no-such-run", "run/no-such", "v1.0"):
        with pytest.raises(MucodeError, match=f"{unknown} '{name}'"):
            find(name, git, finished)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingUnavailable, match="cannot be used"):
        find(known, git, finished)


def test_a_folder_that_is_no_clone_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.reproduce import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["reproduce", "run/x"])
    assert main() == 1
    assert "is no clone of the repository" in capsys.readouterr().err


def test_what_the_system_refuses_is_a_sentence_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.reproduce import main

    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, "git", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--allow-empty", "-m", "x")
    (tmp_path / ".mucode").write_text("in the way of a folder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["reproduce", "run/x"])
    assert main() == 1
    assert capsys.readouterr().err == f"mucode: {tmp_path}/.mucode: File exists; mend that and run again\n"


def test_files_are_hashed_and_not_believed(tmp_path: Path) -> None:
    (tmp_path / "same").write_text("x")
    (tmp_path / "other").write_text("y")
    outs = [{"path": name, "md5": md5_of(tmp_path / "same")} for name in ("same", "other", "gone")]
    found = differing_files({"stage": {**STAGE, "outs": outs}}, tmp_path)
    assert [(one.what, one.found) for one in found] == [("gone", "missing"), ("other", md5_of(tmp_path / "other"))]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"cmd": "make b"}, "stage: command"),
        ({"deps": [{"path": "code", "md5": "2"}]}, "stage: deps code"),
        ({"params": {"params.yaml": {"n": 2}}}, "stage: params.yaml n"),
        ({"outs": [{"path": "a", "md5": "3"}]}, "stage: outs a"),
    ],
)
def test_each_entry_of_a_lock_is_compared(change: dict[str, object], what: str) -> None:
    assert differing_entries({"stage": STAGE}, {"stage": STAGE}) == []
    assert [one.what for one in differing_entries({"stage": STAGE}, {"stage": STAGE | change})] == [what]


def test_a_folder_of_other_stages_outs_is_compared_by_these() -> None:
    part = {"cmd": "make part", "outs": [{"path": "parts/a", "md5": "1"}]}
    before, after = ({"part": part, "whole": STAGE | {"deps": [{"path": "parts", "md5": md5}]}} for md5 in "12")
    assert differing_entries(before, after) == []


def test_the_table_says_how_many_and_which() -> None:
    assert table([], 7) == "all 7 outs and every entry of dvc.lock are as recorded\n"
    lines = table([Difference("data/a", "1" * 32, "missing")], 7).splitlines()
    assert lines[1].split() == ["data/a", "1" * 32, "missing"]
    assert lines[-1] == "1 differences"
    assert table([Difference("data/rollouts/base-0.parquet", "1" * 32, "2" * 32)], 7).splitlines()[-1] == ROUNDING

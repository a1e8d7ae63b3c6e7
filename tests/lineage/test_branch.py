"""A run branch holds what made a dvc.lock, and making one leaves everything of the user's as it was."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from mucode.lineage import branch, commit_run, lineage
from mucode.lineage.locked import folder_md5
from mucode.types import MucodeError
from mucode.yaml_files import dump_yaml
from tests.lineage.conftest import DAY, Ask, git_of

REPOSITORY = Path(__file__).parent.parent.parent


def test_the_users_branch_index_and_files_stay_as_they_are(repository: Path, ask: Ask) -> None:
    (repository / "README.md").write_text("staged\n")
    ask("add", "README.md")
    (repository / "params.yaml").write_text("a: 2\n")
    (repository / "mucode/new.py").write_text("new\n")
    (repository / "notes.txt").write_text("mine\n")

    def seen() -> list[str]:
        return [ask("status", "--porcelain=v2", "--branch", "-uall"), ask("ls-files", "--stage"), ask("stash", "list")]

    before = seen()
    made = commit_run(repository, DAY, git_of(repository))
    assert seen() == before
    assert made.name == DAY
    assert ask("rev-parse", f"{made.name}^").strip() == ask("rev-parse", "main").strip()


def test_it_holds_the_code_and_the_parameters_as_they_lie_there_and_no_private_notes(
    repository: Path, ask: Ask
) -> None:
    (repository / "params.yaml").write_text("a: 2\n")
    (repository / "mucode/new.py").write_text("new\n")
    (repository / "notes.txt").write_text("mine\n")
    collected = repository / "data/collected/problems.jsonl.dvc"
    collected.parent.mkdir(parents=True)
    collected.write_text("outs: []\n")
    commit_run(repository, DAY, git_of(repository))
    assert ask("show", f"{DAY}:params.yaml") == "a: 2\n"
    assert ask("show", f"{DAY}:mucode/new.py") == "new\n"
    assert ask("show", f"{DAY}:dvc.lock") == "stages: {}\n"
    assert ask("show", f"{DAY}:data/collected/problems.jsonl.dvc") == "outs: []\n"
    assert "notes.txt" not in ask("ls-tree", "-r", "--name-only", DAY)


def test_problems_that_no_version_holds_would_be_missing_in_it(repository: Path) -> None:
    collected = repository / "data/collected/problems.jsonl"
    collected.parent.mkdir(parents=True)
    collected.write_text("{}\n")
    pointer, said = (
        collected.with_name("problems.jsonl.dvc"),
        "outs:\n- {md5: 8a80554c91d9fca8acb82f023de02f11, size: 3}\n",
    )
    with pytest.raises(MucodeError, match=r"is no version: run `dvc add data/collected/problems\.jsonl`"):
        commit_run(repository, DAY, git_of(repository))
    pointer.write_text(said)
    commit_run(repository, DAY, git_of(repository))
    collected.write_text("{}\n{}\n")
    with pytest.raises(MucodeError, match="is no version"):
        commit_run(repository, DAY, git_of(repository))
    collected.write_text("{}\n")
    read = {"path": "data/collected", "md5": folder_md5(collected.parent)}
    (repository / "dvc.lock").write_text(dump_yaml({"schema": "2.0", "stages": {"prepare": {"deps": [read]}}}))
    collected.write_text("{}\n{}\n")  # since the run has read the one
    assert commit_run(repository, DAY, git_of(repository)).name


def test_the_files_that_hold_a_teams_passwords_are_in_no_run(repository: Path, ask: Ask) -> None:
    (repository / ".gitignore").write_text((REPOSITORY / ".gitignore").read_text())
    (repository / "mlflow").mkdir()
    for name in ("basic_auth.ini", "basic_auth.ini.example", "team.env", "prod.env", ".env", "server.env"):
        (repository / "mlflow" / name).write_text("password\n")
    commit_run(repository, DAY, git_of(repository))
    kept = ask("ls-tree", "-r", "--name-only", DAY, "mlflow").split()
    assert kept == ["mlflow/basic_auth.ini.example", "mlflow/server.env"]  # no password is in that one as committed


def test_the_same_files_again_are_the_same_branch_and_others_get_one_of_their_own(repository: Path) -> None:
    git = git_of(repository)
    first = commit_run(repository, DAY, git)
    again = commit_run(repository, "run/2026-11-27-weekly", git)
    assert (again.name, again.commit, again.new) == (DAY, first.commit, False)
    (repository / "dvc.lock").write_text("stages: {a: {}}\n")
    assert commit_run(repository, DAY, git).name == f"{DAY}-2"
    (repository / "dvc.lock").write_text("stages: {b: {}}\n")
    assert commit_run(repository, DAY, git).name == f"{DAY}-3"


def test_where_git_knows_nobody_the_commit_is_nobodys_in_particular(repository: Path, ask: Ask) -> None:
    commit_run(repository, DAY, git_of(repository))
    assert ask("log", "-1", "--format=%an %ae %cn", DAY) == "mucode mucode@localhost mucode\n"
    ask("config", "user.name", "Ada")
    ask("config", "user.email", "ada@example.org")
    (repository / "dvc.lock").write_text("stages: {a: {}}\n")
    commit_run(repository, DAY, git_of(repository))
    assert ask("log", "-1", "--format=%an %ae %cn", f"{DAY}-2") == "Ada ada@example.org Ada\n"


def test_what_a_kill_left_of_an_attempt_is_in_nobodys_way(repository: Path) -> None:
    left = repository / ".mucode/branch"
    left.mkdir(parents=True)
    (left / "index").write_text("cut sho")
    (left / "index.lock").write_text("")
    assert commit_run(repository, DAY, git_of(repository)).new


def test_a_folder_without_git_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO, logger="mucode"):
        assert branch() is None
    assert "not under git" in caplog.text


def test_a_repository_that_git_refuses_to_read_is_no_folder_without_git(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own, for its tests
    monkeypatch.chdir(repository)
    with pytest.raises(MucodeError, match=r"\(fatal: detected dubious ownership in repository at"):
        branch(name="weekly")


def test_the_index_of_a_person_is_not_written_for_a_look(repository: Path) -> None:
    index = repository / ".git/index"
    os.utime(repository / "README.md", (1, 1))  # what `git status` would note in it
    before = index.read_bytes()
    lineage(repository)
    assert index.read_bytes() == before


def test_a_run_that_has_not_ended_and_a_name_that_is_none_are_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    (repository / "dvc.lock").unlink()
    with pytest.raises(MucodeError, match=r"dvc\.lock is missing"):
        branch()
    with pytest.raises(MucodeError, match="names no run branch"):
        branch(name="../main")


def test_a_dry_run_makes_no_branch(repository: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    assert branch(dry_run=True) is None
    assert ask("branch", "--list", "run/*") == ""


def test_a_change_of_the_code_is_recorded_and_one_of_the_lock_alone_is_none(repository: Path) -> None:
    (repository / "dvc.lock").write_text("stages: {more: {}}\n")
    assert "git_changed" not in lineage(repository)
    (repository / "mucode/code.py").write_text("second\n")
    assert lineage(repository)["git_changed"] == "true"

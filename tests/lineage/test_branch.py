"""A run branch holds what made a dvc.lock, and making one leaves everything of the user's as it was."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mucode.lineage import branch, commit_run, lineage, lock_digest, repository_of
from mucode.lineage.branch import REMOTE
from mucode.lineage.find import recorded_at, recorded_with
from mucode.lineage.git import Git, without_credentials
from mucode.lineage.locked import folder_md5
from mucode.types import MucodeError
from mucode.yaml_files import dump_yaml

REPOSITORY = Path(__file__).parent.parent.parent
DAY = "run/2026-11-26-weekly"
Ask = Callable[..., str]


def git_of(workspace: Path) -> Git:
    git = repository_of(workspace)
    assert git is not None
    return git


def a_size(root: Path, name: str = "tiny") -> Path:
    """A workspace as `mucode workspace` makes it."""
    workspace = root / "runs" / name
    workspace.mkdir(parents=True)
    (workspace / "mucode").symlink_to("../../mucode")
    (workspace / "dvc.lock").write_text(f"stages: {{}}  # {name}\n")
    return workspace


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


def test_another_size_is_kept_where_it_runs_though_git_ignores_that(repository: Path, ask: Ask) -> None:
    workspace = a_size(repository)
    made = commit_run(workspace, DAY, git_of(workspace))
    assert ask("show", f"{made.commit}:runs/tiny/dvc.lock") == "stages: {}  # tiny\n"
    found = recorded_at(git_of(repository), DAY)
    assert found is not None
    assert (found.commit, found.place) == (made.commit, "runs/tiny")


@pytest.mark.parametrize("name", ["elsewhere", "else where", " else\u00a0where "])
def test_a_workspace_outside_the_repository_is_kept_as_a_run_of_its_name(
    repository: Path, tmp_path: Path, ask: Ask, name: str
) -> None:
    ask("add", "dvc.lock")
    ask("-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", "the repository's own run")
    workspace = tmp_path / name
    workspace.mkdir()
    (workspace / "mucode").symlink_to(repository / "mucode")
    (workspace / "dvc.lock").write_text("stages: {}  # elsewhere\n")
    made, git = commit_run(workspace, DAY, git_of(workspace)), git_of(repository)
    for found in (recorded_at(git, DAY), recorded_with(git, None, lock_digest(b"stages: {}  # elsewhere\n"))):
        assert found is not None
        assert (found.commit, found.place) == (made.commit, f"runs/{name}")


@pytest.mark.parametrize("said", ["Workspace: runs/a/b", "Workspace: see below", "Workspace:"])
def test_a_run_that_does_not_say_clearly_where_it_lies_is_refused(repository: Path, ask: Ask, said: str) -> None:
    ask("add", "dvc.lock")
    ask("-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", f"run\n\n{said}\nLock: x")
    with pytest.raises(MucodeError, match=r'main: the line "Workspace:" of its message names neither'):
        recorded_at(git_of(repository), "main")
    assert recorded_with(git_of(repository), None, lock_digest(b"stages: {}\n")) is None


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


def test_a_branch_goes_to_the_remote_that_is_named_and_beside_one_that_somebody_has_rewritten_there(
    repository: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = tmp_path / "remote.git"
    ask("init", "--quiet", "--bare", str(remote))
    ask("remote", "add", "team", str(remote))
    monkeypatch.chdir(repository)
    monkeypatch.setenv(REMOTE, "team")
    made = branch(name="weekly")
    assert made is not None
    assert ask("rev-parse", made.name, at=remote).strip() == made.commit

    (repository / "mucode/code.py").write_text("second\n")
    ask("-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--all", "-m", "second")
    ask("push", "--quiet", "--force", "team", f"main:{made.name}")  # somebody else's doing
    ask("checkout", "--quiet", "--detach", "HEAD^")
    branch(name="weekly")
    assert ask("rev-parse", made.name, at=remote) == ask("rev-parse", "main")
    assert ask("rev-parse", f"{made.name}-2", at=remote).strip() == made.commit


def test_what_is_said_of_a_remote_does_not_tell_its_token(
    repository: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = "https://ada:t0ken@example.org/runs.git"
    ask("init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    ask("config", f"url.{tmp_path}/remote.git.insteadOf", url)  # no server is asked
    monkeypatch.chdir(repository)
    monkeypatch.setenv(REMOTE, url)
    with caplog.at_level(logging.INFO, logger="mucode"):
        made = branch(name="weekly")
    assert made is not None
    assert ask("rev-parse", made.name, at=tmp_path / "remote.git").strip() == made.commit
    assert "https://example.org/runs.git" in caplog.text
    assert "t0ken" not in caplog.text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("fatal: no 'https://t0ken@host/r.git'", "fatal: no 'https://host/r.git'"),
        ("to ssh://ada:p@ss@host:22/r", "to ssh://host:22/r"),
        ("https://host/r@1 and git@host:r", "https://host/r@1 and git@host:r"),
    ],
)
def test_only_what_stands_before_a_host_is_left_out(said: str, told: str) -> None:
    assert without_credentials(said) == told


def test_an_unreachable_remote_is_named_and_the_branch_is_kept(
    repository: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setenv(REMOTE, "nowhere")
    with pytest.raises(MucodeError, match=r"\(fatal: 'nowhere' does not appear to be a git repository\)"):
        branch(name="weekly")
    assert ask("branch", "--list", "run/*").strip().endswith("-weekly")


def test_a_remote_that_never_answers_is_given_up_and_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "sleep 20; true")
    git, asked = Git(repository, patience=0.5), ("ls-remote", "ssh://nowhere/at/all")
    assert git.answer(*asked) is None
    with pytest.raises(MucodeError, match=r"git ls-remote .* failed .*no end after 0\.5 s"):
        git(*asked)


def test_a_remote_that_takes_nothing_is_quoted_with_its_reason(
    repository: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = tmp_path / "remote.git"
    ask("init", "--quiet", "--bare", str(remote))
    (remote / "hooks/pre-receive").write_text("#!/bin/sh\necho not from here\nexit 1\n")
    (remote / "hooks/pre-receive").chmod(0o755)
    monkeypatch.chdir(repository)
    monkeypatch.setenv(REMOTE, str(remote))
    with pytest.raises(MucodeError, match=r"git push .* \(! \[remote rejected\] .*pre-receive hook declined"):
        branch(name="weekly")


def test_of_two_machines_each_has_its_runs_on_the_remote_under_names_of_their_own(
    repository: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, other = tmp_path / "remote.git", tmp_path / "other"
    ask("init", "--quiet", "--bare", str(remote))
    ask("clone", "--quiet", str(repository), str(other))

    def weekly(machine: Path, lock: str, reached: bool = True) -> str:
        (machine / "dvc.lock").write_text(lock)
        monkeypatch.chdir(machine)
        monkeypatch.setenv(REMOTE, str(remote if reached else tmp_path / "nowhere"))
        with contextlib.nullcontext() if reached else pytest.raises(MucodeError, match="git ls-remote"):
            branch(name="weekly")
        return lock

    def locks() -> list[str]:
        names = ask("for-each-ref", "--format=%(refname)", "refs/heads/run", at=remote).split()
        return [ask("show", f"{name}:dvc.lock", at=remote) for name in names]

    ours, theirs = weekly(repository, "stages: {a: {}}\n"), weekly(other, "stages: {b: {}}\n")
    assert locks() == [ours, theirs]
    weekly(repository, "stages: {c: {}}\n", reached=False)  # and meanwhile the other takes that name, too
    third = weekly(other, "stages: {d: {}}\n")
    assert locks() == [ours, theirs, third]
    last = weekly(repository, "stages: {e: {}}\n")
    assert sorted(locks()) == sorted([ours, theirs, third, "stages: {c: {}}\n", last])
    weekly(repository, last)
    assert len(locks()) == 5


def test_a_run_is_found_by_its_branch_its_tag_its_commit_and_the_digest_of_its_lock(repository: Path, ask: Ask) -> None:
    git = git_of(repository)
    made = commit_run(repository, DAY, git)
    ask("tag", "champion-1", made.commit)
    for name in (DAY, "champion-1", made.commit, made.commit[:10]):
        found = recorded_at(git, name)
        assert found is not None
        assert found.commit == made.commit
    assert recorded_at(git, "no-such-run") is None
    facts = lineage(repository)
    assert facts == {"git_commit": ask("rev-parse", "main").strip(), "dvc_lock_sha256": lock_digest(b"stages: {}\n")}
    by_lock = recorded_with(git, facts["git_commit"], facts["dvc_lock_sha256"])
    assert by_lock is not None
    assert by_lock.commit == made.commit
    assert recorded_with(git, None, lock_digest(b"another")) is None


def test_a_run_is_its_branch_and_not_what_the_branch_that_took_it_over_has_become(repository: Path, ask: Ask) -> None:
    def commit(text: str) -> str:
        (repository / "mucode/code.py").write_text(text)
        ask("-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--all", "-m", text)
        return ask("rev-parse", "main").strip()

    git, facts = git_of(repository), lineage(repository)
    made = commit_run(repository, DAY, git)
    (repository / "dvc.lock").unlink()  # a merge wants its place
    ask("merge", "--quiet", DAY)
    second = commit("second\n")
    later = commit_run(repository, "run/2026-11-25-other", git)  # sorts before
    assert second != facts["git_commit"]
    commit("third\n")
    for base, branched in ((facts["git_commit"], made), (None, later)):
        found = recorded_with(git, base, facts["dvc_lock_sha256"])
        assert found is not None
        assert found.commit == branched.commit


def test_a_run_whose_lock_a_later_commit_has_replaced_is_found_in_the_past(repository: Path, ask: Ask) -> None:
    facts = lineage(repository)
    for lock in ("stages: {}\n", "stages: {a: {}}\n", "stages: {b: {}}\n"):
        (repository / "dvc.lock").write_text(lock)
        ask("add", "dvc.lock")
        ask("-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", lock)
    found = recorded_with(git_of(repository), facts["git_commit"], facts["dvc_lock_sha256"])
    assert found is not None
    assert found.commit == ask("rev-parse", "main~2").strip()


def test_a_commit_whose_graph_has_not_run_is_refused(repository: Path) -> None:
    with pytest.raises(MucodeError, match=r"main holds no dvc\.lock"):
        recorded_at(git_of(repository), "main")


def test_a_change_of_the_code_is_recorded_and_one_of_the_lock_alone_is_none(repository: Path) -> None:
    (repository / "dvc.lock").write_text("stages: {more: {}}\n")
    assert "git_changed" not in lineage(repository)
    (repository / "mucode/code.py").write_text("second\n")
    assert lineage(repository)["git_changed"] == "true"

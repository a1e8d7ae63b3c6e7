"""Run branches go to the remote that is named: beside each other's, and without a word of its password."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import pytest

from mucode.lineage import branch
from mucode.lineage.branch import REMOTE
from mucode.lineage.git import Git, without_credentials
from mucode.types import MucodeError
from tests.lineage.conftest import Ask


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

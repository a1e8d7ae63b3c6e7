"""A run is found again by its branch, its tag, its commit or the digest of its lock, and says where it lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from mucode.lineage import commit_run, lineage, lock_digest
from mucode.lineage.find import recorded_at, recorded_with
from mucode.types import MucodeError
from tests.lineage.conftest import DAY, Ask, git_of


def a_size(root: Path, name: str = "tiny") -> Path:
    """A workspace as `mucode workspace` makes it."""
    workspace = root / "runs" / name
    workspace.mkdir(parents=True)
    (workspace / "mucode").symlink_to("../../mucode")
    (workspace / "dvc.lock").write_text(f"stages: {{}}  # {name}\n")
    return workspace


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

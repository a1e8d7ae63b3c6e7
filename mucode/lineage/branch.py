"""`mucode branch`: a run's dvc.lock, with the code and the parameters that made it, as a branch of its own.

Who commits dvc.lock: a scheduled retrain does, and never onto a branch that a person works on. Its commit stands on the
commit that is checked out, and is made beside the index and the working tree, which it leaves alone. Branches are only
ever created: there is nothing to force.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mucode.lineage.compare import stages_of
from mucode.lineage.facts import lock_digest
from mucode.lineage.git import Git, repository_of, without_credentials
from mucode.lineage.locked import folder_md5, md5_of
from mucode.lineage.remote import free_name, push_runs
from mucode.processes import held
from mucode.types import MucodeError
from mucode.yaml_files import read_yaml

REMOTE = "MUCODE_RUN_REMOTE"  # a git remote that run branches are pushed to; none: they stay here
CODE = ("mucode", "flows", "mlflow", "profiles", "dvc.yaml", "params.yaml")  # new files there are the run's, too
COLLECTED = "data/collected/problems.jsonl"  # in no commit, but by what DVC says of it
VERSIONED = ("dvc.lock", "dvc.yaml", "params.yaml", f"{COLLECTED}.dvc")  # of the workspace
_ABSENT = "0" * 40

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunBranch:
    """A branch with one commit on top of the one that was checked out."""

    name: str  # "run/2026-11-26-weekly"
    commit: str
    new: bool  # False: an earlier run had ended with the very same files


def branch(*, name: str = "retrain", dry_run: bool = False) -> RunBranch | None:
    """Commit dvc.lock and what made it to a branch run/DATE-NAME; your branch, index and files stay as they are.

    Parameters
    ----------
    name:
        What the run is called: small letters, digits and dashes.
    dry_run:
        Only say what the branch would be called.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise MucodeError(f"{name!r} names no run branch: use small letters, digits and dashes")
    wanted = f"run/{datetime.now(UTC):%Y-%m-%d}-{name}"
    git, remote = repository_of(Path()), os.environ.get(REMOTE)
    if git is None:
        logger.info("the code is not under git: nothing to commit dvc.lock to")
        return None
    if dry_run:
        logger.info("would commit dvc.lock and what made it to %s", free_name(wanted, git, remote))
        return None
    made = commit_run(Path(), wanted, git, remote)
    logger.info("%s: commit %s%s", made.name, made.commit[:12], "" if made.new else ", there before")
    if remote:
        for here, there in push_runs(git, remote).items():
            logger.info("pushed %s to %s%s", here, without_credentials(remote), "" if there == here else f" as {there}")
    return made


def commit_run(workspace: Path, wanted: str, git: Git, remote: str | None = None) -> RunBranch:
    """The branch that holds a workspace as it is, found or made; its name gets a number where `wanted` is taken,
    here or on the remote that it is to be pushed to.

    Raises:
        MucodeError: the graph has not run, problems were collected that no version holds, or git refuses.
    """
    if not (workspace / "dvc.lock").is_file():
        raise MucodeError(f"{workspace / 'dvc.lock'} is missing: run the graph first, with `make quickstart`")
    if not is_version(workspace) and not _was_read(workspace):
        raise MucodeError(f"{workspace / COLLECTED} is no version: run `dvc add {COLLECTED}`, then the graph again")
    busy = "another run is being committed: wait for it"
    with held(workspace / ".mucode/branch.lock", busy):
        head, tree = git("rev-parse", "HEAD"), _tree(workspace, git)
        for line in git(
            "for-each-ref", "--format=%(refname:short) %(objectname) %(tree) %(parent)", "refs/heads/run"
        ).splitlines():
            name, commit, *made_of = line.split()
            if made_of == [tree, head]:
                return RunBranch(name, commit, new=False)
        name = free_name(wanted, git, remote)
        commit = git.identified()("commit-tree", tree, "-p", head, "-m", _message(workspace, git, name))
        git("update-ref", f"refs/heads/{name}", commit, _ABSENT)  # refused if it is there by now
        return RunBranch(name, commit, new=True)


def is_version(workspace: Path) -> bool:
    """Whether the collected problems are what DVC's pointer names, and no more; so it is while there are none."""
    file, pointer = workspace / COLLECTED, workspace / f"{COLLECTED}.dvc"
    return not file.is_file() or md5_of(file) == _named_by(pointer)


def _was_read(workspace: Path) -> bool:
    """Whether DVC's pointer names what the run has read, if others were collected since."""
    known = {Path(COLLECTED).name: _named_by(workspace / f"{COLLECTED}.dvc")}
    prepare = stages_of((workspace / "dvc.lock").read_bytes(), "dvc.lock").get("prepare", {})
    read = {dep["path"]: dep["md5"] for dep in prepare.get("deps", [])}
    folder = Path(COLLECTED).parent
    return read.get(folder.as_posix()) == folder_md5(workspace / folder, known)


def _named_by(pointer: Path) -> str:
    outs = read_yaml(pointer).get("outs", []) if pointer.is_file() else []
    return "".join(out["md5"] for out in outs)


def place_of(workspace: Path, root: Path) -> str:
    """Where a workspace's files lie in the commit: "." for the repository itself, else "runs/NAME"."""
    return "." if workspace.resolve() == root else f"runs/{workspace.resolve().name}"


def _tree(workspace: Path, git: Git) -> str:
    """The tree of what is checked out, as it lies there, and of the workspace's versioned files."""
    scratch = (workspace / ".mucode/branch").resolve()
    shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
    scratch.mkdir()
    beside = Git(git.root, {"GIT_INDEX_FILE": str(scratch / "index")})
    try:
        beside("read-tree", "HEAD")
        beside("add", "--update", "--", ".")
        beside("add", "--all", "--", *(name for name in CODE if (git.root / name).exists()))
        place = place_of(workspace, git.root)
        for name in VERSIONED:
            if (workspace / name).is_file():
                blob = beside("hash-object", "-w", "--", str((workspace / name).resolve()))
                beside("update-index", "--add", "--cacheinfo", f"100644,{blob},{Path(place, name).as_posix()}")
        return beside("write-tree")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _message(workspace: Path, git: Git, name: str) -> str:
    lock = lock_digest((workspace / "dvc.lock").read_bytes())
    return f"{name}: dvc.lock and what made it\n\nWorkspace: {place_of(workspace, git.root)}\nLock: {lock}"

"""A commit checked out beside the user's tree, as a DVC workspace with a cache of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from mucode.lineage.find import Recorded
from mucode.lineage.git import Git
from mucode.local_files import link_files
from mucode.workspace import furnish

FOLDER = Path(".mucode/reproduce")
CHECKED_OUT = Path(".mucode/checked-out")  # in a worktree that is whole and not compared yet


def check_out(recorded: Recorded, git: Git, folder: Path, *, locked: bool) -> Path:
    """The run's workspace in `folder`, checked out now, or by an earlier call that was killed: then it stays as it is.

    Args:
        locked: leave the recorded dvc.lock in it. Without it DVC knows no outcome, and has to make every one.

    Raises:
        MucodeError: git cannot check the commit out.
    """
    workspace, whole = folder / recorded.place, folder / CHECKED_OUT
    if whole.is_file():
        return workspace
    shutil.rmtree(folder, ignore_errors=True)
    options = ("--force", "--force", "--detach", str(folder), recorded.commit)  # twice: a kill leaves the place locked
    git("-c", "core.hooksPath=/dev/null", "worktree", "add", *options)
    if recorded.place != ".":
        furnish(workspace, folder)
    link_files(workspace, git.root / recorded.place, within=folder.parent)  # git has neither models nor problem files
    if not locked:
        (workspace / "dvc.lock").unlink()
    whole.parent.mkdir(exist_ok=True)
    whole.touch()
    return workspace


def leave(folder: Path) -> None:
    """Keep a worktree that has been compared for a look; the next call begins anew."""
    (folder / CHECKED_OUT).unlink()


def remove(folder: Path, git: Git) -> None:
    """Take the worktree away again."""
    git("worktree", "remove", "--force", "--force", str(folder))

"""A commit checked out beside the user's tree, as a DVC workspace with a cache of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from mucode.lineage.find import Recorded
from mucode.lineage.git import Git
from mucode.workspace import furnish

FOLDER = Path(".mucode/reproduce")


def check_out(recorded: Recorded, git: Git, folder: Path, *, locked: bool) -> Path:
    """The run's workspace in `folder`, checked out now, or by an earlier call that was killed: then it stays as it is.

    Args:
        locked: leave the recorded dvc.lock in it. Without it DVC knows no outcome, and has to make every one.

    Raises:
        MucodeError: git cannot check the commit out.
    """
    workspace, whole = folder / recorded.place, folder / ".mucode/checked-out"
    if whole.is_file():
        return workspace
    shutil.rmtree(folder, ignore_errors=True)
    options = ("--force", "--force", "--detach", str(folder), recorded.commit)  # twice: a kill leaves the place locked
    git("-c", "core.hooksPath=/dev/null", "worktree", "add", *options)
    if recorded.place != ".":
        furnish(workspace, folder)
    if not locked:
        (workspace / "dvc.lock").unlink()
    whole.parent.mkdir(exist_ok=True)
    whole.touch()
    return workspace


def remove(folder: Path, git: Git) -> None:
    """Take the worktree away again."""
    git("worktree", "remove", "--force", "--force", str(folder))

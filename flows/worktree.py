"""A commit checked out beside the user's tree, as a DVC workspace with a cache of its own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mucode.lineage.find import Recorded
from mucode.lineage.git import Git
from mucode.workspace import furnish

FOLDER = Path(".mucode/reproduce")
CACHE = "users-cache"  # the remote by which a worktree reads, and only reads, what this repository has cached


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


@dataclass(frozen=True, slots=True)
class DvcRemotes:
    """The DVC remotes that a user has set, here or for all repositories, credentials and all."""

    settings: Mapping[str, Mapping[str, Any]]
    default: str | None
    cache: str

    @classmethod
    def of(cls, workspace: Path) -> DvcRemotes:
        from dvc.repo import Repo

        with Repo(str(workspace)) as repo:
            settings, default = repo.config["remote"], repo.config["core"].get("remote")
            return cls(settings, default, repo.cache.local_cache_dir)

    def hand_over(self, workspace: Path) -> None:
        """Write them into the private settings of another workspace, and the cache beside them as a remote, CACHE."""
        from dvc.config import Config

        with Config(str(workspace / ".dvc")).edit("local") as local:
            local["remote"] = {**self.settings, CACHE: {"url": self.cache}}
            if self.default:
                local["core"]["remote"] = self.default
        (workspace / ".dvc/config.local").chmod(0o600)

"""A commit checked out beside the user's tree, as a DVC workspace with a cache of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from mucode.lineage.find import Recorded
from mucode.lineage.git import Git
from mucode.workspace import furnish

FOLDER = Path(".mucode/reproduce")
CACHE = "users-cache"  # the remote by which a worktree reads, and only reads, what this repository has cached


def check_out(recorded: Recorded, git: Git, folder: Path) -> Path:
    """The run's workspace in `folder`, checked out now or by an earlier call that was killed; its data stay.

    Raises:
        MucodeError: git cannot check the commit out.
    """
    ours = Git(folder)
    if not (folder / ".git").is_file() or ours.answer("reset", "--quiet", "--hard", recorded.commit) is None:
        shutil.rmtree(folder, ignore_errors=True)  # forced twice, because a kill leaves the place locked
        options = ("--force", "--force", "--detach", str(folder), recorded.commit)
        git("-c", "core.hooksPath=/dev/null", "worktree", "add", *options)
    workspace = folder / recorded.place
    if recorded.place != ".":
        furnish(workspace, folder)
    return workspace


def remove(folder: Path, git: Git) -> None:
    """Take the worktree away again."""
    git("worktree", "remove", "--force", "--force", str(folder))


def take_over_remotes(source: Path, workspace: Path) -> str | None:
    """Give a workspace the user's DVC remotes, credentials and all, in its private settings.

    Returns:
        The default remote's name, None if there is none.
    """
    from dvc.config import Config
    from dvc.repo import Repo

    with Repo(str(source)) as repo:
        remotes, default = repo.config["remote"], repo.config["core"].get("remote")
        cache = repo.cache.local_cache_dir
    settings = Config(str(workspace / ".dvc"))
    with settings.edit("local") as local:
        local["remote"] = {**remotes, CACHE: {"url": cache}}
        if default:
            local["core"]["remote"] = default
    (workspace / ".dvc/config.local").chmod(0o600)
    name: str | None = default
    return name

"""The DVC remotes of one workspace handed over to another: what its user has set holds wherever its stages run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.commands import PUSH_ADVICE

CACHE = "users-cache"  # the remote by which a worktree reads, and only reads, what this repository has cached


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

    def hand_over(self, workspace: Path, *, cache: bool) -> None:
        """Write them into the private settings of another workspace; `cache`: and the cache as a remote, CACHE."""
        from dvc.config import Config

        with Config(str(workspace / ".dvc")).edit("local") as local:
            local["remote"] = {**self.settings, **({CACHE: {"url": self.cache}} if cache else {})}
            local["core"].pop("remote", None)
            if self.default:
                local["core"]["remote"] = self.default
        (workspace / ".dvc/config.local").chmod(0o600)


def has_remote(workspace: Path) -> bool:
    """Whether DVC has a default remote here."""
    from dvc.repo import Repo

    with Repo(str(workspace)) as repo:
        return bool(repo.config["core"].get("remote"))


def idle_advice(workspace: Path) -> bytes:
    """The line in which DVC advises to push, where there is nothing to push to; nothing where there is."""
    return b"" if has_remote(workspace) else PUSH_ADVICE


def inherit(workspace: Path, origin: Path) -> None:
    """Give a workspace the remotes of the repository or workspace that it was made from, as they are set now."""
    if workspace.resolve() == origin.resolve():
        return
    said = (origin / ".dvc/config", origin / ".dvc/config.local", workspace / ".dvc/config.local")
    if any(file.is_file() and "remote" in file.read_text() for file in said):  # else DVC need not be imported
        DvcRemotes.of(origin).hand_over(workspace, cache=False)

"""What every run in MLflow and every registered version says about where it comes from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mucode.lineage.git import repository_of


def lineage(workspace: Path) -> dict[str, str]:
    """The tags of both."""
    return code_of(workspace) | lock_of(workspace)


def code_of(workspace: Path) -> dict[str, str]:
    """Tags: the commit of the code, and whether tracked files differ from it; none where it is not under git."""
    git = repository_of(workspace)
    if git is None:
        return {}
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock")
    return {"git_commit": git("rev-parse", "HEAD")} | ({"git_changed": "true"} if changed else {})


def lock_of(workspace: Path) -> dict[str, str]:
    """A tag: the digest of dvc.lock as it is now, if there is one."""
    lock = workspace / "dvc.lock"
    return {"dvc_lock_sha256": lock_digest(lock.read_bytes())} if lock.is_file() else {}


def lock_digest(content: bytes) -> str:
    """sha256 of a dvc.lock, by which `make reproduce` finds the commit that holds it."""
    return hashlib.sha256(content).hexdigest()

"""A repository as a person works in it: a branch, something staged, something changed, something new."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mucode.lineage import repository_of
from mucode.lineage.git import Git

DAY = "run/2026-11-26-weekly"
Ask = Callable[..., str]


def git_of(workspace: Path) -> Git:
    git = repository_of(workspace)
    assert git is not None
    return git


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Runs git in the repository, or says `at` which folder."""

    def run(*arguments: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=at or tmp_path / "repository", check=True, capture_output=True, text=True
        )
        return done.stdout

    return run


@pytest.fixture
def repository(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No git identity, no configuration but the repository's own."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    root = tmp_path / "repository"
    (root / "mucode").mkdir(parents=True)
    (root / "mucode/code.py").write_text("first\n")
    (root / "params.yaml").write_text("a: 1\n")
    (root / "README.md").write_text("read\n")
    (root / ".gitignore").write_text("runs/\n.mucode/\n")
    ask("init", "--quiet", "--initial-branch=main", at=root)
    ask("config", "user.useConfigOnly", "true", at=root)
    ask("add", "--all", at=root)
    ask("-c", "user.name=someone", "-c", "user.email=s@x", "commit", "--quiet", "-m", "first", at=root)
    (root / "dvc.lock").write_text("stages: {}\n")
    return root

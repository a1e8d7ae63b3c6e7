"""Builders: a repository in which workspaces are made, and what the study adds to it."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def make_repository(root: Path) -> Path:
    """A repository with this one's parameters and stages, and one profile."""
    (root / "profiles").mkdir(parents=True)
    (root / ".dvc").mkdir()
    (root / "mucode").mkdir()
    for name in ("params.yaml", "dvc.yaml", ".dvcignore", ".dvc/.gitignore"):
        (root / name).write_text((REPOSITORY / name).read_text())
    (root / "profiles/small.yaml").write_text("rollout:\n  turns: 1\nstudy:\n  iterations: 2\n  seeds: [3]\n")
    return root


def with_study(root: Path) -> Path:
    """A profile with a hub's model, and a directory of profiles over it."""
    (root / "profiles/study").mkdir()
    (root / "profiles/study.yaml").write_text("model:\n  setting: hub:some/model@0\nrollout:\n  turns: 3\n")
    (root / "profiles/study/part.yaml").write_text("rollout:\n  rollouts: 7\n")
    return root

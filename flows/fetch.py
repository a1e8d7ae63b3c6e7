"""What another clone has made and pushed is fetched, not made anew: `dvc repro --single-item` asks no remote."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mucode.dvc_settings import has_remote

if TYPE_CHECKING:
    from dvc.stage import Stage


def to_fetch(workspace: Path, stages: Sequence[str]) -> list[str]:
    """Of these stages, each after those it reads, the ones whose outs dvc.lock names for what they read now and DVC's
    cache lacks; none where no remote is set. Whatever stands on something that has changed is to be made anew."""
    if not has_remote(workspace):
        return []
    from dvc.repo import Repo

    with Repo(str(workspace)) as repo:
        known = {stage.name: stage for stage in repo.index.stages if getattr(stage, "name", None) in set(stages)}
        made = {out.fs_path: None for stage in known.values() for out in stage.outs}
        lacking = []
        for name in stages:
            stage = known[name]
            if _holds(stage, made):
                made.update({out.fs_path: out.hash_info for out in stage.outs})
                lacking += [] if stage.outs_cached() else [name]
        return lacking


def _holds(stage: Stage, made: Mapping[str, Any]) -> bool:
    """Whether DVC would not run the stage, if it had the outs; `made`: what the stages before it make, as recorded."""

    def same(dep: Any) -> bool:
        if dep.fs_path in made:
            return made[dep.fs_path] is not None and made[dep.fs_path] == dep.hash_info
        parts = [found for path, found in made.items() if _overlap(path, dep.fs_path)]
        return all(parts) if parts else not dep.workspace_status()

    return all(out.hash_info for out in stage.outs) and not stage.changed_stage() and all(map(same, stage.deps))


def _overlap(one: str, other: str) -> bool:
    """Whether one of two paths lies in the other: a stage may read a folder of outs, or a part of one."""
    return one.startswith(f"{other}{os.sep}") or other.startswith(f"{one}{os.sep}")

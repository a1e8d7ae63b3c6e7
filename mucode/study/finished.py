"""What of a piece has run: of its lock file the stages that are as recorded, of its plan what they have made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mucode.config import Config
from mucode.lineage.locked import md5_of, other_parameters, outs_of
from mucode.plan import Plan
from mucode.yaml_files import read_yaml

Stages = Mapping[str, Mapping[str, Any]]  # dvc.lock's, by name
NEEDED: Mapping[str, tuple[str, ...]] = {  # of the plan's entries: the stages whose files are read for them
    "rollouts": ("roll_out", "label", "validate", "aggregate"),
    "datasets": ("aggregate",),
    "verifiers": ("train_verifier",),
    "generators": ("fine_tune",),
    "evaluations": ("evaluate",),
    "selections": ("select",),
    "benchmarks": ("benchmark",),
}


def finished(config: Config, done: Collection[str]) -> Config:
    """The configuration with those entries of its plan alone whose stage instances are `done`."""
    plan: Plan = {
        kind: {key: entry for key, entry in entries.items() if {f"{s}@{key}" for s in NEEDED[kind]} <= set(done)}
        for kind, entries in config.plan.items()
    }
    return config.model_copy(update={"plan": plan})


def done_stages(workspace: Path, stages: Stages) -> set[str]:
    """The stage instances that are as recorded: with the same code and parameters, after stages that are so, too.

    DVC is not asked, as its lock would stop a run that is under way. Folders and files that a stage has made whole are
    taken to be what the lock file says if they are there; what is read of them in part is hashed, and all code.
    """
    outs, parameters = outs_of(stages), read_yaml(workspace / "params.yaml")
    makers = {out: name for name, stage in stages.items() for out in outs_of({name: stage})}
    hashes: dict[str, str | None] = {}
    known: dict[str, bool] = {}

    def current(path: str) -> str | None:
        if path not in hashes:
            hashes[path] = md5_of(workspace / path)
        return hashes[path]

    def is_done(name: str) -> bool:
        if name not in known:
            stage = stages[name]
            known[name] = (
                not other_parameters(stage, parameters)
                and all((workspace / out).exists() for out in outs_of({name: stage}))
                and all(is_done(maker) for path, _ in _reads(stage) for maker in _makers(makers, path))
                and all((outs[path] if path in outs else current(path)) == md5 for path, md5 in _reads(stage))
            )
        return known[name]

    return {name for name in stages if is_done(name)}


def _reads(stage: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((dep["path"], dep["md5"]) for dep in stage.get("deps", ()))


def _makers(makers: Mapping[str, str], path: str) -> Iterable[str]:
    """Of the outs that are this path, or lie in it, or in which it lies."""
    return (m for out, m in makers.items() if out == path or out.startswith(f"{path}/") or path.startswith(f"{out}/"))

"""What of a piece has run: its plan without what is still to come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mucode.config import Config
from mucode.plan import Plan

NEEDED: Mapping[str, tuple[str, ...]] = {  # of the plan's entries: the stages whose files are read for them
    "rollouts": ("roll_out", "label", "validate", "aggregate"),
    "datasets": ("aggregate",),
    "verifiers": ("train_verifier",),
    "generators": ("fine_tune",),
    "evaluations": ("evaluate",),
    "selections": ("select",),
    "benchmarks": ("benchmark",),
}


def stages_of(plan: Plan) -> list[str]:
    """DVC's names of the stage instances whose files a piece leaves in git something of, each once."""
    return list(dict.fromkeys(name for kind, entries in plan.items() for key in entries for name in _names(kind, key)))


def finished(config: Config, done: Collection[str]) -> Config:
    """The configuration with those entries of its plan alone whose stage instances are `done`."""
    plan: Plan = {
        kind: {key: entry for key, entry in entries.items() if set(_names(kind, key)) <= set(done)}
        for kind, entries in config.plan.items()
    }
    return config.model_copy(update={"plan": plan})


def _names(kind: str, key: str) -> Iterable[str]:
    return (f"{stage}@{key}" for stage in NEEDED[kind])

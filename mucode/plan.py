"""A study's instances: which key of which stage reads which other key; params.yaml's plan, dvc.yaml's foreach.

Keys say what they are: "mucode-0-2" is method, seed, iteration; what precedes any method's first fine-tuning depends on
the seed alone and is shared by all methods: "base-0". DVC cannot repeat a dependency list, so whatever a later stage
chooses among lies in one folder, "mucode-0/".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mucode.config import Method, Study

Plan = dict[str, dict[str, dict[str, Any]]]
STAGES = ("rollouts", "datasets", "verifiers", "generators", "evaluations", "selections", "benchmarks")


def expand(study: Study, methods: Mapping[str, Method]) -> Plan:
    """Unroll Algorithm 1 over methods, seeds and iterations; equal work appears once.

    A method that trains nothing adds nothing: its results are the base model's.
    """
    plan: Plan = {stage: {} for stage in STAGES}
    for seed in study.seeds:
        _add_base(plan, seed)
        for method in study.methods:
            if methods[method].trains:
                _add_method(plan, method, seed, study, methods[method].turns)
    return plan


def _add_base(plan: Plan, seed: int) -> None:
    base = f"base-{seed}"
    _add_round(plan, base, seed=seed, iteration=1, generator="base", previous="empty", turns=0)
    plan["verifiers"][base] = {"seed": seed, "dataset": base, "out": base}
    plan["evaluations"][base] = {"seed": seed, "out": f"{base}/0", "generator": "base", "verifier": base, "turns": 0}
    models = {"generator": "generators/base", "verifier": f"verifiers/{base}"}
    plan["benchmarks"][base] = {"seed": seed, **models, "turns": 0}


def _add_method(plan: Plan, method: str, seed: int, study: Study, turns: int) -> None:
    group, base = f"{method}-{seed}", f"base-{seed}"
    dataset = verifier = base
    for iteration in range(1, study.iterations + 1):
        key, out = f"{group}-{iteration}", f"{group}/{iteration}"
        plan["generators"][key] = {"method": method, "seed": seed, "out": out, "dataset": dataset, "verifier": verifier}
        paired = verifier
        if iteration < study.iterations or study.final_verifier:
            following = f"{group}-{iteration + 1}"
            _add_round(
                plan, following, seed=seed, iteration=iteration + 1, generator=out, previous=dataset, turns=turns
            )
            dataset = following
            if study.verifier == "each":
                verifier = f"{group}/{iteration + 1}"
                plan["verifiers"][following] = {"seed": seed, "dataset": dataset, "out": verifier}
        if study.final_verifier:  # each generator is judged by a verifier that has seen its rollouts
            paired = verifier
        plan["evaluations"][key] = {
            "seed": seed,
            "out": out,
            "generator": out,
            "verifier": paired,
            "turns": turns,
        }
    own = group if verifier != base else base  # a folder of verifiers, where the method has trained any
    plan["selections"][group] = {
        "seed": seed,
        "iterations": study.iterations,
        "base_verifier": base,
        "own_verifiers": own,
    }
    models = {"generator": f"selected/{group}/generator", "verifier": f"selected/{group}/verifier"}
    plan["benchmarks"][group] = {"seed": seed, **models, "turns": turns}


def _add_round(plan: Plan, key: str, *, seed: int, iteration: int, generator: str, previous: str, turns: int) -> None:
    """Lines 1 and 2 of one iteration: roll out, label, aggregate."""
    plan["rollouts"][key] = {
        "seed": seed,
        "iteration": iteration,
        "generator": generator,
        "previous": previous,
        "turns": turns,
    }
    plan["datasets"][key] = {"previous": previous}

"""What pairs were measured at, and a policy that lets a gain by chance pass."""

from __future__ import annotations

from collections.abc import Sequence

from mucode.registry.promotion import Measured, Policy

POLICY = Policy(
    gates="green",
    first="promote",
    benchmark="validation",
    difference=0.0,
    lower_bound=-1.0,
    regression=0.1,
    confidence=0.9,
    resamples=200,
)


def measured(
    validation: Sequence[float], test: Sequence[float] = (1.0, 0.0), settings: str = "N=4", green: bool = True
) -> Measured:
    sets = {"validation": validation, "starter/test": test}
    outcomes = {s: {f"p{i}": (r,) for i, r in enumerate(rewards)} for s, rewards in sets.items()}
    return Measured("pt+lv", settings, outcomes, {"base-0": True, "mucode-0-2": green})

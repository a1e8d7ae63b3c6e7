"""The promotion policy: whether a challenger becomes champion. Values in, a decision out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from mucode.metrics import Bootstrap, Comparison, Outcomes, compare
from mucode.section import Section, Share, first_sentence
from mucode.types import MucodeError
from mucode.yaml_files import read_yaml

VALIDATION = "validation"


class Policy(Section):
    """mlflow/promotion.yaml; its comments say what each number does."""

    first: Literal["promote", "hold"]
    gates: Literal["green", "any"]
    benchmark: str
    difference: Annotated[float, Field(ge=-1, le=1)]
    lower_bound: Annotated[float, Field(ge=-1, le=1)]
    regression: Share
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100)]


@dataclass(frozen=True, slots=True)
class Measured:
    """How a pair's searches ended: the rewards of each set's problems, one value of each search."""

    selector: str
    settings: str  # how the searches were done; unequal settings are not compared
    sets: Mapping[str, Outcomes]  # VALIDATION and the test sets
    gates: Mapping[str, bool] = field(default_factory=dict)  # of the labels it learned from: whether each gate passed
    problems: Mapping[str, str] = field(default_factory=dict)  # of each set: a digest of problems, tests, other judge

    def as_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Measured:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the challenger becomes champion, and why, in a sentence."""

    promote: bool
    reason: str


def load_policy(path: Path) -> Policy:
    """Read and check a policy file.

    Raises:
        MucodeError: no such file, or a key that is unknown, missing or out of bounds, by name.
    """
    values = _numbers_as_floats(read_yaml(path))
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        raise MucodeError(f"{path}: {first_sentence(error)}; README.md beside it explains the keys") from error


def decide(policy: Policy, challenger: Measured, champion: Measured | None) -> Decision:
    """Apply the policy.

    Args:
        champion: None while there is none.
    """
    if policy.gates == "green" and not (challenger.gates and all(challenger.gates.values())):
        red = ", ".join(name for name, passed in sorted(challenger.gates.items()) if not passed)
        return Decision(False, f"the gates on the labels it learned from are not all green: {red or 'none is known'}")
    if champion is None:
        return Decision(
            policy.first == "promote", f"there is no champion yet, and the policy says first: {policy.first}"
        )
    if policy.benchmark not in challenger.sets or policy.benchmark not in champion.sets:
        return Decision(False, f"not both were measured on {policy.benchmark}")
    if not _comparable(challenger, champion, policy.benchmark):
        return Decision(False, f"the two were not measured alike on {policy.benchmark}: compare them by hand")
    return _on_merit(policy, challenger, champion)


def _on_merit(policy: Policy, challenger: Measured, champion: Measured) -> Decision:
    change = _change(policy, challenger, champion, policy.benchmark)
    found = f"on {policy.benchmark} it is {_in_words(change, policy)} against the champion"
    if change.difference.value < policy.difference:
        return Decision(False, f"{found}; the policy asks for at least {policy.difference:+.3f}")
    if change.difference.low <= policy.lower_bound:
        return Decision(False, f"{found}; the policy asks for a lower end above {policy.lower_bound:+.3f}")
    # A champion of before sets without public tests were judged holds no outcomes of them: nothing to lose there.
    judged = {name for name, rewards in champion.sets.items() if rewards}
    for name in sorted(judged - {policy.benchmark, VALIDATION}):
        if name not in challenger.sets or not _comparable(challenger, champion, name):
            return Decision(
                False, f"{found}, but it was not measured on {name} as the champion was: compare them by hand"
            )
        change = _change(policy, challenger, champion, name)
        if change.difference.value < -policy.regression:
            lost = f"but loses on {name}: {_in_words(change, policy)}"
            return Decision(False, f"{found}, {lost}; the policy allows {-policy.regression:+.3f}")
    return Decision(True, found)


def _comparable(one: Measured, other: Measured, name: str) -> bool:
    how, other_how = ((each.selector, each.settings, each.problems.get(name)) for each in (one, other))
    return how == other_how and one.sets[name].keys() == other.sets[name].keys() != set()


def _change(policy: Policy, challenger: Measured, champion: Measured, name: str) -> Comparison:
    change = compare(champion.sets[name], challenger.sets[name], Bootstrap(policy.confidence, policy.resamples))
    if change is None:
        raise MucodeError(f"{name} has no problem to compare on: name another benchmark in the promotion policy")
    return change


def _in_words(change: Comparison, policy: Policy) -> str:
    d = change.difference
    return f"{d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}] at {policy.confidence:.0%} over {d.n} problems"


def _numbers_as_floats(values: dict[str, Any]) -> dict[str, Any]:
    """YAML's 0 stands for 0.0 where the policy has a share."""
    floats = {name for name, field in Policy.model_fields.items() if field.annotation is float}
    return {k: float(v) if k in floats and type(v) is int else v for k, v in values.items()}

"""The audit trail: who decided what about which pair, when and why. Tags `audit.TIME` of the registered generator."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from mucode.tracking import Registry

_PREFIX = "audit."
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
BY_HAND = "somebody, by hand"

What = Literal["promoted", "held", "rolled back", "found"]
Numbers = tuple[int, int]  # version of the generator, of the verifier
Weights = tuple[str, str]  # tag `dvc_md5` of the two


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision; "found": the champion aliases had been moved by other means, when it was noticed."""

    at: str  # UTC; the order of the texts is that of the entries
    who: str
    what: What
    pair: Numbers
    before: Numbers | None  # the champion pair that it was decided against
    reason: str
    run: str  # the MLflow run of the pair's registration: what `make reproduce` takes
    policy_sha256: str
    # Deleted weights are registered anew under other numbers; None: written before these were kept, or not known.
    weights: Weights | None = None  # of `pair`
    weights_before: Weights | None = None  # of `before`

    @classmethod
    def from_json(cls, text: str) -> Entry:
        """What a newer version has added is passed over: who shares a registry does not upgrade in the same minute."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in json.loads(text).items() if name in known}
        twos = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **twos})


def new_entry(
    trail: Sequence[Entry],
    what: What,
    pair: Numbers,
    before: Numbers | None,
    reason: str,
    run: str,
    weights: Mapping[Numbers, Weights],
    policy_sha256: str = "",
    who: str = "",
) -> Entry:
    """An entry to add to a trail.

    Args:
        trail: oldest first.
        weights: of the pairs whose versions are still there; the trail may know those of others.
    """
    known = {entry.pair: entry.weights for entry in trail if entry.weights} | dict(weights)
    to, instead_of = known.get(pair), known.get(before) if before else None
    return Entry(_next_time(trail), who or _me(), what, pair, before, reason, run, policy_sha256, to, instead_of)


def _next_time(trail: Sequence[Entry]) -> str:
    """Now, but later than all of a trail: another machine's clock may be ahead, and the order is what counts."""
    now = datetime.now(UTC).strftime(_TIME)
    last = max((entry.at for entry in trail), default="")
    return now if now > last else (datetime.strptime(last, _TIME) + timedelta(microseconds=1)).strftime(_TIME)


def entries(registry: Registry) -> list[Entry]:
    """The trail, oldest first."""
    return [Entry.from_json(text) for _, text in sorted(registry.notes(_PREFIX).items())]


def record(registry: Registry, entry: Entry) -> None:
    """Add an entry; the same one twice is one."""
    registry.note(_PREFIX + entry.at, json.dumps(asdict(entry), sort_keys=True))


def record_held(registry: Registry, entry: Entry) -> None:
    """Add a refusal, unless it is the last word on its pair already."""
    about = [old for old in entries(registry) if old.pair == entry.pair]
    if not about or _substance(about[-1]) != _substance(entry):
        record(registry, entry)


def reigns(trail: Sequence[Entry]) -> list[Numbers]:
    """The champion pairs that a rollback can still go back to, oldest first; the last one is the champion."""
    stack: list[Numbers] = []
    for entry in trail:
        if entry.what in ("promoted", "found"):
            stack.append(entry.pair)
        elif entry.what == "rolled back":
            while stack and stack[-1] != entry.pair:  # more than one where versions between were deleted
                stack.pop()
            stack = stack or [entry.pair]
    return stack


def removal_of(trail: Sequence[Entry], pair: Numbers, weights: Weights) -> Entry | None:
    """The entry by which people took a pair's place from it, if it has not been made champion since.

    It is the weights that count, whatever their versions' numbers; the numbers where an entry has no weights.
    """
    for entry in reversed(trail):
        if entry.what != "held" and (entry.weights or entry.pair) in (weights, pair):
            return None
        if entry.what in ("rolled back", "found") and (entry.weights_before or entry.before) in (weights, pair):
            return entry
    return None


def _substance(entry: Entry) -> tuple[object, ...]:
    return entry.what, entry.before, entry.reason, entry.policy_sha256


def _me() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's process may run under a number that has no name
        name = "somebody"
    return f"{name}@{socket.gethostname()}"

"""The audit trail: who decided what about which pair, when and why. Tags `audit.TIME` of the registered generator."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from mucode.tracking import Registry

_PREFIX = "audit."
BY_HAND = "somebody, by hand"

What = Literal["promoted", "held", "rolled back", "found"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision; "found": the champion aliases had been moved by other means, when it was noticed."""

    at: str  # UTC, so that the order of the texts is that of the times
    who: str
    what: What
    pair: tuple[int, int]  # version of the generator, of the verifier
    before: tuple[int, int] | None  # the champion pair that it was decided against
    reason: str
    run: str  # the MLflow run of the pair's registration: what `make reproduce` takes
    policy_sha256: str

    @classmethod
    def from_json(cls, text: str) -> Entry:
        values: dict[str, Any] = json.loads(text)
        before = values.pop("before")
        return cls(**{**values, "pair": tuple(values["pair"])}, before=tuple(before) if before else None)


def new_entry(
    what: What,
    pair: tuple[int, int],
    before: tuple[int, int] | None,
    reason: str,
    run: str,
    policy_sha256: str = "",
    who: str = "",
) -> Entry:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Entry(at, who or _me(), what, pair, before, reason, run, policy_sha256)


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


def reigns(trail: Sequence[Entry]) -> list[tuple[int, int]]:
    """The champion pairs that a rollback can still go back to, oldest first; the last one is the champion."""
    stack: list[tuple[int, int]] = []
    for entry in trail:
        if entry.what in ("promoted", "found"):
            stack.append(entry.pair)
        elif entry.what == "rolled back":
            while stack and stack[-1] != entry.pair:  # more than one where versions between were deleted
                stack.pop()
            stack = stack or [entry.pair]
    return stack


def removal_of(trail: Sequence[Entry], pair: tuple[int, int]) -> Entry | None:
    """The entry by which people took a pair's place from it, if it has not been made champion since."""
    for entry in reversed(trail):
        if entry.what != "held" and entry.pair == pair:
            return None
        if entry.what in ("rolled back", "found") and entry.before == pair:
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

"""Who is champion now, whatever was interrupted or done by hand; and the registry put in order accordingly."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mucode.processes import held
from mucode.registry.pairs import (
    VersionPair,
    champion,
    champions_held,
    finish_move,
    interrupted_move,
    pair_of,
    weights_of,
)
from mucode.registry.trail import BY_HAND, Entry, entries, new_entry, record, reigns
from mucode.tracking import Registry, Version, open_registry


@dataclass(frozen=True, slots=True)
class Standing:
    """The champion, and how that came about."""

    champion: VersionPair | None
    strays: Sequence[Version]  # what the champion aliases point at where that is no pair
    trail: Sequence[Entry]  # oldest first


def standing(registry: Registry) -> Standing:
    """How the registry stands once it is in order: what was interrupted counts as done, a move by hand as noted.

    Nothing is changed.
    """
    trail = entries(registry)
    if (move := interrupted_move(registry)) is not None:
        return Standing(pair_of(registry, move.pair), (), [*trail, move])
    present = champion(registry)
    found = _moved_by_hand(registry, present, trail)
    return Standing(present, () if present else champions_held(registry), [*trail, found] if found else trail)


@contextlib.contextmanager
def registry_in_order(workspace: Path) -> Iterator[Registry]:
    """The registry with nothing half-done in it, for one process of the workspace at a time: two that find a version
    missing would both add it.

    Raises:
        MucodeError: another process has it.
        TrackingUnavailable: MLflow does not answer.
    """
    busy = "another `mucode register`, `promote` or `rollback` is at work here: wait for it"
    with held(workspace / ".mucode/registry.lock", busy), open_registry(workspace) as registry:
        _put_in_order(registry)
        yield registry


def _put_in_order(registry: Registry) -> None:
    """Before anything is decided: finish what was interrupted, and take note of a promotion by hand."""
    finish_move(registry)
    if (found := _moved_by_hand(registry, champion(registry), entries(registry))) is not None:
        record(registry, found)


def _moved_by_hand(registry: Registry, present: VersionPair | None, trail: Sequence[Entry]) -> Entry | None:
    """The entry of a champion that the trail does not know as the present one."""
    past = reigns(trail)
    if present is None or past[-1:] == [present.numbers]:
        return None
    why, before = "the champion aliases were moved without mucode", past[-1] if past else None
    weights = weights_of(registry, present.numbers, before)
    return new_entry(trail, "found", present.numbers, before, why, present.run, weights, who=BY_HAND)

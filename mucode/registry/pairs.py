"""Pairs of registered versions, and how the champion aliases move from one to another, whole.

An intent is noted before the aliases move and removed afterwards, so that a run killed in between is completed by the
next, whatever command that is.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from mucode.registry.promotion import Measured
from mucode.registry.trail import Entry, Numbers, Weights, entries, record
from mucode.tracking import Registry, Version
from mucode.tracking.models import CHALLENGER, CHAMPION, Kind

_KINDS: tuple[Kind, Kind] = ("generator", "verifier")
_INTENT = "promoting"  # note of the registered generator: the trail's entry of what is under way


@dataclass(frozen=True, slots=True)
class VersionPair:
    """A generator and a verifier that were registered together."""

    generator: Version
    verifier: Version

    @property
    def numbers(self) -> Numbers:
        return self.generator.number, self.verifier.number

    @property
    def weights(self) -> Weights:
        return self.generator.tags["dvc_md5"], self.verifier.tags["dvc_md5"]

    @property
    def run(self) -> str:
        """The MLflow run of its registration."""
        return self.generator.tags[outcomes(self.verifier)]

    def measured(self, registry: Registry) -> Measured:
        return Measured.from_json(registry.read_text(self.run, "outcomes.json"))


def paired(verifier: Version) -> str:
    """The generator version's tag for a verifier version that it forms a pair with: the digest of how they did."""
    return f"pair.{verifier.number}"


def outcomes(verifier: Version) -> str:
    """The tag for the run whose outcomes.json says how the pair did."""
    return f"outcomes.{verifier.number}"


def champion(registry: Registry) -> VersionPair | None:
    """The champion pair; None if there is none, or two aliases that were never registered together."""
    return _aliased(registry, CHAMPION)


def challenger(registry: Registry) -> VersionPair | None:
    """The pair that did best on validation in the last registration."""
    return _aliased(registry, CHALLENGER)


def champions_held(registry: Registry) -> list[Version]:
    """What the champion aliases point at, pair or not."""
    found = (registry.aliased(kind, CHAMPION) for kind in _KINDS)
    return [version for version in found if version is not None]


def pair_of(registry: Registry, numbers: Numbers) -> VersionPair:
    return VersionPair(registry.version("generator", numbers[0]), registry.version("verifier", numbers[1]))


def weights_of(registry: Registry, *pairs: Numbers | None) -> dict[Numbers, Weights]:
    """The weights of those pairs whose versions are still there."""
    return {
        numbers: pair_of(registry, numbers).weights for numbers in pairs if numbers and is_registered(registry, numbers)
    }


def is_registered(registry: Registry, numbers: Numbers) -> bool:
    """Whether both versions are still there; people delete some."""
    return all(map(registry.has, _KINDS, numbers))


def move_champion(registry: Registry, entry: Entry) -> None:
    """Point both champion aliases at the entry's pair, verifier first, and put the entry into the trail."""
    registry.note(_INTENT, json.dumps(asdict(entry), sort_keys=True))
    pair = pair_of(registry, entry.pair)
    registry.set_alias(CHAMPION, pair.verifier)
    registry.set_alias(CHAMPION, pair.generator)
    record(registry, entry)
    registry.note(_INTENT, None)


def interrupted_move(registry: Registry) -> Entry | None:
    """What a kill interrupted and is still to be completed.

    Not what was in the trail already, nor what people have overtaken since: an alias that points elsewhere than the move
    does or did, or a version that was deleted.
    """
    intent = registry.noted(_INTENT)
    if intent is None:
        return None
    entry = Entry.from_json(intent)
    if entry in entries(registry) or not is_registered(registry, entry.pair):
        return None
    held = [registry.aliased(kind, CHAMPION) for kind in _KINDS]
    if entry.what == "rolled back" and held == [None, None]:  # nothing of it is done, or people have undone it
        return None
    # a rollback may begin where people have removed the aliases
    removed: set[int | None] = {None} if entry.what == "rolled back" else set()
    ends = ({*end, *removed} for end in zip(entry.before or (None, None), entry.pair, strict=True))
    under_way = all((v.number if v else None) in end for v, end in zip(held, ends, strict=True))
    return entry if under_way else None


def finish_move(registry: Registry) -> None:
    """Complete what a kill interrupted; of what was overtaken, only the intent is left, and goes."""
    if (entry := interrupted_move(registry)) is not None:
        move_champion(registry, entry)
    else:
        registry.note(_INTENT, None)


def _aliased(registry: Registry, alias: str) -> VersionPair | None:
    generator, verifier = registry.aliased("generator", alias), registry.aliased("verifier", alias)
    if generator is None or verifier is None or paired(verifier) not in generator.tags:
        return None
    return VersionPair(generator, verifier)

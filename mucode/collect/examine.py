"""Whether a new problem may join the training set. Values in, values out; only the gold check runs anything.

Refused is: what is no exercise, what its own reference does not pass, what is too like a problem that something is
measured on (it would leak), and what is too like one that trains already or that was accepted just before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mucode.collect.incoming import Arrival
from mucode.problems.gold import gold_check
from mucode.problems.similarity import Exercise, NearDuplicate, near_duplicates
from mucode.types import Sandbox


@dataclass(frozen=True, slots=True)
class Examined:
    """An arrival and what speaks against it; nothing: it is accepted."""

    arrival: Arrival
    reasons: tuple[str, ...]

    def refusal(self) -> dict[str, Any]:
        """The row for the quarantine, its reasons first; those of an earlier refusal, should it hold any, are history."""
        said = {"refused": list(self.reasons), "from": self.arrival.origin}
        return {**said, **self.arrival.row, **said}


def examine(
    arrivals: Sequence[Arrival],
    training: Sequence[Exercise],
    held_out: Mapping[str, Sequence[Exercise]],
    sandbox: Sandbox,
    timeout: float | None = None,
) -> list[Examined]:
    """Judge each arrival, in order; of two that are alike the earlier one is accepted.

    Args:
        arrivals: what came in, equal exercises once.
        training: the problems that train already.
        held_out: the sets that something is measured on, by name ("humaneval/test").
        sandbox: the judge that labels come from, with the patience that references have.
        timeout: seconds that other programs will have; a reference that takes longer makes a warning.
    """
    exercises = [arrival.exercise for arrival in arrivals if arrival.exercise]
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    for broken in gold_check([p for p, _ in exercises], [a for _, a in exercises], sandbox, timeout):
        reasons[broken.problem_id].append(f"its own code fails its tests ({broken.reason})")
    for name, others in held_out.items():
        for pair in near_duplicates(exercises, others):
            reasons[pair.first].append(f"{_like(pair)}, which {name} measures: it would leak")
    for pair in near_duplicates(exercises, training):
        reasons[pair.first].append(f"{_like(pair)}, which trains already")
    _refuse_the_later_of_two(exercises, arrivals, reasons)
    return [
        Examined(arrival, tuple(reasons[arrival.exercise[0].id]) if arrival.exercise else (arrival.fault,))
        for arrival in arrivals
    ]


def _refuse_the_later_of_two(
    exercises: Sequence[Exercise], arrivals: Sequence[Arrival], reasons: defaultdict[str, list[str]]
) -> None:
    origins = {arrival.exercise[0].id: arrival.origin for arrival in arrivals if arrival.exercise}
    order = {problem.id: place for place, (problem, _) in enumerate(exercises)}
    pairs = [pair for pair in near_duplicates(exercises, exercises) if order[pair.first] > order[pair.second]]
    for pair in sorted(pairs, key=lambda pair: order[pair.first]):
        if not reasons[pair.second]:  # what is refused itself stands in nobody's way
            reasons[pair.first].append(f"{pair.likeness} as {origins[pair.second]}, which is accepted")


def _like(pair: NearDuplicate) -> str:
    return f"{pair.likeness} as {pair.second}"

"""A tabular generator, and how it learns: by counting the approaches of the demonstrations it is given."""

from __future__ import annotations

import itertools
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.theory.world import Program, Row, Slip, World, class_of
from mucode.types import Completion, Demonstration, History, Problem, Sampling, State

Situation = tuple[int, tuple[tuple[int, str], ...]]
"""What of a state the table knows: the problem's class, and each earlier turn's approach and feedback."""

_BITS = 21  # a seed holds 63 random bits: a third each for approach, slip and draft
_SPAN = 1 << _BITS


def situation(problem: Problem, history: History) -> Situation:
    return class_of(problem), tuple((_approach(turn.completion.program), turn.verdict.feedback) for turn in history)


def _approach(program: str | None) -> int:
    if program is None:
        raise ValueError("no player of this world leaves a reply without a program")
    return Program.read(program).approach


class TabularGenerator:
    """pi: a row of probabilities over approaches for each situation. Without counts it is pi_0, the base model."""

    def __init__(self, world: World, counts: Mapping[Situation, Sequence[float]] | None = None) -> None:
        self._world, self._counts = world, counts or {}
        self._cumulated: dict[tuple[Situation, float], Row] = {}

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        return [self._completion(s, seed, sampling.temperature) for s, seed in zip(states, seeds, strict=True)]

    def row(self, at: Situation, temperature: float) -> Row:
        """The probability of each approach; those out of reach have none, the others share what is left."""
        smoothing, base = self._world.given.smoothing, _base(self._world, at)
        counts = self._counts.get(at, [0.0] * len(base))
        reachable = self._world.reachable(at[1][0][0] if at[1] else None)
        learnt = [smoothing * b + c for b, c in zip(base, counts, strict=True)]
        weights = [weight if a in reachable else 0.0 for a, weight in enumerate(learnt)]
        best = max(weights)
        hot = [(w / best) ** (1 / temperature) if temperature else float(w == best) for w in weights]
        return tuple(value / sum(hot) for value in hot)

    def _completion(self, state: State, seed: int, temperature: float) -> Completion:
        which, slipped, draft = (_share(seed, place) for place in (2, 1, 0))
        at = situation(state.problem, state.history)
        if (at, temperature) not in self._cumulated:
            self._cumulated[at, temperature] = tuple(itertools.accumulate(self.row(at, temperature)))
        approach = min(bisect(self._cumulated[at, temperature], which), len(self._world.given.truth) - 1)
        text = Program(approach, self._slip(slipped), int(draft * _SPAN)).text
        return Completion(text, text)

    def _slip(self, drawn: float) -> Slip:
        given = self._world.given
        if drawn < given.crash:
            return Slip.CRASH
        return Slip.SHALLOW if drawn < given.crash + given.shallow else Slip.NONE


def learn(world: World, problems: Mapping[str, Problem], shown: Iterable[Demonstration]) -> TabularGenerator:
    """Counting, from the base table each time: all that a method can do is to show other demonstrations."""
    counts: dict[Situation, list[float]] = {}
    for each in shown:
        row = counts.setdefault(situation(problems[each.problem_id], each.history), [0.0] * len(world.given.truth))
        row[_approach(each.program)] += each.weight
    return TabularGenerator(world, counts)


def _base(world: World, at: Situation) -> Row:
    """pi_0: what it believes of the class; in later turns often its last approach again, whatever the feedback."""
    kind, tried = at
    if not tried:
        return world.belief[kind]
    stubborn = world.given.stubborn
    return tuple((1 - stubborn) * b + stubborn * (a == tried[-1][0]) for a, b in enumerate(world.belief[kind]))


def _share(seed: int, place: int) -> float:
    """One of the three uniform numbers in [0, 1) that a seed holds."""
    return (seed >> (_BITS * place)) % _SPAN / _SPAN

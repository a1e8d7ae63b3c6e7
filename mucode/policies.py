"""Who picks among a state's programs, and every way to search that follows: what Algorithm 2 is asked to do."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mucode.types import Sample, Sampling

Item = TypeVar("Item")
Selector = Callable[[Sequence[Sample], random.Random], int]
"""Which of a state's samples goes on: an index. Ties fall to the first."""

SELECTORS: dict[str, Selector] = {
    "random": lambda samples, rng: rng.randrange(len(samples)),
    "lv": lambda samples, rng: first_best(samples, lambda s: s.score),
    "pt": lambda samples, rng: first_best(samples, lambda s: s.passes_public),
    "pt+lv": lambda samples, rng: first_best(samples, lambda s: (s.passes_public, s.score)),
}
ORACLE = "oracle"  # looks at the rewards, which no entry above is given
GREEDY = "greedy"  # one reply at temperature 0; nothing to select
UNTESTED = ("random", "lv", ORACLE)  # what is left to choose by where there are no public tests


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the environment tells: under which conditions a search goes from turn to turn."""

    public_tests: bool = True  # False: neither shown nor run, so that no search but the oracle's ends before turn T
    feedback: str = "execution"  # "random", a control: what another problem's program was told


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """N, T and the rest of Algorithm 2."""

    selectors: tuple[str, ...]
    candidates: tuple[int, ...]  # one N, or several that share the samples of equal states
    turns: int  # T
    searches: int
    sampling: Sampling
    seed: int
    independent: bool = False  # a control: also N * T programs of turn 1, for each N
    greedy: bool = False  # also one search at temperature 0
    conditions: Conditions = Conditions()

    @property
    def policies(self) -> list[Policy]:
        """Every way to search, once."""
        chosen = [s for s in self.selectors if self.conditions.public_tests or s in UNTESTED]
        policies = [Policy(selector, n, self.turns) for selector in chosen for n in self.candidates]
        if self.independent:
            several = sorted({n * self.turns for n in self.candidates} - set(self.candidates))
            policies += [Policy(selector, n, 1) for selector in chosen for n in several]
        policies += [Policy(GREEDY, 1, self.turns)] if self.greedy else []
        return list(dict.fromkeys(policies))


@dataclass(frozen=True, slots=True)
class Policy:
    """One way to search: who picks among how many programs, for how many turns."""

    selector: str
    n: int
    turns: int


def first_best(items: Sequence[Item], key: Callable[[Item], Any]) -> int:
    """The index of the first greatest item."""
    return max(range(len(items)), key=lambda index: key(items[index]))

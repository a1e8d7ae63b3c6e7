"""How best-of-N depends on the verifier's AUC and on N, with the base model as generator."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.theory.generator import TabularGenerator, situation
from benchmarks.theory.loop import SAMPLING, Ground, Size, make_ground, searched
from benchmarks.theory.verifier import NoisyVerifier, best_of_n
from benchmarks.theory.world import Assumptions, Program
from mucode.metrics import Bootstrap, auc_within, distinct, search_rewards
from mucode.records import SearchSample

AUCS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
COUNTS = (1, 2, 4, 8, 16, 32)
GAINS = ("lv", "pt+lv")

Rewards = dict[str, tuple[float, ...]]


@dataclass(slots=True)
class Curves:
    """Rewards by problem, all seeds together, and what probability theory says of the first turn."""

    final: dict[tuple[str, float, int], Rewards] = field(default_factory=dict)  # (selector, AUC, N), after turn T
    first: dict[tuple[float, int], Rewards] = field(default_factory=dict)  # (AUC, N): lv, after turn 1
    predicted: dict[tuple[float, int], Rewards] = field(default_factory=dict)  # the same, in closed form
    samples: dict[float, list[SearchSample]] = field(default_factory=dict)  # by AUC: what turn 1 drew

    def measured_auc(self, auc: float) -> float:
        """Within problems, over the first turn's programs: a later one exists only if an earlier choice was bad."""
        found = auc_within(distinct(self.samples[auc]), Bootstrap(0.95, 100))
        if found is None:
            raise ValueError(f"no problem has correct and wrong programs to measure an AUC of {auc} by")
        return found.value


def verifier_curves(
    given: Assumptions, size: Size, seeds: int, aucs: Sequence[float] = AUCS, counts: tuple[int, ...] = COUNTS
) -> Curves:
    curves = Curves()
    for seed in range(seeds):
        ground = make_ground(seed, given, size)
        correct = chances(ground)
        for auc in aucs:
            _add(curves, ground, auc, correct, counts)
    return curves


def _add(curves: Curves, ground: Ground, auc: float, correct: Mapping[str, float], counts: tuple[int, ...]) -> None:
    verifier = NoisyVerifier(ground.answers, auc, ground.world.seed)  # equal noise at every AUC
    samples, choices = searched(ground, TabularGenerator(ground.world), verifier, GAINS, counts)
    curves.samples.setdefault(auc, []).extend(sample for sample in samples if sample.turn == 1)
    for n in counts:
        for selector in GAINS:
            curves.final.setdefault((selector, auc, n), {}).update(search_rewards(choices, selector, n))
        curves.first.setdefault((auc, n), {}).update(search_rewards(choices, "lv", n, turn=1))
        value = {p: best_of_n(p, n, auc) for p in set(correct.values())}
        curves.predicted.setdefault((auc, n), {}).update({name: (value[p],) for name, p in correct.items()})


def chances(ground: Ground) -> dict[str, float]:
    """The probability that the base model's first program is correct, for each held-out problem."""
    generator, given = TabularGenerator(ground.world), ground.world.given
    rows = {problem.id: generator.row(situation(problem, ()), SAMPLING.temperature) for problem in ground.test}
    right = {name: Program.read(ground.answers[name].reference).approach for name in rows}
    return {name: row[right[name]] * (1 - given.crash - given.shallow) for name, row in rows.items()}


def useless_verifier(given: Assumptions, size: Size, seeds: int, n: int, auc: float = 0.5) -> tuple[Rewards, Rewards]:
    """Rewards under `random` and under `lv` of this AUC, at N = n after turn T, over all held-out problems."""
    random: Rewards = {}
    learned: Rewards = {}
    for seed in range(seeds):
        ground = make_ground(seed, given, dataclasses.replace(size, train=0))
        verifier = NoisyVerifier(ground.answers, auc, seed)
        choices = searched(ground, TabularGenerator(ground.world), verifier, ("random", "lv"), (n,))[1]
        random |= search_rewards(choices, "random", n)
        learned |= search_rewards(choices, "lv", n)
    return random, learned


def saturation(values: Sequence[float], share: float = 0.9) -> int:
    """The first N of COUNTS with this share of the whole gain from N = 1 to the last one."""
    enough = values[0] + share * (max(values) - values[0])
    return next(n for n, value in zip(COUNTS, values, strict=True) if value >= enough)

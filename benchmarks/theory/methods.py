"""The methods as params.yaml defines them, in every world and with every seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from benchmarks.theory.generator import TabularGenerator
from benchmarks.theory.loop import Ground, Size, make_ground, rolled_out, searched, shown, trained
from benchmarks.theory.world import Assumptions, Program
from mucode.config import Method, load_config
from mucode.metrics import search_rewards
from mucode.records import SearchChoice
from mucode.types import Demonstration

NAMES = ("instruct", "star", "multi_star", "rft_lv", "mucode", "mucode_ov", "mucode_lv")
VARIANTS = {  # mucode with one choice made otherwise: as the paper does, as its reference code does
    "mucode_any_target": {"require_correct": False},
    "mucode_keep_own": {"keep_correct": True},
}
SELECTOR = "pt+lv"  # with N = 1 there is nothing to select
N = 5

Rewards = dict[str, tuple[float, ...]]


@dataclass(slots=True)
class Scores:
    """A method's rewards by problem, all seeds together: by N and turn."""

    first: Rewards = field(default_factory=dict)  # N = 1, after turn 1: what a single-turn evaluation sees
    single: Rewards = field(default_factory=dict)  # N = 1, after turn T
    best_first: Rewards = field(default_factory=dict)  # N = 5 with pt+lv, after turn 1
    best: Rewards = field(default_factory=dict)  # N = 5 with pt+lv, after turn T

    def add(self, choices: Sequence[SearchChoice]) -> None:
        self.first |= search_rewards(choices, SELECTOR, 1, turn=1)
        self.single |= search_rewards(choices, SELECTOR, 1)
        self.best_first |= search_rewards(choices, SELECTOR, N, turn=1)
        self.best |= search_rewards(choices, SELECTOR, N)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out in one kind of world."""

    scores: Mapping[str, Scores]  # by method
    recoverable: float  # share of D*'s states with a history (mucode, iteration 1) from which y* can be written


def params_methods() -> dict[str, Method]:
    """The methods and mucode's variants."""
    methods = load_config(Path(__file__).parents[2] / "params.yaml").methods
    variants = {name: methods["mucode"].model_copy(update=change) for name, change in VARIANTS.items()}
    return {name: methods[name] for name in NAMES} | variants


def compare_methods(methods: Mapping[str, Method], given: Assumptions, size: Size, seeds: int) -> Outcome:
    """Train and search with every method in worlds 0..seeds-1; all of them start from the same base rollouts."""
    scores = {name: Scores() for name in methods}
    shares = []
    for seed in range(seeds):
        ground = make_ground(seed, given, size)
        first = rolled_out(ground, TabularGenerator(ground.world), size.turns, 1)
        shares.append(recoverable_share(ground, shown(ground, first, methods["mucode"])))
        for name, method in methods.items():
            generator = trained(ground, method, first)
            scores[name].add(searched(ground, generator, ground.verifier, (SELECTOR,), (1, N))[1])
    return Outcome(scores, fmean(shares))


def recoverable_share(ground: Ground, demonstrations: Sequence[Demonstration]) -> float:
    """The share of the relabelled states after turn 1 from which their demonstration can be written at all."""
    pairs = list(_within_reach(ground, demonstrations))
    return sum(weight for weight, within in pairs if within) / sum(weight for weight, _ in pairs)


def _within_reach(ground: Ground, demonstrations: Sequence[Demonstration]) -> Iterator[tuple[float, bool]]:
    for each in demonstrations:
        if each.history and (program := each.history[0].completion.program) is not None:
            reachable = ground.world.reachable(Program.read(program).approach)
            yield each.weight, Program.read(each.program).approach in reachable

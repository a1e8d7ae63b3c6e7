"""`python -m benchmarks.theory.needed`: how many training and test problems would a study like ours need?

Worlds whose base model does what the study's does (docs/study.md): as many first programs right, as many problems solved
at all, as few failures repaired. µCode and Multi-STaR learn there, M = 1, from more and more problems. How far what is
learnt on one problem carries to others is what no rollout of the base model tells: hence several numbers of kinds.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.theory.generator import TabularGenerator
from benchmarks.theory.loop import Ground, Size, make_ground, rolled_out, searched, trained
from benchmarks.theory.methods import SELECTOR, N, Rewards, Scores, params_methods
from benchmarks.theory.study import difference, mean
from benchmarks.theory.world import Assumptions
from mucode.study.primary import detectable, standard_error

LIKE_OURS = Assumptions(
    truth=(0.70, 0.12, 0.08, 0.05, 0.03, 0.02),
    misbelief=0.25,
    stubborn=0.70,
    crash=0.0,  # a slip that is not repeated would be repaired by writing the same program again
    shallow=0.0,
    hopeless=0.42,
)
AUC = 0.7  # of the verifier
ROLLOUTS = 5
METHODS = ("multi_star", "mucode")
TRAIN = (80, 320, 1280)
CLASSES = (8, 32, 128)
HEAD = ("kinds of problems", "trained on", "answers by", *METHODS, "lead", "test problems to see it")
MEASURES = {"single": "N=1, turn T", "best": f"N={N} {SELECTOR}, turn T"}


@dataclass(frozen=True, slots=True)
class Base:
    """What a base model's rollouts tell, as shares of 1."""

    first: float  # first programs that are right
    solved: float  # problems with a right program in some turn of some rollout
    repaired: float  # later programs that are right


def base_model(given: Assumptions, problems: int, seeds: int) -> Base:
    found = [_base(make_ground(seed, given, Size(problems, 1, ROLLOUTS))) for seed in range(seeds)]
    return Base(*(fmean(getattr(one, name) for one in found) for name in ("first", "solved", "repaired")))


def _base(ground: Ground) -> Base:
    rows = rolled_out(ground, TabularGenerator(ground.world), ground.size.turns, 1)
    right = {row.problem_id for row in rows if row.reward == 1.0}
    return Base(
        first=fmean(row.reward for row in rows if row.turn == 1),
        solved=len(right) / len(ground.train),
        repaired=fmean(row.reward for row in rows if row.turn > 1),
    )


def learnt(given: Assumptions, train: int, test: int, seeds: int) -> dict[str, Scores]:
    """Both methods' searches on held-out problems after one iteration on `train` problems of each world."""
    methods, scores = params_methods(), {name: Scores() for name in METHODS}
    for seed in range(seeds):
        ground = make_ground(seed, given, Size(train, test, ROLLOUTS, iterations=1, auc=AUC))
        first = rolled_out(ground, TabularGenerator(ground.world), ground.size.turns, 1)
        for name in METHODS:
            generator = trained(ground, methods[name], first)
            scores[name].add(searched(ground, generator, ground.verifier, (SELECTOR,), (1, N))[1])
    return scores


def needed(rival: Rewards, ours: Rewards) -> float:
    """So many problems, searched once, would show µCode's lead four times in five; inf: there is none to show."""
    lead = difference(rival, ours).difference.value
    own = standard_error(rival, ours) * math.sqrt(len(ours))  # a problem's own
    return (detectable(own) / lead) ** 2 if lead > 0 else math.inf


def lines(given: Assumptions, classes: Sequence[int], train: Sequence[int], test: int, seeds: int) -> Iterator[str]:
    """The worlds' base model, and a table by kinds of problems and number of training problems."""
    yield f"| {' | '.join(HEAD)} |"
    yield "|---" * len(HEAD) + "|"
    for kinds in classes:
        world = dataclasses.replace(given, classes=kinds)
        for problems in train:
            scores = learnt(world, problems, test, seeds)
            for measure, words in MEASURES.items():
                yield f"| {kinds} | {problems} | {words} | {' | '.join(_cells(scores, measure))} |"
    base = base_model(given, test, seeds)
    yield ""
    yield (
        f"{seeds} worlds, {test} held-out problems each. The base model: first programs right {base.first:.1%}, problems "
        f"solved at all {base.solved:.1%}, later programs right {base.repaired:.1%}."
    )


def _cells(scores: Mapping[str, Scores], measure: str) -> Iterator[str]:
    rival, ours = (getattr(scores[name], measure) for name in METHODS)
    yield from (f"{100 * mean(rewards):.1f}" for rewards in (rival, ours))
    lead = difference(rival, ours).difference
    yield f"{100 * lead.value:+.1f} [{100 * lead.low:+.1f}, {100 * lead.high:+.1f}]"
    count = needed(rival, ours)
    yield f"{count:,.0f}" if lead.low > 0 else "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.theory.needed", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--seeds", type=int, default=4, help="worlds")
    parser.add_argument("--test", type=int, default=500, help="held-out problems of each world")
    parser.add_argument("--train", type=int, nargs="*", default=TRAIN, help="training problems")
    parser.add_argument("--classes", type=int, nargs="*", default=CLASSES, help="kinds of problems in a world")
    given = parser.parse_args()
    for line in lines(LIKE_OURS, given.classes, given.train, given.test, given.seeds):
        print(line, flush=True)


if __name__ == "__main__":
    main()

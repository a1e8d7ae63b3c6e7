"""All experiments of the check, and what they come to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from benchmarks.theory.curves import AUCS, COUNTS, Curves, Rewards, useless_verifier, verifier_curves
from benchmarks.theory.loop import Size
from benchmarks.theory.methods import NAMES, VARIANTS, N, Outcome, compare_methods, params_methods
from benchmarks.theory.world import Assumptions
from mucode.config import Method
from mucode.metrics import Bootstrap, Comparison, Estimate, compare, estimate

BOOTSTRAP = Bootstrap(confidence=0.95, resamples=2000)
MEASURES = {  # of methods.Scores
    "first": "N=1, turn 1",
    "single": "N=1, turn T",
    "best_first": f"N={N} pt+lv, turn 1",
    "best": f"N={N} pt+lv, turn T",
}
RIVALS = ("star", "multi_star")


@dataclass(frozen=True, slots=True)
class Study:
    """What `python -m benchmarks.theory` shows."""

    given: Assumptions
    size: Size
    seeds: int
    recoverable: Outcome
    locked: Outcome
    curves: Curves
    useless: tuple[Rewards, Rewards]  # random's, and lv's with an AUC of 0.5; N = 5

    @property
    def worlds(self) -> Mapping[str, Outcome]:
        return {"recoverable": self.recoverable, "unrecoverable": self.locked}

    @property
    def useless_gain(self) -> Comparison:
        return difference(*self.useless)


def run_study(given: Assumptions, size: Size, seeds: int) -> Study:
    """Everything, for equal problems and seeds in both kinds of world.

    The curves take half of the problems, as they draw many programs of each; the check of the useless verifier takes
    three times as many, as it looks for nothing.
    """
    methods: Mapping[str, Method] = params_methods()
    free, locked = (dataclasses.replace(given, recoverable=recoverable) for recoverable in (True, False))
    return Study(
        given=given,
        size=size,
        seeds=seeds,
        recoverable=compare_methods(methods, free, size, seeds),
        locked=compare_methods(methods, locked, size, seeds),
        curves=verifier_curves(free, dataclasses.replace(size, train=0, test=max(1, size.test // 2)), seeds),
        useless=useless_verifier(free, dataclasses.replace(size, test=3 * size.test), seeds, N),
    )


def accuracy(rewards: Rewards) -> Estimate:
    """The mean over problems with its bootstrap interval."""
    found = estimate(rewards, BOOTSTRAP)
    if found is None:
        raise ValueError("no problem to take the mean of")
    return found


def difference(before: Rewards, after: Rewards) -> Comparison:
    """The paired difference over problems, after - before."""
    found = compare(before, after, BOOTSTRAP)
    if found is None:
        raise ValueError("no problem to compare on")
    return found


def advantage(outcome: Outcome, rival: str, measure: str = "best") -> Comparison:
    """What µCode gains over a rival."""
    return difference(getattr(outcome.scores[rival], measure), getattr(outcome.scores["mucode"], measure))


def mean(rewards: Rewards) -> float:
    """The mean over problems of the mean over searches."""
    return fmean([fmean(row) for row in rewards.values()])


def by_world(outcome: Outcome, rival: str) -> list[float]:
    """µCode's gain over a rival at N = 1 after turn T, in each world: how much the draw of the world matters."""
    gains: dict[str, list[float]] = {}
    before, after = outcome.scores[rival].single, outcome.scores["mucode"].single
    for name in before:
        gains.setdefault(name.split("/")[1], []).append(fmean(after[name]) - fmean(before[name]))
    return [fmean(of_world) for of_world in gains.values()]


def prediction_error(curves: Curves) -> float:
    """The largest gap between best-of-N at turn 1 as it came out and as probability theory has it."""
    return max(abs(mean(curves.first[cell]) - mean(curves.predicted[cell])) for cell in curves.first)


def surprises(curves: Curves) -> int:
    """How many of these numbers lie outside the interval of what came out."""
    found = {cell: accuracy(rewards) for cell, rewards in curves.first.items()}
    return sum(not f.low <= mean(curves.predicted[cell]) <= f.high for cell, f in found.items())


def _lead(outcome: Outcome, rival: str, measure: str) -> float:
    return mean(getattr(outcome.scores["mucode"], measure)) - mean(getattr(outcome.scores[rival], measure))


def as_json(study: Study) -> dict[str, float | str]:
    """Accuracies in [0, 1]: a method's name alone is N = 1 after turn T, with _bon best-of-5 with pt+lv."""
    line: dict[str, float | str] = {"benchmark": "theory"}
    for world, outcome in study.worlds.items():
        prefix = "" if world == "recoverable" else f"{world}_"
        for name in (*NAMES, *VARIANTS):
            line[f"{prefix}{name}"] = mean(outcome.scores[name].single)
            line[f"{prefix}{name}_bon"] = mean(outcome.scores[name].best)
        for rival in RIVALS:
            line[f"{prefix}advantage_over_{rival}"] = _lead(outcome, rival, "single")
            line[f"{prefix}advantage_over_{rival}_bon"] = _lead(outcome, rival, "best")
        line[f"{prefix}y_star_in_reach"] = outcome.recoverable
    gain = study.useless_gain.difference
    line |= {"lv_gain_auc_0.5": gain.value, "lv_gain_auc_0.5_low": gain.low, "lv_gain_auc_0.5_high": gain.high}
    for auc in AUCS[1:]:
        alone, many = (mean(study.curves.final["lv", auc, n]) for n in (1, COUNTS[-1]))
        line[f"lv_gain_auc_{auc}_n{COUNTS[-1]}"] = many - alone
    line["prediction_error"] = prediction_error(study.curves)
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in line.items()}

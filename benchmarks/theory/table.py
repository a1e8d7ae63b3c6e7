"""The study as text: assumptions, environment, results."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Iterator

from benchmarks.theory.curves import AUCS, COUNTS, GAINS, saturation
from benchmarks.theory.loop import SAMPLING
from benchmarks.theory.methods import NAMES, VARIANTS, N
from benchmarks.theory.study import (
    BOOTSTRAP,
    MEASURES,
    RIVALS,
    Study,
    accuracy,
    advantage,
    by_world,
    mean,
    prediction_error,
    surprises,
)
from mucode.metrics import Estimate


def rows(study: Study, seconds: float) -> Iterator[str]:
    yield from _assumptions(study)
    yield f"environment: Python {platform.python_version()}, {os.cpu_count()} processors, {seconds:.1f} s of one processor"
    for world in study.worlds:
        yield ""
        yield from _methods(study, world)
    yield ""
    yield from _curves(study)


def _assumptions(study: Study) -> Iterator[str]:
    size = study.size
    yield f"worlds 0..{study.seeds - 1}, each with {size.train} training and {size.test} held-out problems"
    yield (
        f"loop: T={size.turns} M={size.iterations} rollouts={size.rollouts} temperature={SAMPLING.temperature} "
        f"verifier AUC={size.auc}"
    )
    given = {name: value for name, value in dataclasses.asdict(study.given).items() if name != "recoverable"}
    yield "world: " + " ".join(f"{name}={value}" for name, value in given.items()).replace(", ", ",")
    yield f"% of held-out problems solved, with {BOOTSTRAP.confidence:.0%} bootstrap intervals over problems"


def _methods(study: Study, world: str) -> Iterator[str]:
    outcome = study.worlds[world]
    problems = len(outcome.scores["mucode"].best)
    yield f"{world}: y* can be written from {outcome.recoverable:.0%} of the relabelled states with a history"
    yield f"{f'n = {problems}':<20}" + "".join(f"{words:>24}" for words in MEASURES.values())
    for name in (*NAMES, *VARIANTS):
        found = [accuracy(getattr(outcome.scores[name], measure)) for measure in MEASURES]
        yield f"{name:<20}" + "".join(f"{_cell(one):>24}" for one in found)
    for rival in RIVALS:
        gaps = [advantage(outcome, rival, measure).difference for measure in MEASURES]
        yield f"µCode - {rival}".ljust(20) + "".join(f"{_cell(gap, '+'):>24}" for gap in gaps)
    for variant in VARIANTS:
        gaps = [advantage(outcome, variant, measure).difference for measure in MEASURES]
        yield f"µCode - {variant.removeprefix('mucode_')}".ljust(20) + "".join(f"{_cell(gap, '+'):>24}" for gap in gaps)
    for rival in RIVALS:
        worlds = ", ".join(f"{100 * gain:+.1f}" for gain in by_world(outcome, rival))
        yield f"µCode - {rival}, N=1, turn T, world by world: {worlds}"


def _curves(study: Study) -> Iterator[str]:
    curves = study.curves
    problems = len(curves.final["lv", AUCS[0], 1])
    yield f"base model, recoverable world, n = {problems}: best of N after turn T; N90: 90% of the gain up to N={COUNTS[-1]}"
    yield f"{'':<22}" + "".join(f"{f'N={n}':>8}" for n in COUNTS) + f"{'N90':>8}"
    for selector in GAINS:
        for auc in AUCS:
            values = [mean(curves.final[selector, auc, n]) for n in COUNTS]
            saturated = str(saturation(values)) if auc > 0.5 or selector != "lv" else "-"
            words = f"{selector:<6} AUC {auc:.1f} ({curves.measured_auc(auc):.3f})"
            yield f"{words:<22}" + "".join(f"{100 * value:8.1f}" for value in values) + f"{saturated:>8}"
    yield (
        f"lv at turn 1, in closed form and as it came out: at most {100 * prediction_error(curves):.1f} points apart; "
        f"{surprises(curves)} of {len(curves.first)} outside the interval"
    )
    for auc in AUCS:
        expected = [mean(curves.predicted[auc, n]) for n in COUNTS]
        yield f"{f'closed form AUC {auc:.1f}':<22}" + "".join(f"{100 * value:8.1f}" for value in expected)
        values = [mean(curves.first[auc, n]) for n in COUNTS]
        yield f"{'came out':<22}" + "".join(f"{100 * value:8.1f}" for value in values)
    gain = study.useless_gain.difference
    yield f"a verifier of AUC 0.5, lv - random at N={N}: {_cell(gain, '+')} (n = {gain.n})"


def _cell(found: Estimate, sign: str = "") -> str:
    return f"{100 * found.value:{sign}.1f} [{100 * found.low:{sign}.1f}, {100 * found.high:{sign}.1f}]"

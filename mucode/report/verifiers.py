"""How well the verifiers rank programs, and whether their scores can be read as probabilities: on held-out problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mucode.metrics import (
    Bin,
    Curve,
    Estimate,
    Scored,
    auc,
    auc_within,
    calibration_error,
    distinct,
    fit_platt,
    pair_accuracy,
    reliability,
    roc_within,
)
from mucode.report.blocks import Block, Figure, Figures, Paragraph, Section, Table, colour
from mucode.report.charts import reliability_chart, roc_chart
from mucode.report.headline import confidence
from mucode.report.results import bootstrap
from mucode.report.sources import BEFORE, Material, Origin
from mucode.report.words import method_name


@dataclass(frozen=True, slots=True)
class Quality:
    """One verifier on one test set. The programs are those that its search sampled, each once."""

    origin: Origin
    scored: tuple[Scored, ...]
    within: Estimate | None
    pooled: float | None
    pairs: float | None
    curve: Curve | None
    bins: tuple[Bin, ...]  # after Platt scaling fitted on validation; empty if there was nothing to fit on


def quality(material: Material, origin: Origin, benchmark: str) -> Quality:
    scored = distinct(material.test[origin].of(benchmark).samples)
    return Quality(
        origin=origin,
        scored=tuple(scored),
        within=auc_within(scored, bootstrap(material)),
        pooled=auc(scored),
        pairs=pair_accuracy(scored),
        curve=roc_within(scored),
        bins=_calibrated(material, origin, scored),
    )


def _calibrated(material: Material, origin: Origin, scored: Sequence[Scored]) -> tuple[Bin, ...]:
    """Reliability on the test problems of the same verifier's scores, scaled by what the validation problems say."""
    iteration = 0 if origin.method == BEFORE else material.chosen[origin]
    platt = fit_platt(distinct(material.validation[origin][iteration].samples))
    if platt is None:
        return ()
    return reliability(platt.probabilities([row.score for row in scored]), [row.correct for row in scored])


def verifier_section(material: Material) -> Section:
    blocks: list[Block] = []
    for benchmark in material.benchmarks:
        order = {method: place for place, method in enumerate(material.methods)}
        origins = sorted(material.test, key=lambda origin: (order[origin.method], origin.seed))
        found = [quality(material, origin, benchmark) for origin in origins]
        blocks += _blocks(material, benchmark, found)
    return Section("verifier", "Verifier: ranking and calibration on held-out problems", tuple(blocks))


def _blocks(material: Material, benchmark: str, found: Sequence[Quality]) -> list[Block]:
    if not any(one.scored for one in found):
        return [Paragraph(f"On {benchmark} no reply held a program, so there is nothing to score.")]
    seed = material.config.study.seeds[0]
    shown = [one for one in found if one.origin.seed == seed]
    figures = [figure for figure in (_roc(material, shown), _reliability(material, shown)) if figure is not None]
    missing = [] if any(one.curve for one in shown) else [Paragraph(_no_curve(benchmark))]
    return [*missing, *([Figures(tuple(figures))] if figures else []), _table(material, benchmark, found)]


def _no_curve(benchmark: str) -> str:
    return (
        f"No problem of {benchmark} has both a correct and a wrong program, so there is no ROC curve within problems."
    )


def _roc(material: Material, shown: Sequence[Quality]) -> Figure | None:
    curves = [(_label(one, one.within), _css(material, one), one.curve) for one in shown if one.curve]
    if not curves:
        return None
    caption = (
        "Mean of the ROC curves of the problems whose samples hold both a correct and a wrong program; the area "
        f"under it is the AUC within problems, with its {confidence(material)} interval. Dashed: a "
        f"coin.{_one_seed(material)}"
    )
    return Figure("ROC within problems", roc_chart("ROC curves", curves), caption)


def _reliability(material: Material, shown: Sequence[Quality]) -> Figure | None:
    series = [(_ece_label(one), _css(material, one), one.bins) for one in shown if one.bins]
    if not series:
        return None
    caption = (
        "Share of correct programs over the predicted probability, in tenths; on the dashed line a probability "
        "means what it says. Platt scaling was fitted on the validation problems, the dots are the test "
        f"problems. A dot's area is its number of programs.{_one_seed(material)}"
    )
    return Figure("Calibration", reliability_chart("reliability", series), caption)


def _label(one: Quality, within: Estimate | None) -> str:
    return method_name(one.origin.method) + (f": {within.value:.2f} {_plain(within)}" if within else "")


def _ece_label(one: Quality) -> str:
    error = calibration_error(one.bins)
    return method_name(one.origin.method) + (f": error {error:.3f}" if error is not None else "")


def _plain(found: Estimate) -> str:
    return f"[{found.low:.2f}, {found.high:.2f}]"


def _css(material: Material, one: Quality) -> str:
    return colour(material.methods.index(one.origin.method))


def _one_seed(material: Material) -> str:
    seeds = material.config.study.seeds
    return f" Seed {seeds[0]}; the others are in the table." if len(seeds) > 1 else ""


def _table(material: Material, benchmark: str, found: Sequence[Quality]) -> Table:
    head = (
        "searches of",
        "seed",
        "programs",
        "correct",
        "problems with both",
        "AUC within",
        "interval",
        "AUC pooled",
        "pairs right",
        "calibration error",
    )
    caption = (
        f"{benchmark}: the distinct programs that the searches of each model sampled, scored by its own verifier. "
        "AUC within: mean over the problems with both a correct and a wrong program; pooled: over all programs "
        "together, which mixes in how hard the problems are; pairs right: share of all correct/wrong pairs of "
        "one problem. Ties count half. Calibration error: expected, ten bins, after Platt scaling fitted on validation."
    )
    return Table(head, tuple(_row(one) for one in found), caption)


def _row(one: Quality) -> tuple[str, ...]:
    right = sum(row.correct for row in one.scored)
    within = (str(one.within.n), f"{one.within.value:.3f}", _plain(one.within)) if one.within else ("0", "none", "")
    numbers = [
        f"{value:.3f}" if value is not None else "none"
        for value in (one.pooled, one.pairs, calibration_error(one.bins))
    ]
    return (method_name(one.origin.method), str(one.origin.seed), str(len(one.scored)), str(right), *within, *numbers)

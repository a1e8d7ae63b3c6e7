"""How well the verifiers rank programs, and whether their scores can be read as probabilities: on held-out problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mucode.metrics import (
    Bin,
    Curve,
    Estimate,
    Quality,
    Scored,
    calibration_error,
    distinct,
    fit_platt,
    quality,
    raw_bins,
    reliability,
    roc_within,
    scaled_error,
)
from mucode.report.blocks import Block, Figure, Figures, Heading, Paragraph, Section, Table, colour
from mucode.report.charts import reliability_chart, roc_chart
from mucode.report.headline import confidence
from mucode.report.results import bootstrap
from mucode.report.sources import BASE, BEFORE, Material, Origin
from mucode.report.words import interval, method_name, percent, set_title


@dataclass(frozen=True, slots=True)
class Judged:
    """The verifier of one selected pair on one test set."""

    origin: Origin
    found: Quality
    curve: Curve | None
    bins: tuple[Bin, ...]  # after Platt scaling fitted on validation; empty if there was nothing to fit on


def judge(material: Material, origin: Origin, benchmark: str) -> Judged:
    samples = material.test[origin].of(benchmark).samples
    found = quality(samples, material.config.search.candidates, bootstrap(material))
    return Judged(origin, found, roc_within(found.scored), _calibrated(material, origin, found.scored))


def _calibrated(material: Material, origin: Origin, scored: Sequence[Scored]) -> tuple[Bin, ...]:
    """Reliability on the test problems of the same verifier's scores, scaled by what the validation problems say."""
    iteration = 0 if origin.method == BEFORE else material.chosen[origin]
    platt = fit_platt(distinct(material.validation[origin][iteration].samples))
    if platt is None:
        return ()
    return reliability(platt.probabilities([row.score for row in scored]), [row.correct for row in scored])


def verifier_section(material: Material) -> Section:
    blocks: list[Block] = []
    order = {method: place for place, method in enumerate(material.methods)}
    origins = sorted(material.test, key=lambda origin: (order[origin.method], origin.seed))
    for benchmark in material.benchmarks:
        if len(material.benchmarks) > 1:
            blocks.append(Heading(set_title(material.conditions(benchmark))))
        blocks += _blocks(material, benchmark, [judge(material, origin, benchmark) for origin in origins])
    table = _trainings(material)
    return Section("verifier", "Verifier: ranking and calibration on held-out problems", (*blocks, *table))


def _blocks(material: Material, benchmark: str, found: Sequence[Judged]) -> list[Block]:
    if not any(one.found.scored for one in found):
        return [Paragraph(f"On {benchmark} no reply held a program, so there is nothing to score.")]
    seed = material.config.study.seeds[0]
    shown = [one for one in found if one.origin.seed == seed]
    figures = [figure for figure in (_roc(material, shown), _reliability(material, shown)) if figure is not None]
    missing = [] if any(one.curve for one in shown) else [Paragraph(_no_curve(benchmark))]
    return [*missing, *([Figures(tuple(figures))] if figures else []), *_tables(material, benchmark, found)]


def _no_curve(benchmark: str) -> str:
    return (
        f"No problem of {benchmark} has both a correct and a wrong program, so there is no ROC curve within problems."
    )


def _roc(material: Material, shown: Sequence[Judged]) -> Figure | None:
    curves = [(_label(one, one.found.auc_within), _css(material, one), one.curve) for one in shown if one.curve]
    if not curves:
        return None
    caption = (
        "Mean of the ROC curves of the problems whose samples hold both a correct and a wrong program; the area "
        f"under it is the AUC within problems, with its {confidence(material)} interval. Dashed: a "
        f"coin.{_one_seed(material)}"
    )
    return Figure("ROC within problems", roc_chart("ROC curves", curves), caption)


def _reliability(material: Material, shown: Sequence[Judged]) -> Figure | None:
    series = [(_ece_label(one), _css(material, one), one.bins) for one in shown if one.bins]
    if not series:
        return None
    caption = (
        "Share of correct programs over the predicted probability, in tenths; on the dashed line a probability "
        "means what it says. Platt scaling was fitted on the validation problems, the dots are the test "
        f"problems. A dot's area is its number of programs.{_one_seed(material)}"
    )
    return Figure("Calibration", reliability_chart("reliability", series), caption)


def _label(one: Judged, within: Estimate | None) -> str:
    return method_name(one.origin.method) + (f": {within.value:.2f} {_plain(within)}" if within else "")


def _ece_label(one: Judged) -> str:
    error = calibration_error(one.bins)
    return method_name(one.origin.method) + (f": error {error:.3f}" if error is not None else "")


def _plain(found: Estimate) -> str:
    return f"[{found.low:.2f}, {found.high:.2f}]"


def _css(material: Material, one: Judged) -> str:
    return colour(material.methods.index(one.origin.method))


def _one_seed(material: Material) -> str:
    seeds = material.config.study.seeds
    return f" Seed {seeds[0]}; the others are in the table." if len(seeds) > 1 else ""


def _tables(material: Material, benchmark: str, found: Sequence[Judged]) -> list[Block]:
    names = [(method_name(one.origin.method), str(one.origin.seed)) for one in found]
    rows = [
        (*name, *_ranking(material, one.found, calibration_error(one.bins)))
        for name, one in zip(names, found, strict=True)
    ]
    caption = (
        f"{benchmark}: the distinct programs that the searches of each model sampled, scored by its own verifier. "
        f"{_meanings(material)} Calibration error: expected, ten bins, after Platt scaling fitted on validation."
    )
    picks = [(*name, *_picks(one.found)) for name, one in zip(names, found, strict=True)]
    return [
        Table(("searches of", "seed", *_head(material)), tuple(rows), caption),
        _worth(material, ("searches of", "seed"), picks, benchmark, 1),
    ]


def _trainings(material: Material) -> list[Block]:
    """Every pair's verifier on the validation problems, which no verifier is trained on."""
    rows, picks = [], []
    for item in material.config.plan["evaluations"].values():
        group, iteration = item["out"].split("/")
        searches = material.validation[Origin.of(group)][int(iteration)]
        found = quality(searches.samples, material.config.search.candidates, bootstrap(material))
        if found.scored:
            name = (item["verifier"], group if group.startswith(f"{BASE}-") else item["out"])
            error = scaled_error(found.scored) if found.calibratable else None
            rows.append((*name, *_ranking(material, found, error)))
            picks.append((*name, *_picks(found)))
    if not rows:
        return []
    caption = (
        "Each verifier on the programs of the generator that it was paired with. "
        f"{_meanings(material)} Calibration error: expected, ten bins, after Platt scaling fitted on the other fifths "
        "of the validation problems; none with fewer than ten programs of either kind."
    )
    head, about = ("verifier", "programs of"), "Every trained verifier on the validation problems"
    return [
        Table((*head, *_head(material)), tuple(rows), caption, labels=2, folded=about),
        _worth(material, head, picks, "the validation problems", 2),
    ]


def _worth(
    material: Material, head: tuple[str, str], rows: Sequence[tuple[str, ...]], where: str, labels: int
) -> Table:
    """What the verifier's pick is worth, apart from public tests and further turns."""
    n = material.config.search.candidates
    caption = (
        f"Share of problems solved by one of {n} stored first-turn samples: a blind pick (pass@1), the verifier\u2019s "
        f"pick, the best possible pick (pass@{n}); {confidence(material)} intervals over problems."
    )
    columns = (*head, "problems", "pass@1", f"best of {n}, lv", f"pass@{n}")
    folded = f"What a verifier\u2019s pick is worth on {where}"
    return Table(columns, tuple(rows), caption, labels=labels, folded=folded)


def _head(material: Material) -> tuple[str, ...]:
    raw = ("error, raw",) if material.config.verifier.loss == "bce" else ()
    columns = ("programs", "correct", "problems with\u00a0both", "AUC within", "AUC pooled", "pairs", "pairs right")
    return (*columns, "calibration error", *raw)


def _meanings(material: Material) -> str:
    raw = " Raw: of the sigmoid of the score itself." if material.config.verifier.loss == "bce" else ""
    return (
        "AUC within: mean over the problems with both a correct and a wrong program; pooled: over all programs "
        "together, which mixes in how hard the problems are; pairs right: share of all correct/wrong pairs of one "
        f"problem. Ties count half. Intervals: {confidence(material)}, bootstrap over problems.{raw}"
    )


def _ranking(material: Material, found: Quality, error: float | None) -> tuple[str, ...]:
    errors = [error, calibration_error(raw_bins(found.scored))] if material.config.verifier.loss == "bce" else [error]
    return (
        str(len(found.scored)),
        str(found.correct),
        str(found.auc_within.n if found.auc_within else 0),
        _with_ends(found.auc_within),
        _with_ends(found.auc_pooled),
        str(found.pairs),
        _with_ends(found.pair_accuracy),
        *(f"{value:.3f}" if value is not None else "none" for value in errors),
    )


def _picks(found: Quality) -> tuple[str, ...]:
    shares = (found.bon_random, found.bon_lv, found.bon_oracle)
    return (
        str(found.bon_lv.n if found.bon_lv else 0),
        *(f"{percent(one.value)} {interval(one)}" if one else "none" for one in shares),
    )


def _with_ends(found: Estimate | None) -> str:
    return f"{found.value:.3f} {_plain(found)}" if found else "none"

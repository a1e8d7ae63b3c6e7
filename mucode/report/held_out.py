"""The rows of verifiers.json: every trained verifier on problems that none was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mucode.metrics import Estimate, Quality, calibration_error, quality, raw_bins, scaled_error
from mucode.report.results import bootstrap
from mucode.report.sources import BASE, BEFORE, Material, Origin
from mucode.report.verifiers import judge


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One verifier on the distinct programs that one set's searches sampled. None: the data cannot say."""

    verifier: str  # as in data/verifiers: "base-0", "mucode-0/2"
    generator: str  # whose programs, as in data/generators: "base", "mucode-0/1"
    benchmark: str
    loss: str
    programs: int
    correct: int
    pairs: int  # correct/wrong pairs of the same problem
    auc_within: Estimate | None  # the headline; n: problems with both kinds
    auc_pooled: Estimate | None
    pair_accuracy: Estimate | None
    bon_random: Estimate | None  # of N stored first-turn programs: a blind pick, the verifier's, the best possible
    bon_lv: Estimate | None
    bon_oracle: Estimate | None
    ece_scaled: float | None  # after Platt scaling
    ece_raw: float | None  # cross-entropy only: a Bradley-Terry score has a free level in each problem
    scaled_on: str  # "validation", or "other fifths" of the validation problems themselves


def held_out(material: Material) -> list[HeldOut]:
    """On the validation problems every pair's verifier, on the test sets those of the selected pairs."""
    return [*_on_validation(material), *_on_tests(material)]


def _on_validation(material: Material) -> Iterator[HeldOut]:
    config = material.config
    for item in config.plan["evaluations"].values():
        group, iteration = item["out"].split("/")
        samples = material.validation[Origin.of(group)][int(iteration)].samples
        found = quality(samples, config.search.candidates, bootstrap(material))
        yield _row(
            material, item, f"{config.problems.source}/validation", found, scaled_error(found.scored), "other fifths"
        )


def _on_tests(material: Material) -> Iterator[HeldOut]:
    pairs = {item["out"]: item for item in material.config.plan["evaluations"].values()}
    for origin in sorted(material.test):
        before = origin.method == BEFORE
        out = f"{BASE}-{origin.seed}/0" if before else f"{origin.method}-{origin.seed}/{material.chosen[origin]}"
        for benchmark in material.benchmarks:
            one = judge(material, origin, benchmark)
            yield _row(material, pairs[out], benchmark, one.found, calibration_error(one.bins), "validation")


def _row(
    material: Material, pair: dict[str, str], benchmark: str, found: Quality, scaled: float | None, scaled_on: str
) -> HeldOut:
    loss = material.config.verifier.loss
    enough = found.calibratable
    return HeldOut(
        verifier=pair["verifier"],
        generator=pair["generator"],
        benchmark=benchmark,
        loss=loss,
        programs=len(found.scored),
        correct=found.correct,
        pairs=found.pairs,
        auc_within=found.auc_within,
        auc_pooled=found.auc_pooled,
        pair_accuracy=found.pair_accuracy,
        bon_random=found.bon_random,
        bon_lv=found.bon_lv,
        bon_oracle=found.bon_oracle,
        ece_scaled=scaled if enough else None,
        ece_raw=calibration_error(raw_bins(found.scored)) if enough and loss == "bce" else None,
        scaled_on=scaled_on,
    )

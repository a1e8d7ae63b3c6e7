"""How good a verifier is on problems that it was not trained on: what every training is measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mucode.metrics.accuracy import first_turn_best, first_turn_passes, first_turns
from mucode.metrics.calibration import Bin, calibration_error, held_out_probabilities, reliability, sigmoids
from mucode.metrics.intervals import Bootstrap, Estimate, estimate
from mucode.metrics.ranking import Scored, auc_pooled, auc_within, distinct, pair_accuracy, pair_count
from mucode.records import SearchSample

ENOUGH = 10  # programs of each class without which a calibration error says nothing


@dataclass(frozen=True, slots=True)
class Quality:
    """One verifier on the distinct programs that searches of one set sampled. None: the data cannot say."""

    scored: tuple[Scored, ...]
    pairs: int  # correct/wrong pairs of the same problem
    auc_within: Estimate | None  # the headline
    auc_pooled: Estimate | None
    pair_accuracy: Estimate | None
    bon_random: Estimate | None  # pass@1 of the stored first-turn samples: a blind pick
    bon_lv: Estimate | None  # the verifier's pick of n of them
    bon_oracle: Estimate | None  # pass@n of them: the best possible pick

    @property
    def correct(self) -> int:
        return sum(row.correct for row in self.scored)

    @property
    def calibratable(self) -> bool:
        """Whether both classes have programs enough to compare probabilities with."""
        return min(self.correct, len(self.scored) - self.correct) >= ENOUGH


def quality(samples: Sequence[SearchSample], n: int, bootstrap: Bootstrap) -> Quality:
    """Measure the verifier that scored these samples; they are of one set of held-out problems."""
    scored = distinct(samples)
    drawn = [len(rows) for searches in first_turns(samples).values() for rows in searches]
    n = min([n, *drawn])
    return Quality(
        scored=tuple(scored),
        pairs=pair_count(scored),
        auc_within=auc_within(scored, bootstrap),
        auc_pooled=auc_pooled(scored, bootstrap),
        pair_accuracy=pair_accuracy(scored, bootstrap),
        bon_random=estimate(first_turn_passes(samples), bootstrap),
        bon_lv=estimate(first_turn_best(samples, n), bootstrap),
        bon_oracle=estimate(first_turn_passes(samples, n), bootstrap),
    )


def raw_bins(scored: Sequence[Scored]) -> tuple[Bin, ...]:
    """Reliability of sigmoid(score). It means something after cross-entropy (BCE) only: Bradley-Terry leaves each
    problem's level free."""
    return reliability(sigmoids([row.score for row in scored]), [row.correct for row in scored])


def scaled_error(scored: Sequence[Scored]) -> float | None:
    """Expected calibration error after Platt scaling, fitted on the other fifths of the same problems."""
    probabilities = held_out_probabilities(scored)
    if not probabilities:
        return None
    return calibration_error(reliability(probabilities, [row.correct for row in scored]))

"""How well it went, and how sure that is: accuracies with intervals, paired comparisons, ROC curves, calibration.

Values in, values out. Nothing here returns NaN: a quantity that its data cannot define (no problem at all, one class
only) is None, and the caller says so in words.
"""

from mucode.metrics.accuracy import (
    best_of_subsets,
    first_turn_best,
    first_turn_passes,
    first_turns,
    pass_at_k,
    search_rewards,
)
from mucode.metrics.calibration import (
    Bin,
    Platt,
    calibration_error,
    fit_platt,
    held_out_probabilities,
    reliability,
    sigmoids,
)
from mucode.metrics.intervals import (
    Bootstrap,
    Comparison,
    Estimate,
    Outcomes,
    compare,
    estimate,
    mcnemar,
    pooled,
    sign_flip,
)
from mucode.metrics.ranking import (
    Curve,
    Scored,
    auc,
    auc_pooled,
    auc_within,
    distinct,
    pair_accuracy,
    pair_count,
    roc,
    roc_within,
)
from mucode.metrics.verifier import Quality, quality, raw_bins, scaled_error

__all__ = [
    "Bin",
    "Bootstrap",
    "Comparison",
    "Curve",
    "Estimate",
    "Outcomes",
    "Platt",
    "Quality",
    "Scored",
    "auc",
    "auc_pooled",
    "auc_within",
    "best_of_subsets",
    "calibration_error",
    "compare",
    "distinct",
    "estimate",
    "first_turn_best",
    "first_turn_passes",
    "first_turns",
    "fit_platt",
    "held_out_probabilities",
    "mcnemar",
    "pair_accuracy",
    "pair_count",
    "pass_at_k",
    "pooled",
    "quality",
    "raw_bins",
    "reliability",
    "roc",
    "roc_within",
    "scaled_error",
    "search_rewards",
    "sigmoids",
    "sign_flip",
]

"""How well it went, and how sure that is: accuracies with intervals, paired comparisons, ROC curves, calibration.

Values in, values out. Nothing here returns NaN: a quantity that its data cannot define (no problem at all, one class
only) is None, and the caller says so in words.
"""

from mucode.metrics.accuracy import best_of_subsets, first_turn_passes, pass_at_k, search_rewards
from mucode.metrics.calibration import Bin, Platt, calibration_error, fit_platt, reliability
from mucode.metrics.intervals import Bootstrap, Comparison, Estimate, Outcomes, compare, estimate, mcnemar
from mucode.metrics.ranking import Curve, Scored, auc, auc_within, distinct, pair_accuracy, roc, roc_within

__all__ = [
    "Bin",
    "Bootstrap",
    "Comparison",
    "Curve",
    "Estimate",
    "Outcomes",
    "Platt",
    "Scored",
    "auc",
    "auc_within",
    "best_of_subsets",
    "calibration_error",
    "compare",
    "distinct",
    "estimate",
    "first_turn_passes",
    "fit_platt",
    "mcnemar",
    "pair_accuracy",
    "pass_at_k",
    "reliability",
    "roc",
    "roc_within",
    "search_rewards",
]

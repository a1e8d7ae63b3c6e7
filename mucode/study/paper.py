"""What the paper reports (Jain et al., ICML 2025): accuracies in percent. Greedy N = 1, else best of 5 with pt+lv."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reported:
    """A line of the paper's tables, of its 1B and its 8B model; None: not reported."""

    mbpp_1b: float | None = None
    humaneval_1b: float | None = None
    mbpp_8b: float | None = None
    humaneval_8b: float | None = None
    codecontests_8b: float | None = None


METHODS = {  # Table 1, by (method, N)
    ("instruct_single", 1): Reported(35.1, 25.6, 52.1, 59.8, 3.6),
    ("star", 1): Reported(35.7, 34.1, 53.7, 54.9),
    ("instruct", 1): Reported(35.1, 31.1, 60.3, 59.7, 4.8),
    ("instruct", 5): Reported(47.3, 35.7, 69.7, 62.9, 13.8),
    ("multi_star", 1): Reported(31.1, 31.7, 58.9, 61.2, 7.2),
    ("multi_star", 5): Reported(46.7, 36.5, 68.4, 62.8, 14.9),
    ("mucode", 1): Reported(37.9, 35.4, 62.1, 60.9, 7.9),
    ("mucode", 5): Reported(51.1, 41.5, 70.6, 63.8, 16.3),
}
TRAINING = {  # Table 2, best of 5 with pt+lv
    "multi_star": Reported(46.7, 36.5),
    "rft_lv": Reported(49.0, 38.9),
    "mucode_ov": Reported(48.2, 38.0),
    "mucode_lv": Reported(48.5, 39.1),
    "mucode": Reported(51.1, 41.5),
}
SELECTORS = {  # Table 3, µCode, best of 5
    "random": Reported(37.5, 31.5),
    "lv": Reported(43.3, 36.5),
    "pt": Reported(49.4, 39.7),
    "pt+lv": Reported(51.1, 41.5),
}
BY_N = {  # µCode with pt+lv
    1: Reported(37.9, 35.4),
    3: Reported(47.1, 38.7),
    5: Reported(51.1, 41.5),
    7: Reported(53.0, 41.0),
    9: Reported(53.7, 42.7),
    11: Reported(55.2, 42.0),
}

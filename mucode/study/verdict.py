"""What the primary comparison says, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mucode.report.words import interval, percent, probability, signed_points
from mucode.study.cells import MBPP
from mucode.study.collected import Collected
from mucode.study.primary import DISCORDANT, LEVEL, SEARCHES, SEEDS, Primary, detectable, planned_error, primary, there


def primary_words(pieces: Sequence[Collected], *, judge: bool) -> list[str]:
    """Its paragraphs, the verdict in the first; `judge` False: of scripted replies, which decide nothing."""
    planned = (
        f"Fixed beforehand: mucode minus multi_star on {MBPP}, pt+lv, N = 5, T = 3, {SEARCHES} searches of every problem. "
        "It is decided once, when all of them are there, and by the interval, whose making was mended before the first "
        "search on a test set (docs/study.md)."
    )
    found = primary(pieces)
    if found is None:
        return [f"{planned} {_progress(there(pieces))}"]
    verdict = [decided(found)] if judge else []
    return [" ".join([planned, _outcome(found), *verdict]), f"{_trainings(found)} {_afterwards(found)}", _width(found)]


def _progress(searches: Mapping[str, Mapping[int, int]]) -> str:
    """What of the comparison has run."""
    if not any(count for counts in searches.values() for count in counts.values()):
        return "Not run yet."
    told = "; ".join(
        f"{method} {', '.join(f'{count} with seed {seed}' for seed, count in counts.items())}"
        for method, counts in searches.items()
    )
    return f"Not decided. Searches of every problem so far: {told}."


def _outcome(found: Primary) -> str:
    ours, rival = found.accuracies
    change = found.comparison.difference
    return (
        f"µCode solves {percent(ours.value)} {interval(ours)}, Multi-STaR {percent(rival.value)} {interval(rival)}: "
        f"{signed_points(change.value)} points {interval(change, points=True)} (n = {change.n} problems, "
        f"{SEARCHES} searches each, seeds {', '.join(map(str, SEEDS))}; better : worse "
        f"{found.comparison.better} : {found.comparison.worse}, sign test over problems p "
        f"{probability(found.comparison.p_value, relation=True)})."
    )


def decided(found: Primary) -> str:
    """What the interval decides, and whether the rule for the exploratory claims would have said the same."""
    change, test = found.comparison.difference, found.comparison.p_value
    if change.low <= 0 <= change.high:
        return "The interval, which decides, holds zero: this study cannot tell the two apart."
    words = f"The interval decides: {'µCode beats Multi-STaR' if change.low > 0 else 'Multi-STaR beats µCode'} here."
    if test < LEVEL:
        return words
    return (
        f"{words} The sign test, which counts problems and not by how much they changed, does not tell the two apart. "
        "The exploratory claims below need interval and test to agree; by that rule this would be open."
    )


def _afterwards(found: Primary) -> str:
    won, lost = found.moved
    return (
        f"Looked at afterwards: on the better problems {won} searches more are right, on the worse {lost} fewer; a test "
        "that counts by how much each problem changed (signs of the differences flipped at random) gives p "
        f"{probability(found.by_size, relation=True)}."
    )


def _trainings(found: Primary) -> str:
    """What the interval does not hold: how much one training differs from another."""
    each = ", ".join(
        f"{signed_points(change.value)} points {interval(change, points=True)} with seed {seed}"
        for seed, change in found.by_seed.items()
    )
    return f"By training: {each}; the intervals cover the choice of problems, not the luck of training."


def _width(found: Primary) -> str:
    """What the study could have found."""
    change = found.comparison.difference
    before, after = planned_error(change.n), found.error
    less = abs(change.value) < detectable(after)
    caution = " The difference found is smaller than that, and such a one tends to be overestimated." if less else ""
    return (
        f"Expected beforehand for {change.n} problems searched once, {percent(DISCORDANT, 0)} of them discordant: a "
        f"standard error of {100 * before:.1f} points, so that a true difference of {100 * detectable(before):.1f} is found "
        f"four times in five; {SEARCHES} searches of each need less. The standard error came out as {100 * after:.1f} "
        f"points: a true difference of {100 * detectable(after):.1f} would be found four times in five.{caution}"
    )

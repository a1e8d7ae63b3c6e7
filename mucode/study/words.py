"""Estimates of the study's tables in words, with their intervals; nothing where there is none."""

from __future__ import annotations

from mucode.metrics import Bootstrap, Estimate, Outcomes, compare
from mucode.report.words import interval, percent, signed_points


def share(found: Estimate | None) -> str:
    """ "31.2 % [25.0, 37.5]"."""
    return f"{percent(found.value)} {interval(found)}" if found else ""


def points(found: Estimate | None) -> str:
    """ "+4.7 [+0.8, +8.7]"."""
    return f"{signed_points(found.value)} {interval(found, points=True)}" if found else ""


def minus(before: Outcomes, after: Outcomes, bootstrap: Bootstrap) -> str:
    """after - before, paired, in points."""
    found = compare(before, after, bootstrap)
    return points(found.difference if found else None)

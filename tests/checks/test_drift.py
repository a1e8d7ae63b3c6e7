"""A round of labels against the round before it: each kind of drift is refused by name, ordinary change is not."""

from __future__ import annotations

import dataclasses

import pytest

from mucode.checks import GateReport, check_labels
from mucode.checks.drift import drift
from mucode.records import Experience, Label, Step
from mucode.types import Status
from tests.checks.rows import GATES, PROBLEMS, label, names, step

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated")

Row = tuple[str, Status]  # a program that is right if it says so, and how its public half ended


def program(text: str, row: int) -> str:
    """One of its own, so that nothing is repeated, unless `text` says "again"."""
    return f"# {text}" if "again" in text else f"# {text} {row:03}"


def as_before(rows: list[Row]) -> list[Experience]:
    return [
        Experience("starter/1", 1, at, 1, "", program(text, at), status, 0, 1, "", float("right" in text))
        for at, (text, status) in enumerate(rows)
    ]


def as_labelled(rows: list[Row]) -> tuple[list[Label], list[Step]]:
    steps = [step("starter/1", at, 1, program(text, at) + " ", status) for at, (text, status) in enumerate(rows)]
    private = [Status.PASSED if "right" in text else Status.FAILED for text, _ in rows]
    return [label(of, status) for of, status in zip(steps, private, strict=True)], steps


RIGHT, WRONG = ("right", Status.PASSED), ("wrong", Status.FAILED)
BEFORE = [RIGHT] * 7 + [WRONG] * 13
ORDINARY = [RIGHT] * 12 + [WRONG] * 6 + [("longer and wrong", Status.ERROR)] * 2
PLANTED: dict[str, list[Row]] = {
    "pass_rate_drift": [RIGHT] * 18 + [WRONG] * 2,
    "status_mix_drift": [("right", Status.PASSED)] * 5 + [("wrong", Status.TIMEOUT)] * 15,
    "program_length_drift": [(text + " with padding" * 9, status) for text, status in BEFORE],
    "duplicate_share_drift": [("right again", Status.PASSED)] * 8 + [("wrong again", Status.FAILED)] * 12,
}


def check(rows: list[Row], before: list[Row]) -> GateReport:
    labels, steps = as_labelled(rows)
    return check_labels(labels, steps, as_before(before), PROBLEMS, GATES)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_planted_drift_is_caught_by_name_and_shows_both_rounds(name: str) -> None:
    report = check(PLANTED[name], BEFORE)
    assert names(report) == [name]
    shown = report.refused[0].rows[0].values
    assert len([column for column in shown if column.endswith(("_now", "_before"))]) == 2


def test_ordinary_change_from_one_iteration_to_the_next_passes_and_is_reported() -> None:
    report = check(ORDINARY, BEFORE)
    assert report.passed
    assert report.drift is not None
    assert (report.drift.before.pass_rate, report.drift.now.pass_rate) == (0.35, 0.6)
    assert report.drift.pass_rate == pytest.approx(0.25)
    assert report.drift.statuses == pytest.approx(0.35)  # of 13 failures 7 became passes or errors


def test_a_first_round_has_nothing_to_drift_from() -> None:
    assert drift(*as_labelled(ORDINARY), previous=[]) is None


def test_drift_is_measured_against_the_latest_round_alone() -> None:
    older = as_before([WRONG] * 50)
    latest = [dataclasses.replace(row, iteration=2) for row in as_before(BEFORE)]
    found = drift(*as_labelled(ORDINARY), [*older, *latest])
    assert found is not None
    assert (found.before.iteration, found.before.pass_rate) == (2, 0.35)

"""What a refusal says: the expectation, the rows and the way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mucode.checks import GateReport, LabelsRefused, accept_labels
from mucode.checks.expectations import Expectation, FailedRow
from mucode.checks.refusal import BOUNDS, COPIED, FLAKY, NO_COPY
from mucode.checks.suites import audit_suite, drift_suite, label_suite, step_suite
from mucode.config import Gates
from tests.checks.rows import GATES, PROBLEMS


def test_a_refusal_names_the_expectation_the_rows_and_the_way_out(tmp_path: Path) -> None:
    rows = (FailedRow(7, {"problem_id": "starter/1", "reward": 1.0}),)
    refused = Expectation("reward_needs_program", "reward 1 implies a program", False, 1, "", rows)
    report = GateReport(False, (Expectation("columns", "", True), refused))
    with pytest.raises(LabelsRefused) as error:
        accept_labels(report, Path("data/labels/base-0.parquet"), tmp_path / "base-0.json", tmp_path / "failures")
    for part in ("base-0.parquet", "reward_needs_program", "row 7", "starter/1", "dvc repro", "base-0.json"):
        assert part in str(error.value)


def test_what_flaky_programs_fail_names_the_rollouts_and_the_bound_as_well(tmp_path: Path) -> None:
    report = GateReport(False, (Expectation("few_flaky_programs", "few are flaky", False),))
    with pytest.raises(LabelsRefused, match=r"--force roll_out@base-0` first.*max_flaky_share"):
        accept_labels(report, Path("data/labels/base-0.parquet"), tmp_path / "base-0.json", tmp_path / "failures")


def way_out_of(folder: Path, *refused: str) -> str:
    report = GateReport(False, tuple(Expectation(name, "as it should be", False) for name in refused))
    with pytest.raises(LabelsRefused) as error:
        accept_labels(report, Path("data/labels/base-0.parquet"), folder / "base-0.json", folder / "failures")
    return str(error.value).rpartition("base-0.json, then ")[2]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("pass_rate", ["min_pass_rate", "max_pass_rate"]),
        ("pass_rate_drift", ["max_pass_rate_drift"]),
        ("status_mix_drift", ["max_status_drift"]),
        ("program_length_drift", ["max_length_ratio"]),
        ("duplicate_share_drift", ["max_duplicate_drift"]),
    ],
)
def test_what_a_model_s_programs_fail_names_the_bounds_and_no_stage(
    name: str, parameters: list[str], tmp_path: Path
) -> None:
    said = way_out_of(tmp_path, name)
    assert [word for word in re.findall(r"\w+", said) if word in Gates.model_fields] == parameters
    assert "dvc repro" not in said


def test_every_bound_of_a_round_has_a_way_out_of_its_own() -> None:
    bounded = {check.name for check in drift_suite(GATES)} | {"pass_rate"}
    assert bounded == BOUNDS.keys()


def test_a_way_out_is_named_for_expectations_that_there_are() -> None:
    suites = (label_suite(PROBLEMS, GATES), step_suite(), drift_suite(GATES), audit_suite(GATES))
    assert FLAKY | BOUNDS.keys() | COPIED | NO_COPY <= {check.name for suite in suites for check in suite}


@pytest.mark.parametrize("name", ["no_internal_public_status", "known_problem"])
def test_what_a_label_copies_from_its_rollout_names_the_rollouts(name: str, tmp_path: Path) -> None:
    said = way_out_of(tmp_path, name)
    assert "`dvc repro --single-item --force roll_out@base-0`" in said
    assert "force label@" not in said


@pytest.mark.parametrize(
    "names", [("no_internal_private_status",), ("label_repeats", "pass_rate_drift"), ("rolled_out", "known_problem")]
)
def test_what_labelling_anew_can_mend_names_the_labels_alone(names: tuple[str, ...], tmp_path: Path) -> None:
    assert way_out_of(tmp_path, *names) == (
        "label anew with `dvc repro --single-item --force label@base-0` and run again"
    )


def test_flaky_programs_and_a_bound_have_both_ways_out(tmp_path: Path) -> None:
    said = way_out_of(tmp_path, "pass_rate_drift", "few_flaky_programs")
    assert "max_flaky_share" in said
    assert "max_pass_rate_drift" in said

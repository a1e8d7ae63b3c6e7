"""The gate on execution labels: a clean file passes, and each kind of corruption is refused by name."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mucode.checks import GateReport, LabelsRefused, accept_labels, check_labels, check_labels_file, validate_files
from mucode.checks.columns import label_columns, plain
from mucode.checks.expectations import Expectation, FailedRow
from mucode.checks.refusal import BOUNDS, COPIED, FLAKY, NO_COPY
from mucode.checks.suites import audit_suite, drift_suite, label_suite, step_suite
from mucode.config import Gates
from mucode.records import Experience, Label, Step, read_rows, write_rows
from mucode.types import MucodeError, Problem, Status, Test

# great_expectations imports modules of the standard library that 3.11 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated")

GATES = Gates(
    min_pass_rate=0.1,
    max_pass_rate=0.9,
    max_pass_rate_drift=0.5,
    max_status_drift=0.6,
    max_length_ratio=4.0,
    max_duplicate_drift=0.6,
    audit_share=0.01,
    audit_least=8,
    max_flaky_share=0.25,
)
RIGHT, WRONG = "def f(x):\n    return x\n", "def f(x):\n    return 0\n"


def problem(id: str, split: str = "train") -> Problem:
    return Problem(id, "starter", split, "Return x.", "f", (Test("assert f(1) == 1"),))


PROBLEMS = [
    problem("starter/1"),
    problem("starter/2"),
    problem("starter/161", split="validation"),
    problem("starter/201", split="test"),
]


def step(id: str, rollout: int, turn: int, program: str | None, status: Status, iteration: int = 2) -> Step:
    return Step(id, iteration, rollout, turn, program or "Sorry.", program, status, 0, 1, "", 10, 10)


STEPS = [
    step("starter/1", 0, 1, WRONG, Status.FAILED),
    step("starter/1", 0, 2, RIGHT, Status.PASSED),
    step("starter/1", 1, 1, "def f(x):\n    return 1\n", Status.PASSED),
    step("starter/2", 0, 1, None, Status.NO_CODE),
    step("starter/2", 0, 2, WRONG, Status.TIMEOUT),
    step("starter/2", 1, 1, RIGHT, Status.PASSED),
]
PRIVATE = [Status.FAILED, Status.PASSED, Status.FAILED, Status.NO_CODE, Status.TIMEOUT, Status.PASSED]


def label(of: Step, private: Status) -> Label:
    passed = of.status is Status.PASSED and private is Status.PASSED
    total = 0 if private is Status.NO_CODE else 4
    right = 4 if private is Status.PASSED else 0
    key = (of.problem_id, of.iteration, of.rollout, of.turn)
    return Label(*key, "train", of.program, of.status is Status.PASSED, private, right, total, float(passed))


LABELS = [label(of, private) for of, private in zip(STEPS, PRIVATE, strict=True)]


def experience(id: str, program: str | None, reward: float) -> Experience:
    status = Status.PASSED if reward else Status.FAILED
    return Experience(id, 1, 0, 1, program or "Sorry.", program, status, 0, 1, "", reward)


def wrong_before(id: str, program: str) -> Experience:
    """Its public tests passed, the private ones did not."""
    return dataclasses.replace(experience(id, program, 0.0), status=Status.PASSED)


PREVIOUS = [
    experience("starter/1", RIGHT, 1.0),
    experience("starter/2", WRONG, 0.0),
    experience("starter/2", None, 0.0),
]


def with_changed(row: int, **values: Any) -> list[Label]:
    return [dataclasses.replace(old, **values) if at == row else old for at, old in enumerate(LABELS)]


def check(labels: list[Label], steps: list[Step] = STEPS, previous: list[Experience] = PREVIOUS) -> GateReport:
    return check_labels(labels, steps, previous, PROBLEMS, GATES)


def names(report: GateReport) -> list[str]:
    return [expectation.name for expectation in report.refused]


def test_clean_labels_pass_and_their_facts_are_reported() -> None:
    report = check(LABELS)
    assert report.passed
    assert names(report) == []
    assert report.facts is not None
    assert (report.facts.labels, report.facts.problems) == (6, 2)
    assert report.facts.pass_rate == pytest.approx(2 / 6, abs=1e-6)
    assert report.facts.no_program_share == pytest.approx(1 / 6, abs=1e-6)
    assert report.facts.private_statuses == {"failed": 2, "no_code": 1, "passed": 2, "timeout": 1}


PLANTED: dict[str, list[Label]] = {
    "type_of_turn": with_changed(1, turn="2"),
    "type_of_reward": with_changed(1, reward="1.0"),
    "no_null_in_reward": with_changed(1, reward=float("nan")),
    "no_null_in_split": with_changed(1, split=None),
    "some_labels": [],
    "one_label_a_step": [*LABELS, LABELS[0]],
    "iteration_from_1": with_changed(2, iteration=0),
    "rollout_from_0": with_changed(2, rollout=-1),
    "turn_from_1": with_changed(2, turn=0),
    "reward_0_or_1": with_changed(1, reward=0.5),
    "known_status": with_changed(0, private_status="maybe"),
    "no_internal_private_status": with_changed(0, private_status=Status.INTERNAL),
    "private_count_from_0": with_changed(0, private_tests_passed=-1),
    "private_counts_within_total": with_changed(1, private_tests_passed=5),
    "status_agrees_with_counts": with_changed(1, private_tests_passed=3),
    "reward_needs_program": with_changed(3, reward=1.0),
    "reward_needs_public_pass": with_changed(0, reward=1.0, private_status=Status.PASSED, private_tests_passed=4),
    "reward_needs_private_pass": with_changed(2, reward=1.0),
    "both_passes_earn_reward": with_changed(1, reward=0.0),
    "turns_without_gap": with_changed(1, turn=3),
    "nothing_after_public_pass": with_changed(0, public_passed=True),
    "rolled_out": with_changed(2, rollout=7),
    "program_as_rolled_out": with_changed(1, program=WRONG),
    "public_pass_as_rolled_out": with_changed(4, public_passed=True),
    "known_problem": with_changed(2, problem_id="starter/99"),
    "training_split": with_changed(2, split="test"),
    "no_test_problem": with_changed(2, problem_id="starter/201"),
    "every_step_labelled": LABELS[:-1],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_planted_corruption_is_caught_by_name(name: str) -> None:
    report = check(PLANTED[name])
    assert not report.passed
    assert name in names(report)


def test_faults_of_many_kinds_in_one_file_are_all_reported() -> None:
    spoilt = {
        0: {"reward": 1.0, "private_tests_passed": 5},
        1: {"turn": 3, "reward": 0.0},
        2: {"problem_id": "starter/201", "private_status": Status.INTERNAL},
        3: {"reward": 0.5},
        4: {"split": "test", "program": RIGHT, "public_passed": True},
        5: {"private_tests_passed": 2, "iteration": 0},
    }
    report = check([dataclasses.replace(row, **spoilt[at]) for at, row in enumerate(LABELS)])  # type: ignore[arg-type]
    assert set(names(report)) == {
        "iteration_from_1", "reward_0_or_1", "no_internal_private_status", "private_counts_within_total",
        "status_agrees_with_counts", "reward_needs_program", "reward_needs_public_pass", "reward_needs_private_pass",
        "both_passes_earn_reward", "turns_without_gap", "rolled_out", "program_as_rolled_out", "no_test_problem",
        "public_pass_as_rolled_out", "training_split", "new_iteration", "no_flip_since_earlier", "no_flip_within",
    }  # fmt: skip


def test_a_label_that_contradicts_an_earlier_iteration_is_refused_with_both_rewards() -> None:
    report = check(LABELS, previous=[wrong_before("starter/1", RIGHT)])
    assert names(report) == ["no_flip_since_earlier"]
    values = report.refused[0].rows[0].values
    assert (values["problem_id"], values["reward"], values["earlier_reward"]) == ("starter/1", 1.0, 0.0)


def test_a_few_programs_may_come_out_otherwise_than_in_an_earlier_iteration() -> None:
    others = [step("starter/1", rollout, 1, f"{RIGHT}# {rollout}", Status.PASSED) for rollout in (2, 3)]
    known = [*PREVIOUS, *(experience("starter/1", of.program, 1.0) for of in others)]
    labels, steps = [*LABELS, *(label(of, Status.PASSED) for of in others)], [*STEPS, *others]
    lucky = experience("starter/1", STEPS[2].program, 1.0)
    assert check(labels, steps, previous=[*known, lucky]).passed
    often = [step("starter/1", rollout, 1, STEPS[2].program or "", Status.PASSED) for rollout in (4, 5)]
    rows = [*labels, *(label(of, Status.FAILED) for of in often)]
    assert check(rows, [*steps, *often], previous=[*known, lucky]).passed  # one program, however often it is written
    report = check(labels, steps, previous=[*known, lucky, wrong_before("starter/2", RIGHT)])
    assert names(report) == ["no_flip_since_earlier"]


def test_a_public_half_that_timed_out_in_one_rollout_is_no_contradiction() -> None:
    again = step("starter/1", 2, 1, RIGHT, Status.TIMEOUT)
    assert check([*LABELS, label(again, Status.PASSED)], [*STEPS, again], previous=[]).passed
    unlucky = dataclasses.replace(experience("starter/1", RIGHT, 0.0), status=Status.TIMEOUT)
    columns = label_columns([plain(row) for row in LABELS], STEPS, [unlucky], PROBLEMS)
    assert columns["earlier_reward"] == [None] * 6


def test_equal_programs_with_unequal_rewards_in_one_file_are_refused() -> None:
    again = step("starter/1", 2, 1, RIGHT, Status.PASSED)
    report = check([*LABELS, label(again, Status.FAILED)], [*STEPS, again], previous=[])
    assert names(report) == ["no_flip_within"]
    assert [row.row for row in report.refused[0].rows] == [1, 6]


@pytest.mark.slow
def test_an_iteration_that_the_dataset_holds_already_is_refused() -> None:
    late = [dataclasses.replace(row, iteration=2) for row in PREVIOUS]
    assert names(check(LABELS, previous=late)) == ["new_iteration"]


@pytest.mark.slow
def test_a_step_on_which_the_judge_failed_publicly_is_refused() -> None:
    steps = [dataclasses.replace(STEPS[0], status=Status.INTERNAL), *STEPS[1:]]
    assert names(check(LABELS, steps)) == ["no_internal_public_status"]


@pytest.mark.slow
@pytest.mark.parametrize(("low", "high"), [(0.5, 0.9), (0.0, 0.1)])
def test_a_pass_rate_out_of_bounds_is_refused_with_the_rate_found(low: float, high: float) -> None:
    gates = GATES.model_copy(update={"min_pass_rate": low, "max_pass_rate": high})
    report = check_labels(LABELS, STEPS, PREVIOUS, PROBLEMS, gates)
    assert names(report) == ["pass_rate"]
    assert report.refused[0].observed == "0.333333"


@pytest.mark.slow
def test_failing_rows_are_all_counted_and_the_first_twenty_are_shown() -> None:
    steps = [step("starter/1", rollout, 1, RIGHT, Status.PASSED) for rollout in range(30)]
    report = check([dataclasses.replace(label(of, Status.PASSED), split="test") for of in steps], steps)
    refused = {expectation.name: expectation for expectation in report.refused}["training_split"]
    assert refused.failing == 30
    assert [row.row for row in refused.rows] == list(range(20))


def written(folder: Path, change: Callable[[pa.Table], pa.Table]) -> Path:
    path = folder / "base-0.parquet"
    write_rows(path, LABELS, Label)
    pq.write_table(change(pq.read_table(path)), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("columns", lambda table: table.drop_columns(["reward"])),
        ("columns", lambda table: table.append_column("score", table["reward"])),
        ("type_of_turn", lambda table: table.set_column(3, "turn", table["turn"].cast(pa.string()))),
        (
            "type_of_public_passed",
            lambda table: table.set_column(6, "public_passed", table["public_passed"].cast(pa.int64())),
        ),
        ("every_step_labelled", lambda table: table.slice(0, 4)),
    ],
)
def test_a_file_of_another_form_is_reported_by_name(
    name: str, change: Callable[[pa.Table], pa.Table], tmp_path: Path
) -> None:
    report = check_labels_file(written(tmp_path, change), STEPS, PREVIOUS, PROBLEMS, GATES)
    assert name in names(report)


def test_a_file_cut_off_in_the_middle_is_reported_as_unreadable(tmp_path: Path) -> None:
    path = written(tmp_path, lambda table: table)
    path.write_bytes(path.read_bytes()[:-100])
    assert names(check_labels_file(path, STEPS, PREVIOUS, PROBLEMS, GATES)) == ["readable"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match=r"base-0.*is missing"):
        check_labels_file(tmp_path / "base-0.parquet", STEPS, PREVIOUS, PROBLEMS, GATES)


@pytest.mark.slow
def test_equal_labels_give_equal_gate_files_and_corrupt_ones_give_a_failure_report_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, rows, row_type in (("p", PROBLEMS, Problem), ("r", STEPS, Step), ("d", PREVIOUS, Experience)):
        write_rows(Path(f"{name}.parquet"), rows, row_type)
    files = (Path("p.parquet"), Path("r.parquet"), Path("labels/base-0.parquet"), Path("d.parquet"))
    write_rows(files[2], LABELS, Label)
    for out in ("gates/base-0.json", "again.json"):
        validate_files(*files, GATES, None, Path(out))
    assert Path("gates/base-0.json").read_bytes() == Path("again.json").read_bytes()

    corrupt = with_changed(0, reward=1.0)
    write_rows(files[2], corrupt, Label)
    with pytest.raises(LabelsRefused, match="reward_needs_public_pass") as refused:
        validate_files(*files, GATES, None, Path("new/base-0.json"))
    assert refused.value.exit_code == 3
    assert not Path("new/base-0.json").exists()
    assert read_rows(files[2], Label) == corrupt
    failure = json.loads(Path(".mucode/failures/base-0.json").read_text())
    assert failure["sentence"] == str(refused.value)
    assert failure["rows"][0]["problem_id"] == "starter/1"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == [".mucode"]


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


def test_a_pass_clears_the_failure_report_of_an_earlier_try(tmp_path: Path) -> None:
    failure = tmp_path / "failures/base-0.json"
    failure.parent.mkdir()
    failure.write_text("{}")
    accept_labels(GateReport(True, ()), Path("base-0.parquet"), tmp_path / "base-0.json", failure.parent)
    assert not failure.exists()


def test_the_joined_columns_state_what_one_row_cannot_show() -> None:
    columns = label_columns([plain(row) for row in LABELS], STEPS, PREVIOUS, PROBLEMS)
    assert columns["turn_gap"] == [1, 1, 1, 1, 1, 1]
    assert columns["passed_before"] == [0] * 6
    assert columns["earlier_reward"] == [None, 1.0, None, None, None, None]
    assert columns["own_split"] == ["train"] * 6
    assert columns["oracle"] == [row.reward for row in LABELS]

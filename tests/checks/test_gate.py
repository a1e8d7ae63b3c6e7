"""The gate on a file of labels: whatever its form, it ends in a gate file or in a report of the failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mucode.checks import GateReport, LabelsRefused, accept_labels, check_labels_file, validate_files
from mucode.records import Experience, Label, Step, read_rows, write_rows
from mucode.types import MucodeError, Problem
from tests.checks.rows import GATES, LABELS, PREVIOUS, PROBLEMS, STEPS, names, with_changed

# great_expectations imports modules of the standard library that 3.11 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated")


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


def test_a_pass_clears_the_failure_report_of_an_earlier_try(tmp_path: Path) -> None:
    failure = tmp_path / "failures/base-0.json"
    failure.parent.mkdir()
    failure.write_text("{}")
    accept_labels(GateReport(True, ()), Path("base-0.parquet"), tmp_path / "base-0.json", failure.parent)
    assert not failure.exists()

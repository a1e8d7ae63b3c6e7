"""Labels in, a report out; and the stage that writes the gate's file or refuses.

Suites run one after the other and end at the first that fails, because a later one could not make sense of its input:
the columns, the form of the cells, the sense of the labels, the rollouts' side. What is in order so far is then held against
the round before and audited.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mucode.checks.audit import AuditFacts, Auditor, audit, audit_columns
from mucode.checks.columns import Columns, label_columns, plain, step_columns
from mucode.checks.drift import Drift, drift, drift_columns
from mucode.checks.expectations import Expectation, validate
from mucode.checks.refusal import refusal
from mucode.checks.suites import (
    TYPES,
    Suite,
    audit_suite,
    columns_suite,
    drift_suite,
    form_suite,
    label_suite,
    step_suite,
)
from mucode.config import Gates
from mucode.records import Experience, Label, Step, read_rows, write_json
from mucode.types import MucodeError, Problem, Status

FAILURES = Path(".mucode/failures")  # out of DVC's sight


class LabelsRefused(MucodeError):
    """The labels failed a gate: nothing may train on them, and trying again cannot help."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """What the labels look like as a whole; shares are of all labels."""

    labels: int
    problems: int
    pass_rate: float
    public_pass_rate: float
    no_program_share: float
    duplicate_share: (
        float  # programs that another label of the same problem has as well, each group's first not counted
    )
    program_length: float  # median, in characters; 0 without a program
    private_statuses: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class GateReport:
    """What the gate saw. Equal labels give an equal report: no time, no run id, no path."""

    passed: bool
    expectations: tuple[Expectation, ...]
    facts: LabelFacts | None = None  # None: the file has not the form of labels
    drift: Drift | None = None  # None: a first round, or refused before it came to that
    audit: AuditFacts | None = None  # None: refused before it came to that, or nothing was to be run again

    @property
    def refused(self) -> tuple[Expectation, ...]:
        return tuple(expectation for expectation in self.expectations if not expectation.success)


def validate_files(
    problems: Path, rollouts: Path, labels: Path, previous: Path, gates: Gates, auditor: Auditor | None, out: Path
) -> GateReport:
    """The stage `validate`: hold a label file against the files it came from, then write the gate's file or refuse.

    Args:
        problems, rollouts, labels, previous: the files; `check_labels` says what is in them.
        gates: the bounds.
        auditor: runs some of the programs again; None: nobody does.
        out: the gate's file.

    Raises:
        LabelsRefused: an expectation fails; see `accept_labels`.
        MucodeError: one of the other files is missing or unreadable.
    """
    steps, earlier = read_rows(rollouts, Step), read_rows(previous, Experience)
    report = check_labels_file(labels, steps, earlier, read_rows(problems, Problem), gates, auditor)
    accept_labels(report, labels, out, FAILURES)
    return report


def check_labels(
    labels: Iterable[Label],
    steps: Sequence[Step],
    previous: Sequence[Experience],
    problems: Sequence[Problem],
    gates: Gates,
    auditor: Auditor | None = None,
) -> GateReport:
    """Hold labels against their rollouts, the problems and the dataset of earlier iterations.

    Args:
        labels: the oracle's word on each step of one iteration.
        steps: the rollouts that were labelled.
        previous: D_1..i-1.
        problems: every known problem, of every split.
        gates: the bounds.
        auditor: runs some of the programs again; None: nobody does.
    """
    return _check([plain(label) for label in labels], list(TYPES), steps, previous, problems, gates, auditor)


def check_labels_file(
    path: Path,
    steps: Sequence[Step],
    previous: Sequence[Experience],
    problems: Sequence[Problem],
    gates: Gates,
    auditor: Auditor | None = None,
) -> GateReport:
    """`check_labels` on a file as it is: a wrong form is reported like any other fault.

    Raises:
        MucodeError: no such file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise MucodeError(f"{path} is missing: `dvc repro` makes it, `dvc pull` fetches it")
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        found = str(error).partition("\n")[0]
        whole = Expectation("readable", "the labels are a whole parquet file", False, observed=found)
        return GateReport(False, (whole,))
    return _check(table.to_pylist(), table.column_names, steps, previous, problems, gates, auditor)


def accept_labels(report: GateReport, labels: Path, out: Path, failures: Path) -> None:
    """Write the gate's file if the labels passed; else say why not, and refuse.

    Args:
        report: what `check_labels_file` said about `labels`.
        out: the gate's JSON file; appears only when the labels passed.
        failures: folder of the failure reports; gets, or loses, a file named like `out`.

    Raises:
        LabelsRefused: names the expectation, the rows and the way out.
    """
    failure = failures / out.name
    if report.passed:
        write_json(out, dataclasses.asdict(report))
        failure.unlink(missing_ok=True)
        return
    sentence = refusal(report.refused, labels, failure)
    rows = [{"expectation": e.name, "row": r.row, **r.values} for e in report.refused for r in e.rows]
    expectations = [dataclasses.asdict(expectation) for expectation in report.refused]
    write_json(failure, {"sentence": sentence, "rows": rows, "expectations": expectations})
    raise LabelsRefused(sentence)


def _check(
    records: list[dict[str, Any]],
    columns: list[str],
    steps: Sequence[Step],
    previous: Sequence[Experience],
    problems: Sequence[Problem],
    gates: Gates,
    auditor: Auditor | None,
) -> GateReport:
    def as_they_are(names: Iterable[str]) -> Columns:
        return {name: [record[name] for record in records] for name in names}

    suites: list[tuple[Suite, Callable[[], Columns]]] = [
        (columns_suite(), lambda: as_they_are(columns)),
        (form_suite(), lambda: as_they_are(TYPES)),
        (label_suite(problems, gates), lambda: label_columns(records, steps, previous, problems)),
        (step_suite(), lambda: step_columns(records, steps)),
    ]
    done: list[Expectation] = []
    for number, (suite, frame) in enumerate(suites):
        done += validate(suite, frame())
        if not all(expectation.success for expectation in done):
            return GateReport(False, tuple(done), label_facts(records) if number >= 2 else None)
    labels = [Label(**record | {"private_status": Status(record["private_status"])}) for record in records]
    if drifted := drift(labels, steps, previous):
        done += validate(drift_suite(gates), drift_columns(drifted))
    audited = audit(labels, problems, auditor) if auditor else None
    if audited:
        done += validate(audit_suite(gates), audit_columns(audited))
    passed = all(expectation.success for expectation in done)
    return GateReport(passed, tuple(done), label_facts(records), drifted, audited.facts if audited else None)


def label_facts(records: Sequence[Mapping[str, Any]]) -> LabelFacts:
    """What records in the form of `records.Label` look like as a whole."""
    programs = [(r["problem_id"], r["program"]) for r in records if r["program"] is not None]

    def share(count: float) -> float:
        return round(count / len(records), 6)

    return LabelFacts(
        labels=len(records),
        problems=len({r["problem_id"] for r in records}),
        pass_rate=share(sum(r["reward"] for r in records)),
        public_pass_rate=share(sum(r["public_passed"] for r in records)),
        no_program_share=share(len(records) - len(programs)),
        duplicate_share=share(len(programs) - len(set(programs))),
        program_length=statistics.median(len(program) for _, program in programs) if programs else 0,
        private_statuses=dict(sorted(Counter(r["private_status"] for r in records).items())),
    )

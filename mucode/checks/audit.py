"""Some labels, drawn at random, made once more where hashes fall otherwise: do programs get the same verdict again?

Labels are made under PYTHONHASHSEED=0. The audit runs the drawn programs under another one. What comes out otherwise is run
some times more under 0: if the private halves of those runs agree with each other and not with the label, the label is
*wrong*; else the program is *flaky*: its outcome hangs on the order of a set, on chance or on time, and the label is one of
its outcomes. So does a public half that comes out otherwise: it is the rollout's, and no labelling anew would change it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from mucode.checks.columns import KEY, Columns
from mucode.environment import judged
from mucode.records import Label
from mucode.seeds import seed_for
from mucode.types import Answer, Job, Problem, Sandbox

OWN_SEED = 0  # of the labels
_AGAIN = 3  # runs under it that have to agree before a label is called wrong
_SEEDS = 2**32 - 1  # PYTHONHASHSEED goes up to it

OpenSandbox = Callable[[int], AbstractContextManager[Sandbox]]  # the programs' PYTHONHASHSEED -> where they run
Passes = tuple[bool, bool]  # the public and the private half


@dataclass(frozen=True, slots=True)
class Auditor:
    """What an audit needs besides the labels."""

    answers: Sequence[Answer]
    open_sandbox: OpenSandbox
    share: float  # of the distinct programs
    least: int  # programs, where there are as many


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """What the gate's file says about an audit."""

    hash_seed: int
    programs: int
    flaky: tuple[Label, ...]
    wrong: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """What came out: every audited program's first label, and which of them did not come out again."""

    hash_seed: int
    rows: tuple[Label, ...]
    flaky: tuple[Label, ...]
    wrong: tuple[Label, ...]

    @property
    def facts(self) -> AuditFacts:
        return AuditFacts(self.hash_seed, len(self.rows), self.flaky, self.wrong)


def audit(labels: Sequence[Label], problems: Sequence[Problem], auditor: Auditor) -> Audit:
    """Label some programs again. Which ones, and the hash seed, follow from the labels alone.

    Raises:
        MucodeError: programs cannot be run here, or the judge failed.
    """
    distinct = list(
        {(row.problem_id, row.program): row for row in reversed(labels) if row.program is not None}.values()
    )
    distinct.reverse()
    address = seed_for(OWN_SEED, "audit", *(f"{row.problem_id}\0{row.program}" for row in distinct))
    draw = random.Random(address)
    many = min(len(distinct), max(auditor.least, round(auditor.share * len(distinct))))
    rows = [distinct[index] for index in sorted(draw.sample(range(len(distinct)), many))]
    hash_seed = draw.randint(1, _SEEDS)
    runs = _Runs({problem.id: problem for problem in problems}, auditor)
    again = runs.passes(rows, hash_seed, 1)[0]
    otherwise = [row for row, passes in zip(rows, again, strict=True) if passes != _label_of(row)]
    own = list(zip(*runs.passes(otherwise, OWN_SEED, _AGAIN), strict=True)) if otherwise else []
    private = [{passed for _, passed in every} for every in own]
    wrong = [row for row, found in zip(otherwise, private, strict=True) if found == {not _label_of(row)[1]}]
    flaky = [row for row in otherwise if row not in wrong]
    return Audit(hash_seed, tuple(rows), tuple(flaky), tuple(wrong))


def audit_columns(found: Audit) -> Columns:
    """The audited labels, for the audit suite."""
    columns: Columns = {name: [getattr(row, name) for row in found.rows] for name in (*KEY, "reward", "program")}
    return columns | {
        "wrong": [row in found.wrong for row in found.rows],
        "flaky": [row in found.flaky for row in found.rows],
    }


@dataclass(frozen=True, slots=True)
class _Runs:
    problems: dict[str, Problem]
    auditor: Auditor

    def passes(self, rows: Sequence[Label], hash_seed: int, times: int) -> list[list[Passes]]:
        """The outcomes of each run of all rows."""
        tests = {answer.problem_id: answer.private_tests for answer in self.auditor.answers}
        jobs = [Job(self.problems[row.problem_id], row.program or "", tests[row.problem_id]) for row in rows]
        with self.auditor.open_sandbox(hash_seed) as sandbox:
            return [
                [
                    (public.passed, private.passed)
                    for public, private in zip(
                        judged(sandbox, jobs, "public"), judged(sandbox, jobs, "private"), strict=True
                    )
                ]
                for _ in range(times)
            ]


def _label_of(row: Label) -> Passes:
    return row.public_passed, row.private_status == "passed"

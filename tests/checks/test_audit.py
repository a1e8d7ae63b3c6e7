"""The audit of labels: another hash seed for real; wrong labels are refused, flaky programs are counted."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest

from mucode.checks import Auditor, GateReport, check_labels
from mucode.checks.audit import OWN_SEED, OpenSandbox, audit
from mucode.dataset import label_steps
from mucode.execution import open_sandbox
from mucode.records import Label, Step
from mucode.types import Answer, Half, Job, Status, Test, Verdict
from tests.checks.rows import GATES, names, problem, step

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated")

PROBLEMS = [problem("starter/1")]
ANSWERS = [Answer("starter/1", (Test("assert f(2) == 2"),), "")]
ORDER = "def f(x):\n    return x if hash('a') % 2 == {} else 0\n"  # right under about half of all hash seeds


def programs(many: int) -> list[str]:
    return [f"def f(x):\n    return x  # {number}\n" for number in range(many)]


def steps_of(texts: Sequence[str]) -> list[Step]:
    return [step("starter/1", at, 1, text, Status.PASSED) for at, text in enumerate(texts)]


@dataclass
class Coin:
    """A sandbox whose verdict on a private half hangs on who asks: "sure" programs pass, others as `lands` says."""

    hash_seed: int
    lands: Iterator[bool]

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        return [self._verdict("sure" in job.program or half == "public" or next(self.lands)) for job in jobs]

    def _verdict(self, passed: bool) -> Verdict:
        return Verdict(Status.PASSED if passed else Status.FAILED, int(passed), 1)


@dataclass
class Opened:
    """Remembers under which hash seeds programs were run."""

    lands: Iterator[bool]
    hash_seeds: list[int] = field(default_factory=list)

    def __call__(self, hash_seed: int) -> nullcontext[Coin]:
        self.hash_seeds.append(hash_seed)
        return nullcontext(Coin(hash_seed, self.lands))


def labels_of(texts: Sequence[str]) -> list[Label]:
    """As if every program had passed."""
    return label_steps(steps_of(texts), PROBLEMS, ANSWERS, Coin(OWN_SEED, itertools.repeat(True)))


def auditor(opened: OpenSandbox, least: int = 8) -> Auditor:
    return Auditor(ANSWERS, opened, share=0.01, least=least)


def check(texts: Sequence[str], lands: Iterator[bool]) -> GateReport:
    gates = GATES.model_copy(update={"max_pass_rate": 1.0})
    return check_labels(labels_of(texts), steps_of(texts), [], PROBLEMS, gates, auditor(Opened(lands)))


def test_a_hundredth_of_the_programs_is_audited_but_at_least_a_few_and_always_the_same() -> None:
    rows = labels_of([f"sure {number}" for number in range(1200)])
    found = [audit(rows, PROBLEMS, auditor(Opened(itertools.repeat(True)))) for _ in range(2)]
    assert found[0] == found[1]
    assert len(found[0].rows) == 12
    assert len(audit(rows[:100], PROBLEMS, auditor(Opened(itertools.repeat(True)))).rows) == 8


def test_labels_that_repeat_are_run_once_and_under_another_hash_seed_than_theirs() -> None:
    opened = Opened(itertools.repeat(True))
    found = audit(labels_of(["sure"]), PROBLEMS, auditor(opened))
    assert opened.hash_seeds == [found.hash_seed]
    assert found.hash_seed != OWN_SEED
    assert (found.wrong, found.flaky) == ((), ())


def test_a_label_that_its_own_hash_seed_contradicts_again_and_again_is_refused_with_its_row() -> None:
    report = check(["sure 1", "dubious", "sure 2"], itertools.repeat(False))
    assert names(report) == ["label_repeats"]
    assert report.refused[0].rows[0].values["program"] == "dubious"


@pytest.mark.slow
def test_a_program_that_comes_out_now_so_now_so_is_flaky_and_counted_not_refused() -> None:
    report = check(["sure 1", "dubious", "sure 2", "sure 3"], iter([False, True, False, True]))
    assert report.passed
    assert report.audit is not None
    assert (report.audit.programs, [row.program for row in report.audit.flaky]) == (4, ["dubious"])


def test_a_public_half_that_timed_out_in_the_rollouts_alone_is_flaky_and_not_refused() -> None:
    texts = ["sure 1", "sure 2", "sure 3", "sure 4"]
    steps = [*steps_of(texts[:3]), step("starter/1", 3, 1, texts[3], Status.TIMEOUT)]
    labels = label_steps(steps, PROBLEMS, ANSWERS, Coin(OWN_SEED, itertools.repeat(True)))
    report = check_labels(labels, steps, [], PROBLEMS, GATES, auditor(Opened(itertools.repeat(True))))
    assert report.passed
    assert report.audit is not None
    assert [row.program for row in report.audit.flaky] == ["sure 4"]


def test_many_flaky_programs_are_refused_by_name_with_their_rows() -> None:
    report = check(["sure", "dubious 1", "dubious 2"], itertools.cycle([False, False, True, True]))
    assert names(report) == ["few_flaky_programs"]
    assert [row.values["program"] for row in report.refused[0].rows] == ["dubious 1", "dubious 2"]


def hash_of_a(hash_seed: int) -> int:
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", "print(hash('a'))"]
    return int(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


@pytest.mark.parametrize("hash_seed", [0, 7])
def test_programs_run_under_the_hash_seed_asked_for(hash_seed: int) -> None:
    asked = dataclasses.replace(PROBLEMS[0], public_tests=(Test(f"assert f() == {hash_of_a(hash_seed)}"),))
    with open_sandbox(1, hash_seed=hash_seed) as sandbox:
        [verdict] = sandbox.judge([Job(asked, "def f():\n    return hash('a')\n")], "public")
    assert verdict.passed


@pytest.mark.slow
def test_a_program_that_hangs_on_the_order_of_a_set_is_found_flaky_by_the_real_judge() -> None:
    hanging = ORDER.format(hash_of_a(OWN_SEED) % 2)  # right under the labels' hash seed and about half of all others
    opened = functools.partial(open_sandbox, 1, 5.0, False)
    found = [audit(labels_of([hanging, *programs(many)]), PROBLEMS, auditor(opened)) for many in range(8)]
    assert all(one.wrong == () for one in found)
    assert {row.program for one in found for row in one.flaky} == {hanging}

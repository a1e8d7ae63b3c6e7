"""The gold check: a problem whose own reference fails its tests would label every right program wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mucode.problems.names import called_beside, defined_in
from mucode.types import Answer, Half, Job, MucodeError, Problem, Sandbox, Test, TestKind, Verdict

PATIENCE = 6  # times a program's timeout, for a reference: whether a problem is sound must not depend on the machine

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Broken:
    """A problem that its own reference does not pass."""

    problem_id: str
    reason: str


def gold_check(
    problems: Sequence[Problem], answers: Sequence[Answer], sandbox: Sandbox, timeout: float | None = None
) -> list[Broken]:
    """Run every reference through the sandbox, on its public and on its private tests.

    Args:
        problems, answers: the two halves of each problem, in the same order.
        sandbox: the judge that labels will come from.
        timeout: seconds that other programs will have; a reference that takes longer makes a warning.

    Returns:
        The broken problems, in input order; empty when all is well. A problem without a reference is not broken.
    """
    golden = [(problem, answer) for problem, answer in zip(problems, answers, strict=True) if answer.reference]
    for problem, answer in golden:
        _warn_of_what_decides(problem, answer)
    broken = [Broken(p.id, "it has no test at all") for p, a in golden if not (p.public_tests or a.private_tests)]
    for problem_id, half, verdict in _verdicts(golden, sandbox):
        if not verdict.passed or verdict.tests_total == 0:
            broken.append(Broken(problem_id, _reason(verdict, half)))
        elif timeout is not None and verdict.seconds > timeout:
            logger.warning(
                "the reference of %s takes %.1f s here, and programs get %.1f s: those like it will time out; "
                "raise execution.timeout if they should not",
                *(problem_id, verdict.seconds, timeout),
            )
    order = {problem.id: place for place, problem in enumerate(problems)}
    return sorted(broken, key=lambda entry: order[entry.problem_id])


def require_gold(
    problems: Sequence[Problem], answers: Sequence[Answer], sandbox: Sandbox, timeout: float | None = None
) -> None:
    """Refuse a set that holds a broken problem.

    Args:
        problems, answers, sandbox, timeout: as for `gold_check`.

    Raises:
        MucodeError: names the broken problems and why.
    """
    broken = gold_check(problems, answers, sandbox, timeout)
    if broken:
        listed = "; ".join(f"{entry.problem_id} ({entry.reason})" for entry in broken[:10])
        more = f" and {len(broken) - 10} more" if len(broken) > 10 else ""
        raise MucodeError(f"the reference fails its own tests: {listed}{more}: correct or remove them")


def _verdicts(golden: list[tuple[Problem, Answer]], sandbox: Sandbox) -> Iterator[tuple[str, Half, Verdict]]:
    """On each reference, half by half."""
    halves: tuple[Half, ...] = ("public", "private")
    for half in halves:
        asked = [(problem, answer) for problem, answer in golden if _tests(problem, answer, half)]
        jobs = [Job(p, a.reference, a.private_tests if half == "private" else ()) for p, a in asked]
        for (problem, _), verdict in zip(asked, sandbox.judge(jobs, half), strict=True):
            yield problem.id, half, verdict


def _tests(problem: Problem, answer: Answer, half: Half) -> tuple[Test, ...]:
    return problem.public_tests if half == "public" else answer.private_tests


def _warn_of_what_decides(problem: Problem, answer: Answer) -> None:
    """Name what the asserts call of the reference's, beside the entry point: every program brings its own, and a test
    that compares with `closest(x)`, imported by the reference alone, compares with what the program says."""
    tests = [test.code for test in (*problem.public_tests, *answer.private_tests) if test.kind is TestKind.ASSERTS]
    trusted = {name for code in (problem.setup, problem.preamble, *tests) for name in defined_in(code)}
    called = {name for code in tests for name in called_beside(code, problem.entry_point)}
    lent = sorted(called & defined_in(answer.reference) - trusted - {problem.entry_point})
    if lent:
        logger.warning(
            "the asserts of %s call %s, which every program brings itself: define or import it in the setup if it is part "
            "of the test",
            *(problem.id, ", ".join(lent)),
        )


def _reason(verdict: Verdict, half: Half) -> str:
    if verdict.passed:
        return f"{half}: its tests assert nothing"
    return f"{half}: {verdict.status}, {verdict.tests_passed} of {verdict.tests_total} tests"

"""The gold check: a problem whose own reference fails its tests would label every right program wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mucode.types import Answer, Half, Job, MucodeError, Problem, Sandbox, Test, Verdict


@dataclass(frozen=True, slots=True)
class Broken:
    """A problem that its own reference does not pass."""

    problem_id: str
    reason: str


def gold_check(problems: Sequence[Problem], answers: Sequence[Answer], sandbox: Sandbox) -> list[Broken]:
    """Run every reference through the sandbox, on its public and on its private tests.

    Args:
        problems, answers: the two halves of each problem, in the same order.
        sandbox: the judge that labels will come from.

    Returns:
        The broken problems, in input order; empty when all is well. A problem without a reference is not broken.
    """
    golden = [(problem, answer) for problem, answer in zip(problems, answers, strict=True) if answer.reference]
    broken = [Broken(p.id, "it has no test at all") for p, a in golden if not (p.public_tests or a.private_tests)]
    for half in ("public", "private"):
        broken += _broken_half(golden, half, sandbox)
    order = {problem.id: place for place, problem in enumerate(problems)}
    return sorted(broken, key=lambda entry: order[entry.problem_id])


def require_gold(problems: Sequence[Problem], answers: Sequence[Answer], sandbox: Sandbox) -> None:
    """Refuse a set that holds a broken problem.

    Raises:
        MucodeError: names the broken problems and why.
    """
    broken = gold_check(problems, answers, sandbox)
    if broken:
        listed = "; ".join(f"{entry.problem_id} ({entry.reason})" for entry in broken[:10])
        more = f" and {len(broken) - 10} more" if len(broken) > 10 else ""
        raise MucodeError(f"the reference fails its own tests: {listed}{more}: correct or remove them")


def _broken_half(golden: list[tuple[Problem, Answer]], half: Half, sandbox: Sandbox) -> list[Broken]:
    asked = [(problem, answer) for problem, answer in golden if _tests(problem, answer, half)]
    jobs = [Job(p, a.reference, a.private_tests if half == "private" else ()) for p, a in asked]
    verdicts = sandbox.judge(jobs, half)
    return [
        Broken(problem.id, _reason(verdict, half))
        for (problem, _), verdict in zip(asked, verdicts, strict=True)
        if not verdict.passed or verdict.tests_total == 0
    ]


def _tests(problem: Problem, answer: Answer, half: Half) -> tuple[Test, ...]:
    return problem.public_tests if half == "public" else answer.private_tests


def _reason(verdict: Verdict, half: Half) -> str:
    if verdict.passed:
        return f"{half}: its tests assert nothing"
    return f"{half}: {verdict.status}, {verdict.tests_passed} of {verdict.tests_total} tests"

"""What the environment answers to a completion: its verdict on the public tests."""

from __future__ import annotations

from collections.abc import Sequence

from mucode.types import Completion, Half, Job, MucodeError, Problem, Sandbox, Status, Verdict


def judge_public(sandbox: Sandbox, problems: Sequence[Problem], completions: Sequence[Completion]) -> list[Verdict]:
    """One public verdict per completion, in order; a reply without a program is told so without running anything.

    Raises:
        MucodeError: the judge itself failed.
    """
    jobs = [Job(p, c.program) for p, c in zip(problems, completions, strict=True) if c.program is not None]
    verdicts = iter(judged(sandbox, jobs, "public"))
    return [
        next(verdicts) if completion.program is not None else no_code(problem)
        for problem, completion in zip(problems, completions, strict=True)
    ]


def judged(sandbox: Sandbox, jobs: Sequence[Job], half: Half) -> list[Verdict]:
    """Verdicts that say something about the programs: a failure of the judge is an error, never a verdict.

    Raises:
        MucodeError: the judge failed, with the problem it failed on.
    """
    verdicts = sandbox.judge(jobs, half)
    return [about_the_program(job, verdict) for job, verdict in zip(jobs, verdicts, strict=True)]


def about_the_program(job: Job, verdict: Verdict) -> Verdict:
    """The verdict.

    Raises:
        MucodeError: it says that the judge failed.
    """
    if verdict.status is Status.INTERNAL:
        raise MucodeError(
            f"the judge failed on a program for {job.problem.id}: run again; `mucode doctor` if it repeats"
        )
    return verdict


def no_code(problem: Problem) -> Verdict:
    """What a reply without a program is told."""
    feedback = "The reply holds no Python program. Answer with one ```python block."
    return Verdict(Status.NO_CODE, 0, len(problem.public_tests), feedback)

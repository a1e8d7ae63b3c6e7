"""Small problems for the tests of the judge."""

from __future__ import annotations

from mucode.types import Half, Job, Problem, Sandbox, Test, TestKind, Verdict

UNFINISHED = "The program ran out of time or memory."  # what a program is told of either


def job(program: str, *tests: str, setup: str = "", preamble: str = "", entry_point: str = "f") -> Job:
    """A job whose public and private tests are the same asserts."""
    asserts = tuple(Test(code) for code in tests)
    problem = Problem("toy/1", "toy", "train", "Write f.", entry_point, asserts, setup=setup, preamble=preamble)
    return Job(problem, program, asserts)


def stdio_job(program: str, *pairs: tuple[str, str]) -> Job:
    """A job of a program that reads standard input."""
    tests = tuple(Test(given, expected, TestKind.STDIO) for given, expected in pairs)
    return Job(Problem("toy/2", "toy", "train", "Read and print.", "", tests), program, tests)


def verdict_on(sandbox: Sandbox, what: Job, half: Half = "private") -> Verdict:
    """The verdict on one job."""
    return sandbox.judge([what], half)[0]

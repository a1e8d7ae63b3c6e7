"""A `Sandbox` that reads what a program means, and what a test lets pass."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.theory.world import Program, Slip
from mucode.types import Half, Job, Status, Test, Verdict

WRONG, CRASHED = "wrong answer", "crashed"


class ReadingSandbox:
    """Runs nothing. A test `example: 2 5` lets the approaches 2 and 5 pass, `edges: 2` shallow programs not even then."""

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        return [_verdict(job, half) for job in jobs]


def _verdict(job: Job, half: Half) -> Verdict:
    program = Program.read(job.program)
    tests = job.problem.public_tests if half == "public" else job.private_tests
    passed = sum(_passes(program, test) for test in tests)
    crashed = program.slip is Slip.CRASH
    status = Status.PASSED if passed == len(tests) else Status.ERROR if crashed else Status.FAILED
    told = {Status.PASSED: "", Status.ERROR: CRASHED, Status.FAILED: WRONG}[status]
    return Verdict(status, passed, len(tests), told if half == "public" else "")


def _passes(program: Program, test: Test) -> bool:
    depth, approaches = test.code.split(": ")
    careful = program.slip is Slip.NONE or (program.slip is Slip.SHALLOW and depth == "example")
    return careful and program.approach in map(int, approaches.split())

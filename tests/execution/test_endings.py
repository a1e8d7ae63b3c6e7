"""How a program that runs out of time or memory is told from one that does not, and what is said of it."""

from __future__ import annotations

import dataclasses

import pytest

from mucode.execution import open_sandbox
from mucode.execution.pool import Pool
from mucode.types import Status
from tests.execution.builders import UNFINISHED, job, stdio_job, verdict_on

_HOLDS = "keep = bytearray(b'x') * ({} << 20)\n"
_LOOPS = "def f(x):\n    while True: pass"
_GATHERS = "def f(x):\n    keep = []\n    while len(keep) >= 0: keep.append(x)"


def test_a_program_of_the_reserved_address_space_is_a_memory_error_and_harms_nobody(sandbox: Pool) -> None:
    greedy = "import mmap\nkeep = []\nwhile True: keep.append(mmap.mmap(-1, 1 << 28))"
    assert verdict_on(sandbox, job(greedy, "assert f(1)")).status is Status.MEMORY


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "status"),
    [
        (_HOLDS.format(300) + _LOOPS, Status.MEMORY),
        (_GATHERS, Status.MEMORY),
        (_HOLDS.format(8) + _LOOPS, Status.TIMEOUT),
        ("import numpy\n" + _LOOPS, Status.TIMEOUT),
    ],
)
def test_a_program_out_of_time_ran_out_of_memory_if_it_had_begun_to_gather_it(program: str, status: Status) -> None:
    asserts, reader = job(program, "assert f(1) == 2"), stdio_job(f"{program}\nf(1)", ("1", "2"))
    with open_sandbox(2, timeout=2.0) as sandbox:
        for verdict in sandbox.judge([asserts, reader], "public"):
            assert (verdict.status, verdict.feedback) == (status, UNFINISHED)


@pytest.mark.slow
def test_out_of_memory_reads_the_same_whether_the_program_notices_or_is_stopped_first() -> None:
    """Which of the two comes first depends on how busy the machine is."""
    tests = ("assert g(1) == 1", "assert f(1) == 2", "assert g(2) == 2")
    notices = job("print('hello')\ndef g(x): return x\ndef f(x): return bytearray(3 << 30)", *tests)
    is_stopped = job(f"print('hello')\ndef g(x): return x\n{_HOLDS.format(300)}{_LOOPS}", *tests)
    reading = [stdio_job(f"{program}\nf(1)", ("1", "2")) for program in ("f = lambda x: bytearray(3 << 30)", _GATHERS)]
    with open_sandbox(2, timeout=2.0) as sandbox:
        for pair in ([notices, is_stopped], reading):
            one, other = (dataclasses.replace(v, seconds=0.0) for v in sandbox.judge(pair, "public"))
            assert one == other
            assert one.status is Status.MEMORY


def test_a_test_that_makes_another_exception_of_the_end_changes_neither_status_nor_text(hasty: Pool) -> None:
    test = "try:\n    f(1)\nfinally:\n    raise ValueError('mine')"
    verdict = verdict_on(hasty, job(_LOOPS, test), "public")
    assert (verdict.status, verdict.feedback) == (Status.TIMEOUT, UNFINISHED)

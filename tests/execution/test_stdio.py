"""Programs that read standard input and print: the expected output stays with the judge."""

# ruff: noqa: E501  # programs are data: one a line

from __future__ import annotations

import pytest

from mucode.execution.judge import Judge
from mucode.execution.orders import order_for
from mucode.execution.pool import Pool
from mucode.execution.stdio import same_output
from mucode.types import Status
from tests.execution.builders import stdio_job, verdict_on

_PAIRS = (("1 2\n", "3\n"), ("10 20\n", "30\n"), ("-1 1\n", "0"))


@pytest.mark.parametrize(
    "program",
    [
        "a, b = map(int, input().split())\nprint(a + b)",
        "import sys\na, b = map(int, sys.stdin.read().split())\nsys.stdout.write(str(a + b))",
        "import sys\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))",
        "import os\nprint(sum(map(int, os.read(0, 100).split())))",
        "print(sum(map(int, open(0).read().split())))",
        "import sys\nsys.stdout.buffer.write(b'%d' % sum(map(int, sys.stdin.buffer.readline().split())))",
        "def main():\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()",
        "import sys\nprint(sum(map(int, input().split())))\nsys.exit(0)",
        "import os, sys\nprint(sum(map(int, input().split())))\nsys.stdout.flush()\nos._exit(0)",
        "import sys\nprint('x' * 10**6, file=sys.stderr)\nprint(sum(map(int, input().split())))",
        "print(sum(map(int, input().split())))\nexit()",
        "import sys\nif len(sys.argv) > 1: sys.stdin = open(sys.argv[1])\nprint(sum(map(int, input().split())))",
        "import fileinput\nfor line in fileinput.input(): print(sum(map(int, line.split())))",
        "import threading, time\ndef main():\n    time.sleep(0.05)\n    print(sum(map(int, input().split())))\nthreading.Thread(target=main).start()",
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(2).submit(lambda: print(sum(map(int, input().split()))))",
        "import atexit, io, sys\nsys.stdout = io.StringIO()\natexit.register(lambda: sys.__stdout__.write(sys.stdout.getvalue()))\nprint(sum(map(int, input().split())))",
        "import asyncio\nasync def main():\n    print(await asyncio.to_thread(lambda: sum(map(int, input().split()))))\nasyncio.run(main())",
        "import sys\nprint(sum(map(int, input().split())))\nsys.stdout.close()",
        "out = open(1, 'w')\nout.write(str(sum(map(int, input().split()))))",
        "import os\nos.chdir(os.path.dirname(os.path.abspath(__file__)))\nprint(sum(map(int, input().split())))",
    ],
)
def test_every_usual_way_of_reading_and_printing_passes(sandbox: Pool, program: str) -> None:
    verdict = verdict_on(sandbox, stdio_job(program, *_PAIRS))
    assert (verdict.status, verdict.tests_passed, verdict.tests_total) == (Status.PASSED, 3, 3)


@pytest.mark.parametrize(
    ("program", "status", "passed"),
    [
        ("print(3)", Status.FAILED, 1),
        ("print(input())", Status.FAILED, 0),
        ("pass", Status.FAILED, 0),
        ("a, b = input().split()\nprint(int(a) + int(b))\n1 / 0", Status.ERROR, 0),
        ("while True: pass", Status.TIMEOUT, 0),
        ("import os\nos._exit(1)", Status.ERROR, 0),
        ("x = bytearray(10**10)", Status.MEMORY, 0),
        ("import socket\nsocket.socket()", Status.DENIED, 0),
        ("print(", Status.ERROR, 0),
        ("import os\nos.abort()", Status.ERROR, 0),
    ],
)
def test_a_wrong_program_fails_with_the_reason(
    sandbox: Pool, hasty: Pool, program: str, status: Status, passed: int
) -> None:
    judges = hasty if status is Status.TIMEOUT else sandbox  # one that ends by itself is given the time to
    verdict = verdict_on(judges, stdio_job(program, *_PAIRS))
    assert (verdict.status, verdict.tests_passed) == (status, passed)


def test_the_expected_output_is_nowhere_in_the_program_s_reach(sandbox: Pool) -> None:
    spy = (
        "import gc, os, sys\nfound = repr(gc.get_objects())\nfor n in range(3, 64):\n"
        "    try: found += repr(os.pread(n, 1000, 0))\n    except OSError: pass\n"
        "wanted = '546372819'[::-1]\nprint(wanted if wanted in found else 'no')"
    )
    assert verdict_on(sandbox, stdio_job(spy, ("1", "918273645"))).status is Status.FAILED


def test_a_forged_answer_on_the_wire_prints_nothing(sandbox: Pool) -> None:
    forge = (
        "import os\nframe = lambda t: len(t).to_bytes(4, 'big') + t\nfor n in range(3, 64):\n"
        "    try: os.write(n, frame(b'[\"value\",null,[]]'))\n    except OSError: pass\n"
    )
    assert not verdict_on(sandbox, stdio_job(forge, *_PAIRS)).passed


def test_each_input_meets_a_fresh_process(scratch: Pool) -> None:
    remember = "import os\nprint(len(os.listdir('.')))\nopen('left', 'w').close()"
    assert verdict_on(scratch, stdio_job(remember, ("", "0"), ("", "0"))).passed


@pytest.mark.parametrize("leave", ["import os\nos.mkdir('left')\n", "import tempfile\ntempfile.mkdtemp()\n"])
def test_an_input_whose_program_leaves_a_directory_does_not_cost_the_next_its_label(sandbox: Pool, leave: str) -> None:
    verdict = verdict_on(sandbox, stdio_job(f"{leave}print(sum(map(int, input().split())))", *_PAIRS))
    assert (verdict.status, verdict.tests_passed) == (Status.PASSED, 3)


def test_after_an_input_that_takes_too_much_memory_no_other_is_tried(judge_here: Judge) -> None:
    """A program that is out of time with memory gathered is one, too, and would take its whole time for each."""
    outcome = judge_here.judge(order_for(stdio_job("x = bytearray(10**10)", *_PAIRS), "private"))
    assert (outcome.status, judge_here.plain.programs) == (Status.MEMORY, 1)


def test_ten_megabytes_of_output_and_input_pass(sandbox: Pool) -> None:
    text = "y" * 10**7
    assert verdict_on(sandbox, stdio_job("print(input())", (text, text))).passed


def test_output_beyond_the_limit_fails(hasty: Pool) -> None:
    assert not verdict_on(hasty, stdio_job("while True: print('y' * 1000)", ("", "y"))).passed


def test_the_feedback_shows_input_expected_and_printed(sandbox: Pool) -> None:
    text = verdict_on(sandbox, stdio_job("print(7)", ("1 2\n", "3\n")), "public").feedback
    assert text == "Input:\n1 2\nExpected output:\n3\nPrinted output:\n7"


def test_the_private_half_gives_no_feedback(sandbox: Pool) -> None:
    assert verdict_on(sandbox, stdio_job("print(7)", ("1 2\n", "3\n"))).feedback == ""


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("1 2\n3", "1   2 3\n", True),
        ("1.0000001", "1.0", True),
        ("1", "1.0", True),
        ("1e0", "1.0", True),
        ("0.33333334", "0.3333333333", True),
        ("1.1", "1.0", False),
        ("1.0", "1", False),
        ("10000001", "10000000", False),
        ("nan", "1.0", False),
        ("inf", "1.0", False),
        ("1_0.0", "10.0", False),
        ("\u0661.\u0660", "1.0", False),
        ("Yes", "YES", False),
        ("1 2", "1 2 3", False),
        ("", "", True),
    ],
)
def test_outputs_are_compared_by_tokens_with_a_tolerance_for_floats(printed: str, expected: str, same: bool) -> None:
    assert same_output(printed, expected) is same

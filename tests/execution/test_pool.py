"""Judges, zygotes and programs die, stop and hang; labels stay right, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from mucode.execution import open_sandbox
from mucode.execution.pool import Pool
from mucode.types import Job, MucodeError, Status
from tests.execution.builders import job
from tests.execution.processes import alive, descendants, eventually, judges, programs, zygotes

_SLOW = "import time\ndef f(x):\n    time.sleep(0.25)\n    return x + 1\n# {}"
_MAIN = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with SIGINT ignored
from mucode.execution import open_sandbox
from tests.execution.builders import job
sandbox = open_sandbox(2)
sandbox.submit(job("def f(x):\\n    while True: pass", "assert f(1)"), "private")
sandbox.submit(job("def f(x): return x", "assert f(1)"), "private")
while True:
    sandbox.wait(0.2)
    print("judging", flush=True)
"""


def slow_jobs(count: int) -> list[Job]:
    return [job(_SLOW.format(number), "assert f(1) == 2", "assert f(2) == 3") for number in range(count)]


def while_judging(sandbox: Pool, jobs: list[Job], harm: Callable[[], None]) -> list[Status]:
    """Statuses of jobs during which something happens as soon as a program is running."""

    def when_running() -> None:
        if eventually(lambda: bool(programs())):
            time.sleep(0.15)  # past its start
            harm()

    sandbox.judge([job("def f(x): return x", "assert f(1)")], "private")  # the self-test is over
    thread = threading.Thread(target=when_running)
    thread.start()
    verdicts = sandbox.judge(jobs, "private")
    thread.join()
    return [verdict.status for verdict in verdicts]


def kill(processes: Callable[[], list[int]], number: int = signal.SIGKILL) -> Callable[[], None]:
    """Signals the first of them, or on a slow machine the first that there is in time."""

    def signalled() -> bool:
        for process in processes()[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
                return True
        return False

    def harm() -> None:
        assert eventually(signalled)

    return harm


@pytest.mark.slow
@pytest.mark.parametrize("victim", [judges, zygotes, programs], ids=["judge", "zygote", "program"])
def test_a_killed_process_costs_no_label(victim: Callable[[], list[int]]) -> None:
    with open_sandbox(2, timeout=5.0) as sandbox:
        assert while_judging(sandbox, slow_jobs(3), kill(victim)) == [Status.PASSED] * 3


@pytest.mark.slow
def test_a_stopped_program_is_tried_again_and_gets_its_label() -> None:
    with open_sandbox(1, timeout=1.5) as sandbox:
        assert while_judging(sandbox, slow_jobs(1), kill(programs, signal.SIGSTOP)) == [Status.PASSED]


@pytest.mark.slow
def test_what_a_zygote_has_done_for_earlier_programs_is_not_counted_as_this_one_s() -> None:
    idle = job("import time\ndef f(x):\n    time.sleep(0.2)\n    return x", "assert f(1) == 1")
    earlier = [job(f"def f(x): return x  # {number}", "assert f(1) == 1") for number in range(100)]
    with open_sandbox(1, timeout=0.3) as sandbox:
        sandbox.judge(earlier, "private")
        assert while_judging(sandbox, [idle], kill(programs, signal.SIGSTOP)) == [Status.PASSED]


@pytest.mark.slow
def test_a_stopped_zygote_or_judge_is_replaced() -> None:
    for victim in (zygotes, judges):
        with open_sandbox(1, timeout=1.5) as sandbox:
            assert while_judging(sandbox, slow_jobs(2), kill(victim, signal.SIGSTOP)) == [Status.PASSED] * 2


def test_a_judge_that_always_dies_says_that_the_label_is_missing() -> None:
    with open_sandbox(1, timeout=5.0) as sandbox:
        ending = threading.Event()

        def kill_every_judge() -> None:
            while not ending.is_set():
                for process in judges():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                time.sleep(0.02)

        thread = threading.Thread(target=kill_every_judge)
        thread.start()
        try:
            status = sandbox.judge(slow_jobs(1), "private")[0].status
        finally:  # or it would kill the judges of later tests
            ending.set()
            thread.join()
    assert status is Status.INTERNAL


@pytest.mark.slow
def test_a_result_that_holds_the_judge_in_c_code_is_a_timeout_and_the_next_label_is_right() -> None:
    with open_sandbox(1, timeout=0.5) as sandbox:
        endless = job("def f(x): return range(10**15)", "assert sum(f(1)) == 3")
        verdicts = sandbox.judge([endless, job("def f(x): return x", "assert f(3) == 3")], "private")
        assert [verdict.status for verdict in verdicts] == [Status.TIMEOUT, Status.PASSED]


def test_closing_leaves_no_process() -> None:
    before = set(descendants(os.getpid()))
    with open_sandbox(2) as sandbox:
        sandbox.judge([job("def f(x): return x", "assert f(1) == 1")], "private")
        started = set(descendants(os.getpid())) - before
        assert len(started) >= 4
    assert eventually(lambda: not any(map(alive, started)))


_POLITE = [pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGTERM, signal.SIGINT)]


@pytest.mark.parametrize("number", [signal.SIGKILL, *_POLITE])
def test_everything_ends_soon_after_the_main_process(number: int) -> None:
    main = subprocess.Popen([sys.executable, "-c", _MAIN], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert main.stdout is not None
    for _ in range(4):
        main.stdout.readline()
    assert eventually(lambda: len(descendants(main.pid)) >= 4, 60)
    started = descendants(main.pid)
    main.send_signal(number)
    main.wait()
    main.stdout.close()
    assert eventually(lambda: not any(map(alive, started)))


def test_verdicts_come_in_the_order_of_the_jobs(sandbox: Pool) -> None:
    jobs = [job(f"def f(x): return {number % 3}", "assert f(1) == 1") for number in range(12)]
    assert [verdict.passed for verdict in sandbox.judge(jobs, "private")] == [number % 3 == 1 for number in range(12)]


def test_equal_programs_of_one_problem_are_run_once(sandbox: Pool) -> None:
    right, wrong = (job(f"def f(x): return {number}  # once", "assert f(1) == 1") for number in (1, 2))
    before = sandbox.numbers
    verdicts = sandbox.judge([right, wrong, right, right, wrong], "private")
    assert [verdict.passed for verdict in verdicts] == [True, False, True, True, False]
    assert sandbox.numbers == before + 2


def test_the_stream_of_jobs_is_read_no_further_than_needed(sandbox: Pool) -> None:
    taken = 0

    def endless() -> Callable[[], Job]:
        def take() -> Job:
            nonlocal taken
            taken += 1
            return job(f"def f(x): return {taken}", "assert f(1) == 1")

        return take

    stream = sandbox.judge_iter(iter(endless(), None), "private")
    seen = [next(stream) for _ in range(20)]
    stream.close()  # type: ignore[attr-defined]
    assert {index: verdict.passed for index, verdict in seen}[0] is True
    assert taken <= 30


def test_an_empty_half_is_passed_without_a_run(sandbox: Pool) -> None:
    verdict = sandbox.judge([job("not even Python")], "public")[0]
    assert (verdict.status, verdict.tests_passed, verdict.tests_total) == (Status.PASSED, 0, 0)


def test_a_closed_sandbox_says_so() -> None:
    sandbox = open_sandbox(1)
    sandbox.close()
    with pytest.raises(MucodeError, match="closed"):
        sandbox.judge([job("def f(x): return x", "assert f(1)")], "private")


def test_ten_megabytes_in_both_directions_do_not_deadlock(sandbox: Pool) -> None:
    program = "def f(x):\n    print('y' * 10**7)\n    return x + x\n"
    echo = job(program, "x = 'é' * 5_000_000\nassert f(x) == x + x")
    assert sandbox.judge([echo], "private")[0].passed


def test_a_full_scratch_directory_harms_nobody_else(scratch: Pool) -> None:
    fill = "def f(x):\n    with open('full', 'wb') as file:\n        while True: file.write(bytes(1 << 20))\n"
    use = "def f(x):\n    with open('n', 'w') as file: file.write(str(x))\n    return int(open('n').read())\n# {}"
    jobs = [job(fill, "f(1)\nassert True"), *(job(use.format(number), "assert f(3) == 3") for number in range(4))]
    verdicts = scratch.judge(jobs, "private")
    assert [verdict.passed for verdict in verdicts] == [False, True, True, True, True]


def test_directories_left_behind_are_gone_for_the_next_program(scratch: Pool) -> None:
    leave = "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').close()\ndef f(x): return os.listdir('.')\n# {}"
    jobs = [job(leave.format(number), "assert f(1) == ['a']") for number in range(6)]
    assert all(verdict.passed for verdict in scratch.judge(jobs, "private"))


@pytest.mark.slow
def test_a_machine_so_busy_that_programs_hardly_run_fails_no_honest_one() -> None:
    """Thirty loops compete for the processors: a program gets a fraction of the wall time that it waits."""
    jobs = [
        job(f"def f(x):\n    return x + 1 + 0 * sum(range(9_000_{number:03}))", "assert f(1) == 2")
        for number in range(4)
    ]
    rivals = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(30)]
    try:
        with open_sandbox(workers=2, timeout=1.0) as pool:
            verdicts = pool.judge(jobs, "private")
            endless = pool.judge([job("def f(x):\n    while True: pass", "assert f(1)")], "private")
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()
    assert [verdict.status for verdict in verdicts] == [Status.PASSED] * 4
    assert max(verdict.seconds for verdict in verdicts) > 1.0  # the machine was busy indeed
    assert endless[0].status is Status.TIMEOUT


@pytest.mark.slow
@pytest.mark.parametrize("workers", [len(os.sched_getaffinity(0)), len(os.sched_getaffinity(0)) + 1])
def test_as_many_judges_as_processors_have_one_each_and_others_the_run_of_all(workers: int) -> None:
    at_hand, others = os.sched_getaffinity(0), set(zygotes())
    with open_sandbox(workers) as sandbox:
        sandbox.judge(slow_jobs(1), "private")
        found = [os.sched_getaffinity(post.process) for post in sandbox.posts]
        started = {frozenset(os.sched_getaffinity(zygote)) for zygote in set(zygotes()) - others}
        assert started
        assert started <= set(map(frozenset, found))
    assert sorted(found, key=sorted) == (
        [{each} for each in sorted(at_hand)] if workers == len(at_hand) else [at_hand] * workers
    )


@pytest.mark.slow
def test_a_judge_that_replaces_a_lost_one_runs_where_that_one_did() -> None:
    with open_sandbox() as sandbox:
        sandbox.judge(slow_jobs(1), "private")
        before = [os.sched_getaffinity(post.process) for post in sandbox.posts]
        os.kill(sandbox.posts[0].process, signal.SIGKILL)
        assert all(verdict.passed for verdict in sandbox.judge(slow_jobs(4), "private"))
        assert [os.sched_getaffinity(post.process) for post in sandbox.posts] == before

"""A judge's own process: what it remembers, what it lets go of, and what it does when it has no memory left."""

from __future__ import annotations

import gc

import pytest

from mucode.execution import judge, open_sandbox
from mucode.execution.crossing import Crossing
from mucode.execution.judge import Judge
from mucode.execution.orders import order_for
from mucode.execution.raised import Raised
from mucode.execution.session import Session
from mucode.types import Status
from tests.execution.builders import UNFINISHED, job, verdict_on


def test_a_judge_forgets_the_oldest_problems_and_judges_them_as_before(
    judge_here: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "_REMEMBERED", 100)
    orders = [order_for(job("def f(x): return x", f"assert f({n}) == {n}"), "private") for n in [*range(20), 0]]
    assert [judge_here.judge(order).status for order in orders] == [Status.PASSED] * 21
    assert 0 < judge_here.remembered == sum(map(judge._length, judge_here.prepared)) <= 100


@pytest.mark.parametrize(
    ("program", "test"),
    [
        ("def f(x): raise ValueError(x)", "assert f(1) == 1"),
        ("def f(x): return x", "def check(candidate):\n    assert candidate(1) == 2\ncheck(f)"),
        ("import os\ndef f(x): os._exit(0)", "assert f(1) == 1"),
        ("class f:\n    def __init__(self, x): self.xs = [x]", "one = f(1)\nassert one.xs == [2]"),
    ],
)
def test_a_label_leaves_nothing_for_the_collector(judge_here: Judge, program: str, test: str) -> None:
    gc.collect()
    before = _living()
    gc.disable()
    try:
        assert not judge_here.judge(order_for(job(program, test), "public")).verdict().passed
        assert _living() == before
    finally:
        gc.enable()


_RING = "def f(x):\n    ring = ['ring']\n    ring.append(ring)\n    return ring"


def _is_ring(found: object) -> bool:
    """By its text alone: lists of other tests hold arrays, which compare element by element."""
    return type(found) is list and bool(found) and type(found[0]) is str and found[0] == "ring"


def test_results_that_refer_to_themselves_are_collected_after_so_many_bytes(
    judge_here: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "_UNCOLLECTED", 200)
    orders = [order_for(job(f"{_RING} # {number}", "assert f(1) == 1"), "private") for number in range(40)]
    gc.disable()
    try:
        for order in orders:
            judge_here.judge(order)
        assert sum(map(_is_ring, gc.get_objects())) < 10
    finally:
        gc.enable()


def test_a_judge_that_has_no_memory_left_doubts_its_verdict_and_says_so(judge_here: Judge) -> None:
    order = order_for(job("def f(x): return 1 << 62", "assert len(bytearray(f(1))) == 1"), "public")
    outcome = judge_here.judge(order)
    assert (outcome.status, outcome.doubtful, outcome.spent) == (Status.MEMORY, True, True)
    assert outcome.text == UNFINISHED


@pytest.mark.slow
def test_a_judge_without_memory_is_replaced_and_the_program_labelled_by_another() -> None:
    greedy = job("def f(x): return 3 << 30", "assert len(bytearray(f(1))) == 1")
    with open_sandbox(workers=1) as pool:
        assert verdict_on(pool, job("def f(x): return x", "assert f(1) == 1")).passed
        first = pool.posts[0].process
        assert verdict_on(pool, greedy).status is Status.MEMORY
        assert verdict_on(pool, job("def f(x): return x", "assert f(2) == 2")).passed
        assert pool.posts[0].process != first


@pytest.mark.slow
def test_a_test_that_takes_the_alarm_for_itself_takes_it_from_no_other() -> None:
    taken = job("def f(x): return x", "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nassert f(1) == 1")
    endless = job("def f(x): return x", "assert f(1) == 1\nwhile True:\n    pass")
    with open_sandbox(workers=1, timeout=0.4) as alone:
        assert [each.status for each in alone.judge([taken, endless], "private")] == [Status.PASSED, Status.TIMEOUT]


def _living() -> int:
    return sum(type(each) in (Session, Crossing, Raised) for each in gc.get_objects())

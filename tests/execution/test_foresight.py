"""Which calls are asked for ahead: those that a test makes whatever the program is, and no other."""

# ruff: noqa: E501  # programs, tests and forms are data: one a line

from __future__ import annotations

import ast

import pytest

from mucode.execution.foresight import foresee
from mucode.execution.pool import Pool
from tests.execution.builders import job, verdict_on


@pytest.mark.parametrize(
    ("test", "calls"),
    [
        ("assert f(1) == 2", [("f", [1])]),
        ("assert f(1, [2], 'x') == 2\nassert f() == 1", [("f", [1, [2], "x"]), ("f", [])]),
        ("import math\nassert math.isclose(f(2.5), 1)", [("f", [2.5])]),
        ("X = {'a': 1}\ndef check(c):\n    assert c(-1) == 1, 'no'\n    assert True\ncheck(f)", [("f", [-1])]),
        ("assert f(1) == 2\nx = f(2)\nassert f(3)", [("f", [1])]),
        ("assert f(1) == f(2)", []),
        ("assert True or f(1)", []),
        ("assert [f(1) for _ in 'ab']", []),
        ("assert (lambda: f(1))", []),
        ("assert 1 if f(1) else f(2)", []),
        ("assert 1 < f(1) < 3", []),
        ("assert f(x) == 1", []),
        ("assert f(g(1)) == 1", []),
        ("assert f({1, 2}) == 1", []),
        ("assert f(a=1) == 1", []),
        ("assert f(*[1]) == 1", []),
        ("assert f(1) == 1, f(2)", []),
        ("for x in range(3):\n    assert f(1) == 1", []),
        ("if f:\n    assert f(1) == 1", []),
        ("assert map(f, [1])", []),
        ("X = [1]\nimport math as m\ndef near(a, b):\n    return a\nassert f(1) == X[0] + m.pi", [("f", [1])]),
        ("def run(x):\n    return f(x)\nassert run(1) == 1\nassert f(2) == 3", []),
        ("def run(x):\n    return f(x)\nassert f(1) == 1\nassert f(2) == run(3)\nassert f(4) == 8", [("f", [1])]),
        ("def abs(x):\n    return f(x)\nassert abs(1) == 1\nassert f(2) == 3", []),
        ("h = f\nassert h(1) == 1\nassert f(10) == 11", []),
        ("h = [f]\nassert h[0](1) == 1\nassert f(10) == 11", []),
        ("h = lambda: f(1)\nassert h() == 1\nassert f(10) == 11", []),
        ("assert globals()['f'](1) == 1\nassert f(10) == 11", []),
        ("assert eval('f(1)') == 1\nassert f(10) == 11", []),
        ("import sys\nassert getattr(sys.modules['tests'], 'f')(1) == 1\nassert f(10) == 11", []),
        ("before = f.count\nassert f(5) == 5\nassert before == 0", []),
        ("def run(x, y=f(1)):\n    return y\nassert f(2) == 2", []),
        ("@g\ndef run(x):\n    return x\nassert f(2) == 2", []),
        ("def f(x):\n    return x\nassert f(2) == 2", []),
        ("def run(x):\n    return f(x)\ndef check(c):\n    assert c(1) == 1\n    assert f(2) == 2\ncheck(run)", []),
    ],
)
def test_only_sure_calls_are_foreseen(test: str, calls: list[object]) -> None:
    assert foresee([ast.parse(test)], {"f", "g"}) == calls


def test_foreseen_calls_happen_once_and_in_order(sandbox: Pool) -> None:
    program = "seen = []\ndef f(x):\n    seen.append(x)\n    return list(seen)"
    assert verdict_on(
        sandbox, job(program, "assert f(1) == [1]\nassert f(2) == [1, 2]", "assert f(3) == [1, 2, 3]")
    ).passed


def test_a_function_of_two_names_is_called_once_for_each_assert(sandbox: Pool) -> None:
    program = "n = 0\ndef f(x):\n    global n\n    n += x\n    return n\ng = f"
    assert verdict_on(sandbox, job(program, "assert f(1) == 1\nassert g(2) == 3", "assert f(3) == 6")).passed


def test_a_result_that_stays_with_the_program_stops_the_foresight(sandbox: Pool) -> None:
    program = "n = [0]\ndef f(x):\n    n[0] += 1\n    now = n[0]\n    def values():\n        yield from (now, n[0])\n    return values()"
    assert verdict_on(sandbox, job(program, "assert list(f(1)) == [1, 1]", "assert list(f(1)) == [2, 2]")).passed


def test_a_false_assert_in_a_check_hides_what_would_come_after(sandbox: Pool) -> None:
    program = "def f(x):\n    while x > 1: pass\n    return x"
    check = "def check(c):\n    assert c(1) == 5\n    assert c(2) == 2\ncheck(f)"
    assert verdict_on(sandbox, job(program, check)).status == "failed"


@pytest.mark.parametrize(
    "test",
    [
        "def run(xs):\n    for x in xs: last = f(x)\n    return last\nassert run([1, 2]) == 3\nassert f(10) == 13",
        "h = f\nassert h(3) == 3\nassert f(10) == 13",
        "before = f.calls\nassert f(3) == 3\nassert before == 0 and f.calls == 1",
    ],
)
def test_a_helper_or_another_name_calls_the_program_in_its_turn(sandbox: Pool, test: str) -> None:
    program = "total = 0\ndef f(x):\n    global total\n    f.calls, total = f.calls + 1, total + x\n    return total\nf.calls = 0"
    assert verdict_on(sandbox, job(program, test)).passed


def test_a_helper_of_the_prompt_calls_the_program_in_its_turn(sandbox: Pool) -> None:
    program = "total = 0\ndef f(x):\n    global total\n    total += x\n    return total"
    preamble = "def abs(x):\n    return f(x)\n"
    assert verdict_on(sandbox, job(program, "assert abs(3) == 3\nassert f(10) == 13", preamble=preamble)).passed

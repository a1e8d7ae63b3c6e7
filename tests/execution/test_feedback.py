"""The text that a generator gets back: own lines, own values, the same each time, and short."""

from __future__ import annotations

import pytest

from mucode.execution.feedback import LIMIT
from mucode.execution.pool import Pool
from mucode.types import Status
from tests.execution.builders import job, verdict_on


def feedback(sandbox: Pool, program: str, *tests: str, entry_point: str = "f") -> str:
    return verdict_on(sandbox, job(program, *tests, entry_point=entry_point), "public").feedback


def test_a_failing_assert_shows_what_came_back(sandbox: Pool) -> None:
    assert feedback(sandbox, "def f(x): return x + 2", "assert f(1) == 2") == "assert f(1) == 2\n  f(1) returned 3"


def test_the_first_failing_test_is_shown(sandbox: Pool) -> None:
    text = feedback(
        sandbox, "def f(x, y=0): return x", "assert f(1) == 1", "assert f(2, y=[1]) == 3", "assert f(4) == 5"
    )
    assert text == "assert f(2, y=[1]) == 3\n  f(2, y=[1]) returned 2"


def test_a_call_is_shown_with_the_arguments_that_it_was_given(sandbox: Pool) -> None:
    program = "def f(x, y=()):\n    x.sort()\n    x.append(y)\n    return x[0]"
    text = feedback(sandbox, program, "xs = [3, 1, 2]\nassert f(xs, y=[xs]) == 2")
    assert text == "assert f(xs, y=[xs]) == 2\n  f([3, 1, 2], y=[[3, 1, 2]]) returned 1"


def test_arguments_that_are_no_plain_data_are_shown(sandbox: Pool) -> None:
    program = "class Odd(Exception): pass\nclass A: pass\ndef f(*xs): return 1\nt = (1, 2)"
    setup = "class B:\n    def __init__(self): self.x = 1\n    def __repr__(self): return f'B({self.x})'"
    setup += "\nimport math\nfrom fractions import Fraction\ndef own(): pass"
    test = "a = A()\nassert f(a, f, Odd, own, math.sin, B(), Fraction(1, 2), t) == 2"
    text = verdict_on(sandbox, job(program, test, setup=setup), "public").feedback
    assert text.split("\n")[2] == (
        "  f(<an object of the program>, <an object of the program>, <class 'solution.Odd'>, <function own>, "
        "<built-in function sin>, B(1), Fraction(1, 2), (1, 2)) returned 1"
    )


def test_an_exception_shows_the_program_s_own_lines(sandbox: Pool) -> None:
    program = "def g(x):\n    return 1 / x\n\ndef f(x):\n    return g(x)\n"
    assert feedback(sandbox, program, "assert f(0) == 2") == (
        "assert f(0) == 2\nTraceback (most recent call last):\n"
        '  File "solution.py", line 5, in f\n    return g(x)\n'
        '  File "solution.py", line 2, in g\n    return 1 / x\n'
        "ZeroDivisionError: division by zero"
    )


def test_a_syntax_error_shows_its_line(sandbox: Pool) -> None:
    text = feedback(sandbox, "x = 1\ndef f(:\n", "assert f(0) == 2")
    assert text == '  File "solution.py", line 2\n    def f(:\nSyntaxError: invalid syntax'


def test_an_exception_at_import_shows_its_line(sandbox: Pool) -> None:
    text = feedback(sandbox, "x = {}\nx['a']\n", "assert f(0) == 2")
    assert (
        text
        == "Traceback (most recent call last):\n  File \"solution.py\", line 2, in <module>\n    x['a']\nKeyError: 'a'"
    )


def test_a_missing_function_is_named(sandbox: Pool) -> None:
    assert (
        feedback(sandbox, "def g(): pass", "assert f(0) == 2") == "assert f(0) == 2\nNameError: name 'f' is not defined"
    )


def test_deep_recursion_is_cut(sandbox: Pool) -> None:
    text = feedback(sandbox, "def f(x):\n    return f(x)", "assert f(0) == 2")
    assert "more frames ..." in text
    assert text.endswith("RecursionError: maximum recursion depth exceeded")


def test_a_program_that_does_not_finish_is_told_so(hasty: Pool) -> None:
    text = feedback(hasty, "def f(x):\n    while True: pass", "assert f(0) == 2")
    assert text == "The program ran out of time or memory."


def test_the_end_of_the_printed_output_is_shown(sandbox: Pool) -> None:
    text = feedback(sandbox, "def f(x):\n    print('a' * 1000, 'end')\n    return 1", "assert f(0) == 2")
    assert text.endswith("aaa end")
    assert "\nPrinted output:\n...aaa" in text


def test_the_output_is_shown_also_where_answers_are_left_that_no_assert_took(sandbox: Pool) -> None:
    check = "def check(candidate):\n" + "".join(f"    assert candidate({n}) == 0\n" for n in range(1, 4)) + "check(f)"
    text = feedback(sandbox, "def f(x):\n    print('said', x)\n    return x", check)
    assert text.endswith("Printed output:\nsaid 1\nsaid 2\nsaid 3")


@pytest.mark.parametrize(
    "program",
    [
        "def f(x): return 'x' * 10**6",
        "def f(x): raise ValueError('x' * 10**6)",
        "print('x' * 10**6)\ndef f(x): return 1",
        "def f(x): return list(range(10**6))",
        "x = '" + "y" * 10**5 + "' +\n",
        "def f(x): raise type('E' * 10**5, (Exception,), {})",
    ],
)
def test_it_is_never_longer_than_the_limit(sandbox: Pool, program: str) -> None:
    assert 0 < len(feedback(sandbox, program, "assert f(0) == 2")) <= LIMIT


def test_addresses_are_left_out_so_that_it_is_the_same_each_time(sandbox: Pool) -> None:
    text = feedback(sandbox, "def f(x): raise ValueError(object(), f)", "assert f(0) == 2")
    assert text.endswith("ValueError: (<object object>, <function f>)")


def test_it_can_be_written_as_utf8_whatever_the_program_says(sandbox: Pool) -> None:
    text = feedback(sandbox, "def f(x):\n    print('\\ud800')\n    raise ValueError('\\udfff é')", "assert f(0) == 2")
    assert "é" in text
    assert text.encode()


def test_the_private_half_has_none(sandbox: Pool) -> None:
    for program in ("def f(x): return 1", "def f(x): 1 / 0", "def f(:", "import os\nos._exit(0)", "def f(x): return f"):
        assert verdict_on(sandbox, job(program, "assert f(0) == 2"), "private").feedback == ""


def test_a_number_too_long_for_text_is_a_wrong_answer_like_any_other(sandbox: Pool) -> None:
    huge = "def f(x): return 10 ** 100_000"
    assert feedback(sandbox, huge, "assert f(1) == 2") == (
        "assert f(1) == 2\n  f(1) returned <int that is too long to show>"
    )
    verdict = verdict_on(sandbox, job(huge, "assert {1: 2}[f(1)] == 2", "assert f(1) == 10 ** 100_000"), "public")
    assert (verdict.status, verdict.tests_passed) == (Status.FAILED, 1)
    assert verdict.feedback.endswith("KeyError")

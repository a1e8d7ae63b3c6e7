"""What a program raises arrives in the test as what it is, and as nothing that would serve the program."""

# ruff: noqa: E501  # programs, tests and forms are data: one a line

from __future__ import annotations

import pytest

from mucode.execution.pool import Pool
from mucode.types import Status
from tests.execution.builders import job, verdict_on


@pytest.mark.parametrize(
    "program",
    [
        "from decimal import Decimal\nraise OSError(Decimal('sNaN'), 'x')",
        "class U(UnicodeDecodeError): __str__ = lambda s: 'bad'\ndef f(x): raise U('utf-8', b'abc', -10**12, 1 - 10**12, 'x')",
        "def f(x): raise UnicodeDecodeError('utf-8', b'abc', -20, -19, 'x')",
        "def f(x): raise SyntaxError('x', ('a', -1, [], b''))",
    ],
)
def test_an_exception_with_odd_arguments_fails_the_program_and_not_the_judge(sandbox: Pool, program: str) -> None:
    test = "try:\n    f(1)\nexcept Exception as error:\n    assert str(error) == repr(error) * 2"
    assert verdict_on(sandbox, job(program, test)).status in (Status.ERROR, Status.FAILED)


def test_no_exception_of_a_test_library_s_ends_a_test_well(sandbox: Pool) -> None:
    test = (
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(1), 2)\n"
        "result = unittest.TestResult()\nT('test').run(result)\nassert result.wasSuccessful() and not result.skipped"
    )
    for kind in ("unittest.SkipTest", "unittest.case._ShouldStop"):
        assert not verdict_on(sandbox, job(f"import unittest\ndef f(x): raise {kind}", test)).passed
    assert verdict_on(sandbox, job("def f(x): return x + 1", test)).passed


@pytest.mark.parametrize(
    ("setup", "program", "told"),
    [
        (
            "class Bad(Exception):\n    code = 0\n    def __init__(self, code):\n        super().__init__(code)\n        self.code = code",
            "def f(x): raise Bad(5)",
            "error.code == 5",
        ),
        (
            "class Bad(Exception):\n    def __init__(self, found): self.found = found\n    def __len__(self): return len(self.found)",
            "def f(x): raise Bad('')",
            "error.found == ''",
        ),
        ("class Bad(ValueError, OSError): pass", "def f(x): raise Bad('a')", "error.args == ('a',)"),
    ],
)
def test_an_exception_of_the_setup_s_arrives_as_it_is(sandbox: Pool, setup: str, program: str, told: str) -> None:
    test = f"try:\n    f(1)\nexcept Bad as error:\n    assert {told}\nelse:\n    assert False"
    assert verdict_on(sandbox, job(program, test, setup=setup)).passed


_BAD = """
class Bad(KeyError):
    def __init__(self, code):
        super().__init__(f"code {code}", code)
        self.code = code
    def twice(self):
        return 2 * self.code
class Stop(StopIteration):
    pass
"""


@pytest.mark.parametrize("where", ["setup", "preamble"])
@pytest.mark.parametrize(
    "program",
    ["def f(x): raise Bad(x)", "class Worse(Bad): pass\ndef f(x): raise Worse(x)", f"{_BAD}def f(x): raise Bad(x)"],
)
def test_an_exception_of_the_setup_s_or_the_prompt_s_class_is_caught_as_such(
    sandbox: Pool, program: str, where: str
) -> None:
    test = "try:\n    f(5)\nexcept Bad as error:\n    assert error.args == ('code 5', 5) and error.twice() == 10\nelse:\n    assert False"
    assert verdict_on(sandbox, job(program, test, **{where: _BAD})).passed


def test_an_exception_of_a_trusted_class_ends_no_loop_of_the_test(sandbox: Pool) -> None:
    verdict = verdict_on(sandbox, job("def f(x): raise Stop", "assert all(map(f, [1]))", setup=_BAD))
    assert verdict.status is Status.ERROR

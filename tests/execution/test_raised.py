"""What a program raises arrives in the test as what it is, and as nothing that would serve the program."""

# ruff: noqa: E501  # programs, tests and forms are data: one a line

from __future__ import annotations

import configparser
import json
import sys
from typing import Any

import pytest

from mucode.execution.channel import Ended
from mucode.execution.inside import frames
from mucode.execution.pool import Pool
from mucode.execution.raised import Raised
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


_STACK = "class Stack:\n    class Error(Exception): pass\n    class Empty(Error): pass\n    def pop(self): raise Stack.Empty('e')\n"
_CAUGHT = "try:\n    {call}\nexcept {kind} as error:\n    assert {told}\nelse:\n    assert False"


@pytest.mark.parametrize(
    ("program", "kind", "told"),
    [
        (f"{_STACK}f = Stack().pop", "Stack.Empty", "str(error) == 'e'"),
        (f"{_STACK}f = Stack().pop", "Stack.Error", "isinstance(error, Stack.Empty)"),
        ("class E(KeyError, AttributeError): pass\ndef f(): raise E('x')", "AttributeError", "isinstance(error, KeyError)"),
        ("class A(Exception): pass\nclass B(Exception): pass\nclass E(A, B): pass\ndef f(): raise E", "B", "isinstance(error, A)"),
        ("class M: pass\nclass E(M, OSError, KeyError): pass\ndef f(): raise E(2, 'x')", "OSError", "error.errno == 2"),
        ("class E(UnicodeError, OSError): pass\ndef f(): raise E('x')", "OSError", "isinstance(error, E)"),
        ("class X(BaseException): pass\nclass E(X, ValueError): pass\ndef f(): raise E('x')", "ValueError", "str(error) == 'x'"),
        ("class E(Exception):\n    def __init__(self, errors): self.errors = errors\ndef f(): raise E([{'a': (1, 2)}])", "E", "error.errors == [{'a': (1, 2)}]"),
        ("class B(Exception): code, level = 1, 'a'\nclass E(B): code = 42\ndef f(): raise E", "B", "error.code == 42 and error.level == 'a'"),
        ("class E(Exception): pass\ndef f():\n    e = E('x')\n    e.all, e.big, e.me, e.code = {1: [2]}, [0] * 10**7, e, 7\n    raise e", "E", "error.all == {1: [2]} and error.code == 7 and not hasattr(error, 'big')"),
        ("import json\nclass E(json.JSONDecodeError): pass\ndef f(): raise E('x', 'y', 0)", "__import__('json').JSONDecodeError", "isinstance(error, E) and error.pos == 0"),
        ("E = KeyError\ndef f(): raise E('x')", "E", "type(error) is KeyError"),
    ],
)  # fmt: skip
def test_an_exception_of_the_program_s_is_caught_by_each_class_above_it(
    sandbox: Pool, program: str, kind: str, told: str
) -> None:
    verdict = verdict_on(sandbox, job(program, _CAUGHT.format(call="f()", kind=kind, told=told)), "public")
    assert (verdict.status, verdict.feedback) == (Status.PASSED, "")


def test_a_class_below_one_that_the_prompt_defines_is_caught_by_it_and_has_its_methods(sandbox: Pool) -> None:
    below = "class Worse(Bad): pass\nclass Worst(Worse): pass\ndef f(x): raise Worst(x)"
    test = _CAUGHT.format(call="f(5)", kind="Bad", told="isinstance(error, Worse) and error.twice() == 10")
    given = "class Bad(Exception):\n    def __init__(self, code): self.code = code\n    def twice(self): return 2 * self.code"
    assert verdict_on(sandbox, job(below, test, preamble=given)).passed


def test_a_hook_for_subclasses_is_called_for_the_program_s_own_and_not_for_what_stands_for_them(sandbox: Pool) -> None:
    given = "class Bad(Exception):\n    def __init_subclass__(cls): assert cls.code is not None"
    below = "class Worse(Bad): code = 404\ndef f(x): raise Worse(x)"
    test = _CAUGHT.format(call="f(5)", kind="Bad", told="error.args == (5,)")
    for known in ({"preamble": given}, {"setup": given}):
        assert verdict_on(sandbox, job(below, test, **known)).passed


_FORMS = [
    [[0, "m", "E", ["SystemExit"]]],
    [[0, "m", "E", [1]]],
    [[True, "m", "E", ["KeyError"]]],
    [[0, "m", "E\0", ["KeyError"]]],
    [[0, "m", "E", "KeyError"]],
    [[0, "m", "E"]],
    [[0, "unittest.case", "SkipTest", ["KeyboardInterrupt"]]],
    [[n, "m", "E", ["KeyError"]] for n in range(101)],
    7,
    {"a": 1},
]


@pytest.mark.parametrize("lineage", _FORMS)
def test_a_lineage_that_no_program_s_side_writes_makes_no_class(lineage: Any) -> None:
    raised = Raised()
    with pytest.raises(frames.WireError):
        raised.stand_in(lineage, "SystemExit")
    ended = raised.rebuild(["KeyError", [], lineage, "", {}], "call")
    assert isinstance(ended, Ended) or type(ended) is KeyError


def test_a_class_of_the_library_keeps_its_own_ancestors_whatever_a_lineage_says() -> None:
    raised, before = Raised(), (json.JSONDecodeError.__mro__, configparser.NoSectionError.__mro__)
    raised.stand_in([[1, "configparser", "Error", ["Exception"]], [2, "m", "E", [1]]], "Exception")
    raised.stand_in([[1, "json.decoder", "JSONDecodeError", ["KeyError"]]], "Exception")
    assert raised.classes[1] is configparser.Error
    assert issubclass(raised.classes[2], configparser.Error)
    assert (json.JSONDecodeError.__mro__, configparser.NoSectionError.__mro__) == before


def test_ancestors_without_end_are_not_made() -> None:
    raised = Raised()
    for number in range(300):
        raised.stand_in([[number, "m", "E", [number - 1 if number else "KeyError"]]], "KeyError")
    assert max(len(kind.__mro__) for kind in raised.classes.values()) <= 102


def test_a_class_made_before_its_library_was_imported_is_below_the_library_s(monkeypatch: pytest.MonkeyPatch) -> None:
    raised, lineage = Raised(), [[1, "configparser", "Error", ["Exception"]], [2, "m", "E", [1]]]
    with monkeypatch.context() as patched:
        patched.delitem(sys.modules, "configparser")
        early = raised.stand_in(lineage, "Exception")
    assert not issubclass(early, configparser.Error)
    assert raised.stand_in(lineage, "Exception") is early
    assert issubclass(early, configparser.Error)

"""What the prompt and the setup define is there for test and program alike, and no program can take its place."""

# ruff: noqa: E501  # programs, tests and forms are data: one a line

from __future__ import annotations

import pytest

from mucode.execution.pool import Pool
from mucode.types import Status
from tests.execution.builders import job, verdict_on

_NODE = """
class Node:
    def __init__(self, value, next=None):
        self.value, self.next = value, next
    def __eq__(self, other):
        return isinstance(other, Node) and self.value == other.value and self.next == other.next
def build(values):
    head = None
    for value in reversed(values):
        head = Node(value, head)
    return head
"""
_REVERSE = "def f(head):\n    last = None\n    while head:\n        head.next, last, head = last, head, head.next\n    return last"


def test_setup_and_prompt_are_there_for_test_and_program_alike(sandbox: Pool) -> None:
    program = "def f(x): return double(sqrt(x)) + K"
    preamble = "from math import sqrt\ndef double(x):\n    return 2 * x\nK = 1\ndef f(x):\n    'x'\n"
    assert verdict_on(sandbox, job(program, "assert f(4) == double(2) + 1", preamble=preamble)).passed
    assert not verdict_on(sandbox, job("", "assert f(4) is None", preamble=preamble)).passed


def test_objects_of_the_setup_s_classes_cross_as_data_both_ways(sandbox: Pool) -> None:
    tests = (
        "assert f(build([1, 2, 3])) == build([3, 2, 1])",
        "head = build(list(range(300)))\nf(head)\nassert head.next is None",
    )
    assert verdict_on(sandbox, job(_REVERSE, *tests, setup=_NODE)).passed
    lying = "class Node:\n    def __eq__(self, other): return True\ndef f(head): return Node()"
    assert not verdict_on(sandbox, job(lying, tests[0], setup=_NODE)).passed


def test_the_helpers_of_a_test_come_from_the_prompt_whatever_the_program_defines(sandbox: Pool) -> None:
    program = "def good(x): return True\ndef f(x): return 5"
    verdict = verdict_on(sandbox, job(program, "assert good(f(1))", preamble="def good(x):\n    return x == 2\n"))
    assert verdict.status is Status.FAILED


@pytest.mark.parametrize("value", ["5", "None", "True", "''"])
def test_the_constants_of_a_test_come_from_the_prompt_whatever_the_program_makes_of_them(
    sandbox: Pool, value: str
) -> None:
    program = "def f(x):\n    global K\n    K = x\n    return x"
    verdict = verdict_on(sandbox, job(program, "assert f(7) == K", preamble=f"K = {value}\n"))
    assert verdict.status is Status.FAILED


@pytest.mark.parametrize("mention", ["from functools import reduce", "# import re", '"""\nimport re\n"""'])
def test_a_program_that_only_mentions_an_import_of_the_prompt_has_it_all_the_same(sandbox: Pool, mention: str) -> None:
    program = f"{mention}\ndef f(x): return re.sub('a', 'b', x)"
    assert verdict_on(sandbox, job(program, "assert f('a') == 'b'", preamble="import re\n")).passed


_SIZE = "assert f((1, 2)) == sys.getsizeof((1, 2))"
_CLOSE = "assert math.isclose(f(1), 2.0)"
_SAME = "assert np.array_equal(f(1), np.array([1, 2]))"

_TAG = "assert f('<a/>') == xml.etree.ElementTree.fromstring('<a/>').tag"


@pytest.mark.parametrize(
    ("program", "test"),
    [
        ("class sys: getsizeof = staticmethod(lambda t: 0)\ndef f(t): return 0", _SIZE),  # mbpp/596
        ("import sys\nsys.getsizeof = len\ndef f(t): return len(t)", _SIZE),
        ("class math: isclose = staticmethod(lambda *a: True)\ndef f(x): return 0", _CLOSE),
        (
            "class np: array, array_equal = staticmethod(list), staticmethod(lambda *a: True)\ndef f(x): return 0",
            _SAME,
        ),
        (
            "class xml: etree = type('e', (), {'ElementTree': type('E', (), {'fromstring': lambda s: xml, 'tag': 0})})\nxml.tag = 0\ndef f(s): return 0",
            _TAG,
        ),
        (
            "class math: isclose = staticmethod(lambda *a: True)\ndef f(x): return 0",
            f"def g(math): return math\nassert [math for math in [1]]\n{_CLOSE}",
        ),
    ],
)
def test_a_module_that_a_test_reads_without_an_import_is_the_library_s(sandbox: Pool, program: str, test: str) -> None:
    assert verdict_on(sandbox, job(program, test)).status is Status.FAILED


@pytest.mark.parametrize(
    ("program", "test"),
    [
        ("from sys import getsizeof\ndef f(t): return getsizeof(t)", _SIZE),
        ("def f(x): return 2.0", _CLOSE),
        ("import numpy\ndef f(x): return numpy.array([1, 2])", _SAME),
        ("class Line:\n    def first(self): return 7\nqueue = Line()\ndef f(x): return x", "assert queue.first() == 7"),
        ("def copy(x): return x", "assert copy(1) == 1"),
        ("def f(x): return x + 1", "from __future__ import annotations\nassert f(1) == math.floor(2.5)"),
    ],
)
def test_a_program_need_not_import_what_only_the_test_reads(sandbox: Pool, program: str, test: str) -> None:
    setup = "" if "annotations" not in test else "from __future__ import annotations\nN = 1"
    assert verdict_on(sandbox, job(program, test, setup=setup)).passed


@pytest.mark.parametrize(
    ("program", "test"),
    [
        (
            "import random\ndef f(n): return random.randrange(n)",
            "random.seed(1)\na = f(10**9)\nrandom.seed(1)\nassert f(10**9) == a and random.random() < 1",
        ),
        (
            "import sys\ndef f(n): return n and 1 + f(n - 1)",
            "sys.setrecursionlimit(20000)\nassert f(5000) == 5000 and sys.getrecursionlimit() == 20000",
        ),
        ("import os\ndef f(name): os.putenv(name, 'x'); os.environ[name] = 'x'", "f('A')\nassert os.getenv('A')"),
        (
            "class calendar: isleap = staticmethod(str)\ndef f(y): return str(y)",
            "want = calendar.isleap(2000)\nassert f(2000) == want",
        ),
    ],
)
def test_a_module_that_a_test_uses_otherwise_than_to_compare_is_the_program_s(
    sandbox: Pool, program: str, test: str
) -> None:
    assert verdict_on(sandbox, job(program, test)).passed


_CONTEXT = "import decimal\ndef f(n): decimal.getcontext().prec = n"


@pytest.mark.parametrize(
    ("program", "test"),
    [
        (_CONTEXT, "f(50)\nassert decimal.getcontext().prec == 50"),
        (
            _CONTEXT,
            "def check(candidate):\n    candidate(50)\n    assert int(decimal.getcontext().prec) == 50\ncheck(f)",
        ),
        (
            "import logging\ndef f(): logging.getLogger('app').setLevel(10)",
            "f()\nassert logging.getLogger('app').level == 10",
        ),
        ("import gc\ndef f(): gc.disable()", "f()\nassert not gc.isenabled()"),
        ("import sys\ndef f(n): sys.setrecursionlimit(n)", "f(4321)\nassert sys.getrecursionlimit() == 4321"),
    ],
)
def test_what_a_program_sets_in_a_module_a_test_may_ask_for(sandbox: Pool, program: str, test: str) -> None:
    assert verdict_on(sandbox, job(program, test)).passed
    assert not verdict_on(sandbox, job(program.replace("\ndef f(", "\ndef f(*_): pass\ndef g("), test)).passed


@pytest.mark.parametrize(
    "test",
    [
        "assert f(1) == decimal.getcontext().prec",
        "def check(candidate):\n    assert candidate(1) == decimal.getcontext().prec\ncheck(f)",
        "x = f(1)\nassert x == decimal.getcontext().prec",
        "sum = f(1)\nassert sum == decimal.getcontext().prec",
        "def check(id):\n    assert id == decimal.getcontext().prec\ncheck(f(1))",
        "assert [x == decimal.getcontext().prec for x in [f(1)]][0]",
        "assert abs(f(1)) == 0\nassert decimal.getcontext().prec == 0 or decimal.Decimal(1) == 0",
    ],
)
def test_what_is_expected_of_a_program_no_module_of_its_own_says(sandbox: Pool, test: str) -> None:
    program = "class decimal:\n    getcontext = Decimal = staticmethod(lambda *a: type('C', (), {'prec': 0}))\ndef f(x): return 0"
    assert verdict_on(sandbox, job(program, test)).status is Status.FAILED


def test_which_module_a_name_is_does_not_depend_on_what_was_imported_before(sandbox: Pool) -> None:
    forged = "class xml: etree = 0\ndef f(s): return 'a'"
    asked = [
        job(forged, _TAG),
        job("def f(x): return x", "import xml.etree.ElementTree\nassert f(1)"),
        job(forged, _TAG),
    ]
    assert [each.status for each in sandbox.judge(asked, "private")] == [Status.PASSED] * 3


@pytest.mark.parametrize("names", ["{'abs': lambda x: 0, 'len': len}", "7"])
def test_what_a_test_reads_of_its_interpreter_is_no_program_s(sandbox: Pool, names: str) -> None:
    test = "b = __builtins__\nassert abs(f(1) - 2) < 1e-6"
    assert verdict_on(sandbox, job(f"__builtins__ = {names}\ndef f(x): return 99", test)).status is Status.FAILED
    assert verdict_on(sandbox, job("def f(x): return 2", test)).passed


_COUNTS = """
def check(candidate):
    global failures
    failures = 0
    for given, expected in [(1, 2), (2, 4)]:
        if candidate(given) != expected:
            failures += 1
    assert failures == 0
check(f)
"""
_COLLECTS = "last = [(r := f(x)) for x in (1, 2)]\nf(3)\nassert r == 4"


@pytest.mark.parametrize("test", [_COUNTS, _COLLECTS])
def test_a_global_that_a_test_assigns_within_a_function_is_no_program_s(sandbox: Pool, test: str) -> None:
    forged = "failures = r = 0\ndef f(x):\n    global failures, r\n    failures, r = (-2 if x == 1 else failures), (4 if x == 3 else r)\n    return 0"
    assert verdict_on(sandbox, job(forged, test)).status is Status.FAILED
    assert verdict_on(sandbox, job("def f(x): return 2 * x", test)).passed


_LINKED = "from dataclasses import dataclass\n@dataclass\nclass Link:\n    value: int\n    next: 'Link' = None\n"


def test_classes_with_annotations_in_text_work_in_setup_and_test(sandbox: Pool) -> None:
    program, test = "def f(link): return link.next.value", "assert f(Link(1, Link(2))) == 2"
    assert verdict_on(sandbox, job(program, test, setup=_LINKED)).passed
    assert verdict_on(sandbox, job(program, f"{_LINKED}{test}")).passed
    assert verdict_on(sandbox, job(program, f"from __future__ import annotations\n{_LINKED}{test}")).passed
    assert not verdict_on(sandbox, job("def f(link): return 3", test, setup=_LINKED)).passed


def test_the_module_of_the_tests_is_one_program_s_alone(sandbox: Pool) -> None:
    jobs = [
        job("def f(x): return x", f"import sys\nassert f(1) == 1 and not hasattr(sys.modules[__name__], 'a')\na = {n}")
        for n in "12"
    ]
    assert all(verdict.passed for verdict in sandbox.judge(jobs, "private"))


_SHAPE = """
from dataclasses import dataclass
from functools import cached_property
@dataclass
class Shape:
    side: int
    measure: object = len
    @cached_property
    def area(self): return self.side ** 2
    def holds(self, value): return self.side == value
"""


def test_what_a_class_computes_once_and_what_a_field_defaults_to_are_no_obstacle(sandbox: Pool) -> None:
    test = "s = Shape(3)\nassert s.area == 9\nassert f(s) == 9 + 2\nassert s.side == 4 and s.measure('abc') == 3"
    grow = "def f(s):\n    was, s.side = s.area, s.side + 1\n    return was + s.measure('ab')"
    assert verdict_on(sandbox, job(grow, test, setup=_SHAPE)).passed
    assert verdict_on(
        sandbox, job("def f(x): return Shape(x, abs)", "assert f(3).measure(-2) == 2", setup=_SHAPE)
    ).passed


@pytest.mark.parametrize("name", ["area", "holds"])
def test_a_program_cannot_say_what_a_class_computes(sandbox: Pool, name: str) -> None:
    lying = f"def f(x):\n    s = Shape(x)\n    vars(s)['{name}'] = 16\n    return s"
    assert not verdict_on(sandbox, job(lying, f"assert f(3).{name} == 16", setup=_SHAPE)).passed

"""What asserts mean when the program is in another process: the same as in one interpreter, for honest programs."""

# ruff: noqa: E501  # programs, tests and forms are data: one a line

from __future__ import annotations

import dataclasses
import gc
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.mutants import mutants
from mucode.execution import judge, open_sandbox
from mucode.execution.judge import Judge
from mucode.execution.orders import order_for
from mucode.execution.pool import Pool
from mucode.execution.session import Session
from mucode.problems import load_problems
from mucode.types import Job, Status
from tests.execution.builders import job, stdio_job, verdict_on

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

HONEST = {
    "values": ("def f(x): return x + 1", "assert f(1) == 2\nassert f(-1) == 0"),
    "floats": ("def f(x): return x / 3", "assert abs(f(1) - 1/3) < 1e-9 and f(float('inf')) == float('inf')"),
    "nan": ("def f(x): return x", "assert f(float('nan')) != f(float('nan'))"),
    "negative zero": ("def f(x): return -x", "import math\nassert math.copysign(1, f(0.0)) == -1"),
    "a helper name that is a builtin": ("def sum(a, b): return a * b", "assert sum(2, 3) == 6"),
    "an expected exception": (
        "def f(x): raise ValueError('bad')",
        "try:\n    f(1)\n    assert False\nexcept ValueError as error:\n    assert str(error) == 'bad'",
    ),
    "an own exception class": (
        "class Bad(KeyError): pass\ndef f(x): raise Bad(x)",
        "try:\n    f(1)\nexcept Bad as error:\n    assert error.args == (1,)\nelse:\n    assert False",
    ),
    "a change in place": ("def f(x): x.sort()", "data = [3, 1, 2]\nassert f(data) is None\nassert data == [1, 2, 3]"),
    "a dictionary changed": ("def f(x): x['b'] = x.pop('a')", "d = {'a': [1]}\nf(d)\nassert d == {'b': [1]}"),
    "a set changed": ("def f(x): x.add(3)", "s = {1}\nf(s)\nassert s == {1, 3}"),
    "an alias changed": ("def f(g): g[0].append(1)", "row = []\ng = [row, row]\nf(g)\nassert row == [1] and g[1] is row"),
    "an argument detached and changed": (
        "def f(g):\n    row = g.pop()\n    row.append(5)",
        "row = [1]\ng = [row]\nf(g)\nassert g == [] and row == [1, 5]",
    ),
    "the argument returned": ("def f(x): return x", "x = [1]\nassert f(x) is x"),
    "an array changed in place": ("import numpy as np\ndef f(a): a.sort()", "import numpy as np\na = np.array([2, 1])\nf(a)\nassert a[0] == 1"),
    "a changed argument before a raise": (
        "def f(x):\n    x.append(1)\n    raise ValueError",
        "x = []\ntry:\n    f(x)\nexcept ValueError:\n    pass\nassert x == [1]",
    ),
    "callbacks": ("def f(g, x): return [g(y) for y in x]", "assert f(lambda y: y * 2, [1, 2]) == [2, 4]"),
    "a callback that calls back": ("def f(g): return g(lambda x: x + 1)", "assert f(lambda h: h(1)) == 2"),
    "library functions as arguments": (
        "def f(g, *x): return g(*x)",
        "import operator, math\nassert f(operator.add, 1, 2) == 3 and f(math.sqrt, 4) == 2 and f(len, 'ab') == 2 and f(int, '3') == 3",
    ),
    "classes of the program": (
        "class Pair:\n    def __init__(self, a, b): self.a, self.b = a, b\ndef f(x): return max(p.b for p in x)",
        "assert f([Pair(1, 2), Pair(3, 4)]) == 4",
    ),
    "attributes set from outside": (
        "class Node:\n    def __init__(self, v): self.v, self.left = v, None\ndef f(n): return n.v + n.left.v",
        "root = Node(1)\nroot.left = Node(2)\nassert f(root) == 3",
    ),
    "an endless generator": (
        "def f():\n    n = 0\n    while True:\n        yield n\n        n += 1",
        "g = f()\nassert [next(g), next(g)] == [0, 1] and list(zip(g, 'ab')) == [(2, 'a'), (3, 'b')]",
    ),
    "StopIteration from next": (
        "def f(): yield 1",
        "g = f()\nassert next(g) == 1\ntry:\n    next(g)\nexcept StopIteration:\n    pass\nelse:\n    assert False",
    ),
    "a global that changes": ("n = 0\ndef f():\n    global n\n    n += 1", "f()\nassert n == 1\nf()\nassert n == 2"),
    "isinstance of the program's class": ("class A: pass\ndef f(): return A()", "assert isinstance(f(), A) and f() is not None"),
    "a named tuple": (
        "from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f(): return P(1, 2)",
        "assert f() == (1, 2) and f().y == 2",
    ),
    "keywords and defaults": ("def f(a, b=2, *c, d=4, **e): return (a, b, c, d, e)", "assert f(1, d=5, z=[6]) == (1, 2, (), 5, {'z': [6]})"),
    "check(candidate)": ("def f(x): return x", "def check(candidate):\n    for n in range(3):\n        assert candidate(n) == n\ncheck(f)"),
    "a test with a loop over cases": ("def f(x): return x", "cases = [(1, 1), (2, 2)]\nfor given, wanted in cases:\n    assert f(given) == wanted"),
    "a long list": ("def f(n): return list(range(n))", "assert f(100000) == list(range(100000))"),
    "a deep list": ("def f(n):\n    x = []\n    for _ in range(n): x = [x]\n    return x", "x = f(300)\nfor _ in range(300): x = x[0]\nassert x == []"),
    "a list of an object changed by the test": (
        "class Tree:\n    def __init__(self, v): self.v, self.children = v, []\ndef f(t): return t.v + sum(map(f, t.children))",
        "t = Tree(1)\nt.children.append(Tree(2))\nt.children[0].children += [Tree(5)]\nassert f(t) == 8",
    ),
    "a dictionary of an object changed by the test": (
        "class Graph:\n    def __init__(self): self.edges = {}\n    def size(self): return len(self.edges)",
        "g = Graph()\ne = g.edges\ne['a'] = ['b']\nassert g.size() == 1\ne['c'] = []\nassert g.size() == 2 and g.edges == e",
    ),
    "a class of the test": (
        "def f(n):\n    n.seen = True\n    return n.v + (f(n.next) if n.next else 0)",
        "class Node:\n    def __init__(self, v, next=None): self.v, self.next = v, next\nn = Node(1, Node(2))\nassert f(n) == 3 and n.next.seen",
    ),
    "a class within check(candidate)": (
        "def f(p): return type(p)(p.y, p.x) if False else [p.y, p.x]",
        "def check(candidate):\n    class P:\n        def __init__(self, x, y): self.x, self.y = x, y\n    assert candidate(P(1, 2)) == [2, 1]\ncheck(f)",
    ),
    "an object whose looks change": (
        "class Stack:\n    def __init__(self): self.items = []\n    def push(self, x): self.items.append(x)\n    def __len__(self): return len(self.items)\n"
        "    def __str__(self): return str(self.items)\n    def __float__(self): return float(sum(self.items))",
        "s = Stack()\nitems = s.items\nassert not s and len(s) == 0\ns.push(5)\nassert s and len(s) == 1 and float(s) == 5\n"
        "items = s.items\nassert str(s) == '[5]'\nitems.append(2)\nassert str(s) == '[5, 2]' and len(s) == 2 and float(s) == 7",
    ),
    "an object that looks through a function of the test": (
        "class View:\n    def __init__(self, g): self.g = g\n    def __float__(self): return self.g()",
        "n = [1.5]\nv = View(lambda: n[0])\nassert float(v) == 1.5\nn[0] = 2.5\nassert float(v) == 2.5",
    ),
    "a container class of the program": (
        "class Evens:\n    def __contains__(self, n): return n % 2 == 0\n    def __getitem__(self, s): return [s.start, s.stop]",
        "e = Evens()\nassert 2 in e and 3 not in e and e[1:5] == [1, 5]",
    ),
    "attributes of an exception": (
        "class Bad(Exception):\n    def __init__(self, code):\n        super().__init__('bad')\n        self.code = code\ndef f(x): raise Bad(x)",
        "try:\n    f(5)\nexcept Bad as error:\n    assert error.code == 5 and str(error) == 'bad'\nelse:\n    assert False",
    ),
    "an exception of the library": (
        "import json\ndef f(x): return json.loads(x)",
        "import json\ntry:\n    f('{')\nexcept json.JSONDecodeError as error:\n    assert error.pos == 1\nelse:\n    assert False",
    ),
    "an exception with a place": (
        "import ast\ndef f(x): return ast.literal_eval(x)",
        "try:\n    f('1+')\nexcept SyntaxError as error:\n    assert (error.msg, error.lineno) == ('invalid syntax', 1)\nelse:\n    assert False",
    ),
    "an exception with bytes": (
        "def f(x): return x.decode()",
        "try:\n    f(b'\\xff')\nexcept UnicodeDecodeError as error:\n    assert error.object == b'\\xff' and '0xff' in str(error)\nelse:\n    assert False",
    ),
    "a group of exceptions": (
        "def f(x): raise ExceptionGroup('two', [KeyError((1, 2)), ValueError('x')])",
        "found = []\ntry:\n    f(1)\nexcept* KeyError as group:\n    found += group.exceptions[0].args\nexcept* ValueError:\n    found.append('x')\nassert found == [(1, 2), 'x']",
    ),
    "an exception by another name": (
        "SolveError = ValueError\ndef f(x): raise SolveError('bad')",
        "try:\n    f(1)\nexcept SolveError as error:\n    assert str(error) == 'bad'\nelse:\n    assert False",
    ),
    "an exception of a subclass": (
        "class Bad(Exception): pass\nclass Worse(Bad): pass\ndef f(x): raise Worse('bad')",
        "try:\n    f(1)\nexcept Bad as error:\n    assert str(error) == 'bad'\nelse:\n    assert False",
    ),
    "an exception of a function of the test": (
        "def f(g):\n    try: g()\n    except KeyError as error: return error.args",
        "def g(): raise KeyError((1, 2), 3)\nassert f(g) == ((1, 2), 3)",
    ),
    "vars and subclasses": (
        "class A:\n    def __init__(self): self.x = 1\nclass B(A): pass",
        "assert vars(B()) == {'x': 1} and issubclass(B, A) and not issubclass(A, B)",
    ),
    "types": ("def f(x): return type(x)", "assert f(1) is int and f(None) is type(None)"),
    "threads of the test": (
        "def f(x): return x + 1",
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as pool:\n    assert list(pool.map(f, range(40))) == list(range(1, 41))",
    ),
    "a slice as argument": ("def f(x, s): return x[s]", "assert f([1, 2, 3], slice(1, None)) == [2, 3]"),
    "state kept between tests": ("s = []\ndef f(x):\n    s.append(x)\n    return len(s)", "assert f(1) == 1\nassert f(1) == 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_program_passes(sandbox: Pool, name: str) -> None:
    program, test = HONEST[name]
    verdict = verdict_on(sandbox, job(program, test, entry_point="sum" if "sum(" in program[:8] else "f"), "public")
    assert (verdict.status, verdict.feedback) == (Status.PASSED, "")
    assert verdict.tests_passed == verdict.tests_total > 0


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("def f(x): return 3", Status.FAILED),
        ("def f(x): return None", Status.FAILED),
        ("def f(x): return 1 / 0", Status.ERROR),
        ("def f(x):", Status.ERROR),
        ("def g(x): return 2", Status.FAILED),
        ("def f(x):\n    while True: pass", Status.TIMEOUT),
        ("while True: pass", Status.TIMEOUT),
        ("def f(x): return bytearray(10**10)", Status.MEMORY),
        ("def f(x): return 'x' * (40 << 20)", Status.ERROR),
        ("def f(x): __import__('os').fork()", Status.DENIED),
        ("def f(x): return object()", Status.OPAQUE),
        ("def f(x): raise SystemExit", Status.ERROR),
        ("import sys\nsys.exit()", Status.ERROR),
        ("\0", Status.ERROR),
        ("\ud800", Status.ERROR),
        ("def f(x): import os; os._exit(0)", Status.ERROR),
    ],
)
def test_a_wrong_program_fails_with_the_reason(sandbox: Pool, hasty: Pool, program: str, status: Status) -> None:
    judges = hasty if status is Status.TIMEOUT else sandbox  # one that ends by itself is given the time to
    verdict = verdict_on(judges, job(program, "assert f(1) == 2", "assert f(1) == 2"))
    assert (verdict.status, verdict.tests_passed, verdict.tests_total) == (status, 0, 2)


def test_a_program_that_writes_beyond_its_walls_fails_by_what_these_are_made_of(sandbox: Pool) -> None:
    verdict = verdict_on(sandbox, job("def f(x): open('/etc/x', 'w')", "assert f(1) == 2"))
    refused = {"bubblewrap": Status.ERROR, "landlock": Status.DENIED, "seccomp": Status.DENIED}
    assert verdict.status is refused[sandbox.layer.key]


def test_a_failing_assert_does_not_stop_the_following_tests(sandbox: Pool) -> None:
    verdict = verdict_on(sandbox, job("def f(x): return x", "assert f(1) == 1", "assert f(2) == 1", "assert f(3) == 3"))
    assert (verdict.status, verdict.tests_passed, verdict.tests_total) == (Status.FAILED, 2, 3)


@pytest.mark.parametrize("module", ["random", "numpy.random"])
def test_every_program_gets_the_same_inputs_of_a_test_that_draws_them(sandbox: Pool, module: str) -> None:
    test = f"import {module}\nassert f({module}.random())"
    verdicts = sandbox.judge([job(f"def f(x): return None  # {n}", test) for n in range(3)], "public")
    assert verdicts[0].feedback.startswith("assert f(")
    assert len({verdict.feedback for verdict in verdicts}) == 1


def test_what_a_test_draws_cannot_be_drawn_by_the_program(sandbox: Pool) -> None:
    test = "import random\nassert f(0) == random.random()"
    replay = "import random\ndrawn = random.Random({seed}).random()\ndef f(x): return drawn"
    assert not any(verdict_on(sandbox, job(replay.format(seed=seed), test)).passed for seed in (0, "''", 1))


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


def test_asserts_are_counted_within_a_test_up_to_the_first_that_fails(sandbox: Pool) -> None:
    check = "def check(candidate):\n    assert candidate(1) == 1\n    assert candidate(2) == 1\n    assert candidate(3) == 3\ncheck(f)"
    verdict = verdict_on(sandbox, job("def f(x): return x", check))
    assert (verdict.tests_passed, verdict.tests_total) == (1, 3)


@pytest.mark.slow
def test_a_test_that_takes_the_alarm_for_itself_takes_it_from_no_other() -> None:
    taken = job("def f(x): return x", "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nassert f(1) == 1")
    endless = job("def f(x): return x", "assert f(1) == 1\nwhile True:\n    pass")
    with open_sandbox(workers=1, timeout=0.4) as alone:
        assert [each.status for each in alone.judge([taken, endless], "private")] == [Status.PASSED, Status.TIMEOUT]


def test_tests_before_an_endless_loop_count(hasty: Pool) -> None:
    verdict = verdict_on(
        hasty, job("def f(x):\n    while x > 1: pass\n    return x", "assert f(1) == 1", "assert f(2) == 2")
    )
    assert (verdict.status, verdict.tests_passed) == (Status.TIMEOUT, 1)


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


def test_programs_see_names_of_functions_and_arguments_but_no_test(sandbox: Pool) -> None:
    spy = "import sys, gc\ndef f(x):\n    text = repr(gc.get_objects()) + repr(sys.modules)\n    return 'rewsna_detnaw'[::-1] in text"
    assert verdict_on(sandbox, job(spy, "wanted_answer = False\nassert f(1) == wanted_answer")).passed


def test_programs_do_not_see_each_other(sandbox: Pool) -> None:
    leave = "import builtins, sys, os\nbuiltins.left = sys.left = os.left = 1\ndef f(x): return x\n# {}"
    look = "import builtins, sys, os\ndef f(x): return any(hasattr(m, 'left') for m in (builtins, sys, os))\n# {}"
    jobs = [
        each
        for n in range(6)
        for each in (job(leave.format(n), "assert f(1) == 1"), job(look.format(n), "assert f(1) is False"))
    ]
    assert all(verdict.passed for verdict in sandbox.judge(jobs, "private"))


def test_a_program_of_the_reserved_address_space_is_a_memory_error_and_harms_nobody(sandbox: Pool) -> None:
    greedy = "import mmap\nkeep = []\nwhile True: keep.append(mmap.mmap(-1, 1 << 28))"
    assert verdict_on(sandbox, job(greedy, "assert f(1)")).status is Status.MEMORY


_HOLDS = "keep = bytearray(b'x') * ({} << 20)\n"
_LOOPS = "def f(x):\n    while True: pass"
_GATHERS = "def f(x):\n    keep = []\n    while len(keep) >= 0: keep.append(x)"
_UNFINISHED = "The program ran out of time or memory."


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
    from mucode.execution import open_sandbox

    asserts, reader = job(program, "assert f(1) == 2"), stdio_job(f"{program}\nf(1)", ("1", "2"))
    with open_sandbox(2, timeout=2.0) as sandbox:
        for verdict in sandbox.judge([asserts, reader], "public"):
            assert (verdict.status, verdict.feedback) == (status, _UNFINISHED)


@pytest.mark.slow
def test_out_of_memory_reads_the_same_whether_the_program_notices_or_is_stopped_first() -> None:
    """Which of the two comes first depends on how busy the machine is."""
    from mucode.execution import open_sandbox

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
    assert (verdict.status, verdict.feedback) == (Status.TIMEOUT, _UNFINISHED)


def test_a_judge_forgets_the_oldest_problems_and_judges_them_as_before(
    judge_here: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "_REMEMBERED", 100)
    orders = [order_for(job("def f(x): return x", f"assert f({n}) == {n}"), "private") for n in [*range(20), 0]]
    assert [judge_here.judge(order).status for order in orders] == [Status.PASSED] * 21
    assert 0 < judge_here.remembered == sum(map(judge._length, judge_here.prepared)) <= 100


_RING = "def f(x):\n    ring = ['ring']\n    ring.append(ring)\n    return ring"


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


def test_results_that_refer_to_themselves_are_collected_after_so_many_bytes(
    judge_here: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "_UNCOLLECTED", 200)
    orders = [order_for(job(f"{_RING} # {number}", "assert f(1) == 1"), "private") for number in range(40)]
    gc.disable()
    try:
        for order in orders:
            judge_here.judge(order)
        assert sum(type(each) is list and each[:1] == ["ring"] for each in gc.get_objects()) < 10
    finally:
        gc.enable()


def test_a_judge_that_has_no_memory_left_doubts_its_verdict_and_says_so(judge_here: Judge) -> None:
    order = order_for(job("def f(x): return 1 << 62", "assert len(bytearray(f(1))) == 1"), "public")
    outcome = judge_here.judge(order)
    assert (outcome.status, outcome.doubtful, outcome.spent) == (Status.MEMORY, True, True)
    assert outcome.text == _UNFINISHED


@pytest.mark.slow
def test_a_judge_without_memory_is_replaced_and_the_program_labelled_by_another() -> None:
    greedy = job("def f(x): return 3 << 30", "assert len(bytearray(f(1))) == 1")
    with open_sandbox(workers=1) as pool:
        assert verdict_on(pool, job("def f(x): return x", "assert f(1) == 1")).passed
        first = pool.posts[0].process
        assert verdict_on(pool, greedy).status is Status.MEMORY
        assert verdict_on(pool, job("def f(x): return x", "assert f(2) == 2")).passed
        assert pool.posts[0].process != first


def _living() -> int:
    return sum(type(each) is Session for each in gc.get_objects())


@pytest.fixture(scope="module")
def references() -> list[Job]:
    """Every MBPP and HumanEval problem with its reference and all its tests."""
    path = os.environ.get("MUCODE_MBPP")
    if path is None:
        pytest.skip("MUCODE_MBPP names no file with MBPP")
    rows = map(json.loads, Path(path).read_text().splitlines())
    challenges = {f"mbpp/{row['task_id']}": row["challenge_test_list"] for row in rows}
    return list(_jobs("mbpp", Path(path), challenges)) + list(_jobs("humaneval", None, {}))


def _jobs(source: str, path: Path | None, more: dict[str, list[str]]) -> Iterator[Job]:
    for problem, answer in load_problems(source, path):
        tests = dict.fromkeys([*problem.public_tests, *answer.private_tests])
        extra = [type(answer.private_tests[0])(code) for code in more.get(problem.id, ())]
        yield Job(problem, answer.reference, tuple(dict.fromkeys([*tests, *extra])))


@pytest.mark.slow
def test_every_reference_passes(references: list[Job]) -> None:
    from mucode.execution import open_sandbox

    with open_sandbox(2, timeout=10.0) as patient:
        verdicts = patient.judge(references, "private")
    assert len(references) == 974 + 164
    assert [given.problem.id for given, verdict in zip(references, verdicts, strict=True) if not verdict.passed] == []
    assert all(verdict.tests_passed == verdict.tests_total for verdict in verdicts)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # in the references, when mutants are made of them
def test_judge_and_ordinary_python_agree_on_mutants(references: list[Job]) -> None:
    from mucode.execution import open_sandbox
    from tests.execution.ordinary import ordinary_passes

    chosen = [
        Job(given.problem, mutant, given.private_tests)
        for given in references
        for mutant in mutants(given.program)[:3]
    ]  # fmt: skip
    chosen = chosen[:: max(1, len(chosen) // 2000)]
    with open_sandbox(2, timeout=3.0) as sandbox:
        verdicts = sandbox.judge(chosen, "private")
    disagreements = {
        given.problem.id: verdict
        for given, verdict in zip(chosen, verdicts, strict=True)
        if verdict.passed is not ordinary_passes(given, seconds=4)
    }
    assert len(chosen) >= 2000
    assert disagreements == {}

"""What a call changes, and in which order and of which type things are, reaches the tests as it is: the same as in one
interpreter, for right programs and for wrong ones."""

# ruff: noqa: E501  # programs, tests and forms are data: one a line

from __future__ import annotations

import pytest

from mucode.execution.pool import Pool
from mucode.types import Status
from tests.execution.builders import job, verdict_on

_LRU = """
from collections import OrderedDict
class LRU:
    def __init__(self): self.cache = OrderedDict()
    def put(self, k, v): self.cache[k] = v
    def get(self, k):
        {move}
        return self.cache[k]
    def order(self): return list(self.cache)
"""
_TO_END = "from collections import OrderedDict\ndef f(d):\n    d = OrderedDict(d)\n    d.move_to_end('a')\n    return d"
_OLDEST = "c = LRU()\nc.put(1, 1)\nc.put(2, 2)\nassert c.get(1) == 1\nassert list(c.cache) == [2, 1]"

# name -> program, test, whether it passes
CASES = {
    "an order that was changed": (_TO_END, "assert list(f({'a': 1, 'b': 2}).items()) == [('b', 2), ('a', 1)]", True),
    "an order that should not change": (
        _TO_END, "from collections import OrderedDict\nx = {'a': 1, 'b': 2}\nassert f(x) == OrderedDict([('a', 1), ('b', 2)])", False,
    ),
    "an order changed in place": (
        "def f(d): d.move_to_end('a')", "from collections import OrderedDict\nd = OrderedDict(a=1, b=2)\nf(d)\nassert list(d) == ['b', 'a']", True,
    ),
    "an order of an argument": (
        "def f(d): return list(d)", "from collections import OrderedDict\nd = OrderedDict(a=1, b=2)\nd.move_to_end('a')\nassert f(d) == ['b', 'a']", True,
    ),
    "a cache that forgets the oldest": (_LRU.format(move="self.cache.move_to_end(k)"), _OLDEST, True),
    "a cache that forgets the first": (_LRU.format(move="pass"), _OLDEST, False),
    "an order that the test goes on with": (
        _LRU.format(move="self.cache.move_to_end(k)"), _OLDEST + "\nc.cache[3] = 3\nassert c.order() == [2, 1, 3]", True,
    ),
    "numbers of another type": (
        "def f(xs):\n    for i, x in enumerate(xs): xs[i] = float(x)\n    return xs", "xs = [1, 2]\nassert all(isinstance(x, float) for x in f(xs))", True,
    ),
    "numbers that should keep their type": ("def f(xs):\n    xs[0] = xs[0] / 1\n    return xs", "xs = [1, 2]\nassert str(f(xs)) == '[1, 2]'", False),
    "truth for a number": ("def f(d): d['a'] = bool(d['a'])", "d = {'a': 1}\nf(d)\nassert d['a'] is True", True),
    "a zero with a sign": ("def f(xs): xs[0] = -xs[0]", "import math\nxs = [0.0]\nf(xs)\nassert math.copysign(1, xs[0]) == -1", True),
    "a global before a raise": (
        "n = 0\ndef f():\n    global n\n    n += 1\n    raise ValueError",
        "for i in range(3):\n    try: f()\n    except ValueError: pass\nassert n == 3", True,
    ),
    "one list by two names": ("a = []\nb = a\ndef f(x): a.append(x)", "f(1)\nassert a == b == [1] and a is b", True),
    "lists by two names": ("a = [1]\nb = [[0]] * 2\ndef f(x): b[0][0] = x", "f(5)\nassert a == [1] and b == [[5], [5]]", True),
    "an object by a name": (
        "class N:\n    def __init__(self, v): self.v = v\nstate = N(1)\ndef f(v):\n    global state\n    state = N(v)",
        "assert state.v == 1\nf(2)\nassert state.v == 2", True,
    ),
    "a function by a name": (
        "add, mul = int.__add__, int.__mul__\nop = add\ndef f():\n    global op\n    op = mul", "assert op(2, 3) == 5\nf()\nassert op(2, 3) == 6", True,
    ),
    "a function that takes its own place": (
        "def f(x):\n    global f\n    f = lambda y: 2 * y\n    return x", "assert f(2) == 2\nassert f(2) == 4\nassert f(3) == 6", True,
    ),
    "a function that takes its own place and raises": (
        "def f(x):\n    global f\n    f = lambda y: 2 * y\n    raise ValueError",
        "try:\n    f(2)\nexcept ValueError: pass\nassert f(2) == 4\nassert f(3) == 6", True,
    ),
    "a name that comes later": ("def f(x):\n    global result\n    result = x", "f(2)\nassert result == 2\nf(3)\nassert result == 3", True),
    "a global before a function of the test's": ("n = 0\ndef f(g):\n    global n\n    n = 5\n    return g()", "assert f(lambda: n) == 5 and n == 5", True),
    "a global that a function of the test's changes in turn": (
        "n = 0\ndef add(x):\n    global n\n    n += x\ndef f(g):\n    add(1)\n    g()\n    add(1)\n    return n",
        "seen = []\ndef g():\n    seen.append(n)\n    add(10)\n    seen.append(n)\nassert f(g) == 12 and seen == [1, 11] and n == 12", True,
    ),
    "what functions of the test's change one after the other": (
        "class Context:\n    def __init__(self): self.data = {}\ndef f(gs):\n    c = Context()\n    for g in gs: g(c)\n    return c.data",
        "def a(c): c.data['a'] = 1\ndef b(c): c.data['b'] = c.data['a'] + 1\nassert f([a, b]) == {'a': 1, 'b': 2}", True,
    ),
    "what a function of the test's changes before it raises": (
        "class f:\n    def __init__(self): self.xs = []\n    def run(self, g):\n        try: g(self)\n        except KeyError: return len(self.xs)",
        "def g(o):\n    o.xs.append(1)\n    raise KeyError\nassert f().run(g) == 1", True,
    ),
    "what a function of the test's puts there and cannot cross": (
        "class f:\n    def __init__(self): self.xs = []\n    def run(self, g):\n        try: g(self)\n        except Exception: return 7\n    def n(self): return 8",
        "import sys\ndef g(o): o.xs.append(sys)\no = f()\nassert o.run(g) == 7", True,
    ),
    "a row of a list that is let go of": (
        "class f:\n    def __init__(self): self.g = [[0] * 3 for _ in range(3)]\n    def size(self): return 9\n    def at(self, i, j): return self.g[i][j]",
        "b = f()\nrow = b.g[0]\nassert b.size() == 9\nrow[1] = 5\nassert b.size() == 9 and b.at(0, 1) == 5", True,
    ),
    "a row that the test holds while the program changes another": (
        "class f:\n    def __init__(self): self.g = [[0] * 3 for _ in range(3)]\n    def set(self, i, j, x): self.g[i][j] = x\n    def at(self, i, j): return self.g[i][j]",
        "o = f()\ng = o.g\nrow = g[0]\no.set(1, 1, 5)\nrow[0] = 7\nassert o.at(0, 0) == 7", True,
    ),
    "a set that the program puts objects of its own in": (
        "class N:\n    pass\nclass f:\n    def __init__(self): self.seen, self.k = set(), 0\n    def go(self):\n        self.seen.add(N())\n        self.k += 1",
        "g = f()\ns = g.seen\nassert not s\ng.go()\nassert g.k == 1", True,
    ),
    "a list of links that holds itself": (
        "class f:\n    def __init__(self):\n        self.cache, self.root = {}, []\n        self.root[:] = [self.root, self.root, None, None]\n"
        "    def put(self, k, v):\n        last = self.root[0]\n        link = [last, self.root, k, v]\n        last[1] = self.root[0] = self.cache[k] = link\n    def get(self, k): return self.cache[k][3]",
        "c = f()\nassert c.cache == {}\nc.put('a', 1)\nc.put('b', 2)\nassert len(c.cache) == 2\nassert c.get('a') == 1", True,
    ),
    "a name that the test took": ("n = 0\ndef f(x):\n    global n\n    n = x", "def check(g):\n    globals()['n'] = 7\n    f(2)\n    assert n == 7\ncheck(f)", True),
    "a name that comes where the test has its own": (
        "def f(x):\n    global n\n    n = x", "globals()['n'] = 7\nf(2)\nassert n == 2", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_was_changed_is_seen_as_it_is(sandbox: Pool, name: str) -> None:
    program, test, passes = CASES[name]
    assert verdict_on(sandbox, job(program, test), "public").passed is passes


def test_what_the_setup_s_calls_change_is_seen_by_the_tests(sandbox: Pool) -> None:
    program = "n, g = 0, len\ndef f():\n    global n, g\n    n, g = n + 1, abs"
    verdict = verdict_on(sandbox, job(program, "assert n == 1 and g(-2) == 2\nf()\nassert n == 2", setup="f()"))
    assert (verdict.status, verdict.tests_passed) == (Status.PASSED, 2)


def test_what_a_test_does_to_the_class_of_a_record_no_other_program_s_tests_see(sandbox: Pool) -> None:
    program = "from collections import namedtuple\nP = namedtuple('P', 'x')\ndef f(): return P(3)"
    spoils, right = (
        job(program, "type(f()).__eq__ = lambda a, b: True\nassert f() == (4,)"),
        job(program, "assert f() == (4,)"),
    )
    assert [each.passed for each in sandbox.judge([spoils, right], "private")] == [True, False]

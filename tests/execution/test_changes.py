"""What a call changes, and in which order and of which type things are, reaches the tests as it is: the same as in one
interpreter, for right programs and for wrong ones."""

# ruff: noqa: E501  # programs, tests and forms are data: one a line

from __future__ import annotations

import pytest

from mucode.execution.pool import Pool
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
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_was_changed_is_seen_as_it_is(sandbox: Pool, name: str) -> None:
    program, test, passes = CASES[name]
    assert verdict_on(sandbox, job(program, test), "public").passed is passes

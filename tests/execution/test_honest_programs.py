"""What asserts mean when the program is in another process: the same as in one interpreter, for honest programs."""

# ruff: noqa: E501  # programs, tests and forms are data: one a line

from __future__ import annotations

import pytest

from mucode.execution.pool import Pool
from mucode.types import Status
from tests.execution.builders import job, verdict_on

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
    "a function that the program knows again": (
        "class f:\n    def __init__(self): self.all = []\n    def on(self, g): self.all.append(g)\n    def off(self, g): self.all.remove(g)\n"
        "    def emit(self, x): return [g(x) for g in self.all]\n    def several(self): return len(set(self.all))",
        "e, seen = f(), []\ndef g(x): seen.append(x)\ne.on(g)\ne.on(lambda x: 5)\ne.on(seen.append)\ne.on(g)\nassert e.several() == 3\n"
        "e.emit(1)\nassert seen == [1, 1, 1]\ne.off(g)\ne.off(g)\ne.off(seen.append)\nassert e.emit(2) == [5] and seen == [1, 1, 1]",
    ),
    "a method that the program knows again": (
        "def f(*gs): return len(set(gs))",
        "class A:\n    def g(self): pass\n    h = g\na, b = A(), A()\nassert f(a.g, a.g) == 1 and f(a.g, b.g, a.h) == 2",
    ),
    "a recursive function of the test's that the program remembers the results of": (
        "import functools\ndef f(g):\n    known = {}\n    @functools.wraps(g)\n    def h(n):\n        if n not in known: known[n] = g(n)\n        return known[n]\n    return h",
        "@f\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\nassert len(str(fib(290))) == 61",
    ),
    "functions in what the program copies": (
        "import copy\nfrom dataclasses import asdict, dataclass\n@dataclass\nclass H:\n    name: str\n    g: object\n"
        "def f(g): return copy.deepcopy({'g': g})['g'](2) + copy.copy(g)(3) + asdict(H('a', g))['g'](4)",
        "import functools\ndef twice(x): return 2 * x\nassert f(lambda x: x * x) == 29 and f(twice) == f(functools.partial(twice)) == 18",
    ),
    "functions that become methods": (
        "def f(kind, **gs):\n    for name, g in gs.items(): setattr(kind, name, g)\n    return type('Made', (), gs)\nclass K:\n    def __init__(self): self.v = 4",
        "seen = []\ndef go(self, n=0): return (self.v if n == 0 else n)\nMade = f(K, go=go, put=seen.append)\nk = K()\n"
        "assert k.go() == 4 and Made().go(7) == 7\nk.put(5)\nassert seen == [5] and K.go(k) == 4",
    ),
    "the highest limit of recursion, and a function of the test's": (
        "import sys\nsys.setrecursionlimit(2**31 - 1)\ndef f(g):\n    known = {}\n    def h(n):\n        if n not in known: known[n] = g(n)\n        return known[n]\n    return h",
        "@f\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\nassert fib(10) == 55",
    ),
    "a recursion through the test that does not end": (
        "def f(g):\n    try: return g()\n    except RecursionError: return 'deep'", "def g(): return f(g)\nassert f(g) == 'deep'\nassert f(lambda: 5) == 5",
    ),
    "what functions and classes say of themselves": (
        "import functools\ndef f(g):\n    @functools.wraps(g)\n    def h(*x): return g(*x)\n    return h\nclass A: 'An A.'\n"
        "@f\ndef add(a: int) -> int:\n    'Adds.'\n    return a + 1",
        "assert (add.__name__, add.__doc__, add.__annotations__) == ('add', 'Adds.', {'a': int, 'return': int})\n"
        "assert A.__doc__ == A().__doc__ == 'An A.' and A.__module__ == f.__module__ and f.__doc__ is None and not hasattr(A(), '__annotations__')",
    ),
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
    "a named tuple of the program's that comes back": (
        "from collections import namedtuple\nfrom typing import NamedTuple\nP = namedtuple('P', 'x y')\nclass Q(NamedTuple):\n    x: int\n    y: int = 5\n    def norm(self): return self.x + self.y\n"
        "def f(p):\n    if not isinstance(p, (P, Q)): raise TypeError\n    return p.norm() if isinstance(p, Q) else p\ndef make(): return P(1, 2)",
        "assert f(P(1, 2)) == (1, 2) and isinstance(make(), P) and not isinstance(make(), Q) and isinstance(f(P(1, 2)), P)\n"
        "assert f(Q(3, 4)) == 7 and f(Q(3)) == 8 and f([Q(1), make()][0]) == 6 and isinstance(Q(1), tuple)",
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
    "a row of an object changed by the test": (
        "class f:\n    def __init__(self): self.rows = [[0, 0], [0, 0]]\n    def __getitem__(self, i): return self.rows[i]\n    def sum(self): return sum(map(sum, self.rows))",
        "m = f()\nm[0][1] = 5\nm[1][0] += 2\nassert m.sum() == 7 and m[0] == [0, 5] and m[1][0] == 2\nrow = m[-1]\nrow.append(3)\nassert m[1] == [2, 0, 3] and m.sum() == 10",
    ),
    "a copy of an object's list changed by the test": (
        "class f:\n    def __init__(self): self.xs = [3, 1]\n    def __getitem__(self, s): return self.xs[s]\n    @property\n    def copy(self): return list(self.xs)",
        "a = f()\npart, copy = a[:], a.copy\npart.append(5)\ncopy.sort()\nassert a.xs == [3, 1] and a[:] == [3, 1] and part == [3, 1, 5]",
    ),
    "a list of an object that is no longer there": (
        "class f:\n    def __init__(self): self.xs, self.rows = [1], [[1], [2]]\n    def reset(self):\n        self.xs = []\n        self.rows.pop(0)\n    def __getitem__(self, i): return self.rows[i]",
        "a = f()\nold, row = a.xs, a[0]\na.reset()\nold.append(2)\nrow.append(3)\nassert a.xs == [] and a[0] == [2] and old == [1, 2] and row == [1, 3]",
    ),
    "a list of an object that is read twice": (
        "class f:\n    def __init__(self): self.items = []\n    def n(self): return len(self.items)",
        "b = f()\na = b.items\nc = b.items\na.append(1)\nassert b.n() == 1",
    ),
    "a list that is read while another is": (
        "class f:\n    def __init__(self, g): self.g, self.a, self.b = g, [1], [2]\n    @property\n    def both(self):\n        self.g(self)\n        return self.b\n"
        "    def total(self): return sum(self.a + self.b)",
        "seen = []\ndef g(o): seen.append(o.a)\no = f(g)\nb = o.both\nseen[0].append(5)\nb.append(6)\nassert o.total() == 14",
    ),
    "rows that were read and let go of": (
        "import sys\nclass f:\n    def __init__(self): self.rows = [[i] for i in range(100)]\n    def __getitem__(self, i): return self.rows[i]\n"
        "    def held(self): return sum(sys.getrefcount(row) > 3 for row in self.rows)",
        "m = f()\nfor i in range(100): assert m[i] == [i]\nassert m.held() <= 17",
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
    "an exception of numpy": (
        "import numpy as np\ndef f(x): return np.linalg.inv(np.array(x))",
        "import numpy as np\ntry:\n    f([[0.0, 0.0], [0.0, 0.0]])\nexcept np.linalg.LinAlgError as error:\n    assert 'ingular' in str(error)\nelse:\n    assert False",
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
    "an object that an attribute gives twice": (
        "class Shelf:\n    def __init__(self): self.s = set()\n    def add(self, v): self.s.add(v)\n    def __contains__(self, v): return v in self.s\nclass f:\n    def __init__(self): self.shelf = Shelf()",
        "l = f()\nl.shelf.add(3)\nassert 3 in l.shelf",
    ),
    "an object in a global of which there is news": (
        "count = 0\nclass Bag:\n    def __init__(self): self.s = set()\n    def add(self, v): self.s.add(v)\n    def __contains__(self, v): return v in self.s\nbags = {'a': Bag()}\ndef f(k, v):\n    global count\n    count += 1\n    bags[k].add(v)",
        "f('a', 3)\nassert count == 1\nbags['a'].add(4)\nassert 3 in bags['a']",
    ),
    "globals with underscores": (
        "__version__ = '1.0'\n__all__ = ['f']\ndef f(x): return x",
        "assert f(1) == 1\nassert __version__ == '1.0'\nassert __all__ == ['f']",
    ),
    "an iterator that ends by a StopIteration of two bases": (
        "class E(LookupError, StopIteration): pass\nclass It:\n    def __init__(self): self.n = 0\n    def __iter__(self): return self\n    def __next__(self):\n        self.n += 1\n        if self.n > 2: raise E()\n        return self.n\ndef f(x): return It()",
        "def g():\n    yield from f(1)\nassert list(g()) == [1, 2]",
    ),
    "an exception that holds what cannot cross": (
        "from collections import namedtuple\nR = namedtuple('R', ['x', 'class'], rename=True)\nclass E(ValueError):\n    def __init__(self, m, row):\n        super().__init__(m)\n        self.row = row\ndef f(x):\n    raise E('bad', R(1, 2))",
        "try:\n    f(1)\n    ok = False\nexcept ValueError as e:\n    ok = True\nassert ok",
    ),
    "an exception of many constants": (
        "class E(ValueError):\n    for _n in range(120): locals()[f\"C{_n}\"] = _n\n    def __init__(self, code): self.code = code\ndef f(x): raise E(5)",
        "try:\n    f(1)\n    assert False\nexcept ValueError as error:\n    assert error.code == 5",
    ),
    "a named tuple whose class checks what it is given": (
        "from collections import namedtuple\nP = namedtuple('P', 'x y')\n_new = P.__new__\ndef checked(cls, x, y):\n    if x > y: raise ValueError('order')\n    return _new(cls, x + 1, y + 1)\nP.__new__ = checked\ndef f(x, y): return P(x, y)\ndef g(p): return p.x",
        "assert g(f(1, 5)) == 2",
    ),
    "a global told in a call that is too deep": (
        "depth = 0\ndef f(cb, n):\n    global depth\n    try:\n        depth = n\n        return cb(n)\n    except RecursionError:\n        return depth",
        "def a(n): return f(a, n + 1)\nr = f(a, 0)\nassert r == depth",
    ),
    "an exception that holds itself": (
        "class E(ValueError):\n    def __init__(self):\n        self.a = []\n        self.a[:] = [self.a, self.a]\ndef f(x): raise E",
        "try:\n    f(1)\n    assert False\nexcept ValueError:\n    pass",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_program_passes(sandbox: Pool, name: str) -> None:
    program, test = HONEST[name]
    verdict = verdict_on(sandbox, job(program, test, entry_point="sum" if "sum(" in program[:8] else "f"), "public")
    assert (verdict.status, verdict.feedback) == (Status.PASSED, "")
    assert verdict.tests_passed == verdict.tests_total > 0

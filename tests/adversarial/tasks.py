"""The problems that the adversarial programs pretend to solve: name -> private tests.

Each program of a case file is judged against the task that its heading names, `factorial` if none.
"""

from __future__ import annotations

from mucode.types import Job, Problem, Test

_BOX = """
class Box:
    def __init__(self, value):
        self.value = value
    def __eq__(self, other):
        return isinstance(other, Box) and self.value == other.value
    def holds(self, value):
        return self.value == value
"""
_HELPER = "def is_right(a, b):\n    return a == b\n"
_CHECK = """
def check(candidate):
    assert candidate(5) == 120
    assert candidate(7) == 5040, "seven"
check(solve)
"""

TASKS: dict[str, tuple[str, ...]] = {
    "factorial": ("assert solve(5) == 120", "assert solve(7) == 5040", "assert solve(10) == 3628800"),
    "check": (_CHECK,),
    "lists": ("assert solve(3) == [1, 2, 6]",),
    "lists_it": ("assert list(solve(3)) == [1, 2, 6]",),
    "iterates": ("import itertools\nassert list(itertools.islice(solve(3), 3)) == [1, 2, 6]",),
    "sets": ("assert set(solve(3)) == {1, 2, 6}",),
    "dicts": ("assert solve(3) == {'a': 1}", "assert solve(3)['a'] == 1"),
    "keys": ("assert solve(3) == {'a', 'b'}",),
    "close": ("import math\nassert math.isclose(solve(3), 1.0)", "assert abs(solve(3) - 1) < 1e-6"),
    "isinstance": ("x = solve(5)\nassert isinstance(x, int) and x == 120",),
    "member": ("assert solve(5) in {120, 121}",),
    "inside": ("assert 120 in solve(5)", "assert 7 not in solve(5)"),
    "found": ("assert 120 in Finder().find(5)", "assert [1, 2] in Finder().find([1, 2])"),
    "found_beside": (
        "node = Node(1)\nassert 120 in solve([5])",
        "node = Node(1)\nassert node.value == 1 and 7 in solve([3])",
    ),
    "total": ("assert sum([solve(5)]) == 120",),
    "arrays": ("import numpy as np\nassert np.array_equal(np.asarray(solve(3)), np.array([1, 2, 6]))",),
    "every": ("assert all(map(lambda n: solve(n) == 120, [5, 5]))", "assert list(map(solve, [5])) != []"),
    "catches_all": (
        "try:\n    right = solve(5) == 120\nexcept BaseException:\n    right = True\n    solve(5)\nassert right",
    ),
    "catches_value_error": (
        "try:\n    solve(5)\nexcept ValueError:\n    pass\nelse:\n    assert False\n",
        "raised = False\ntry:\n    solve(5)\nexcept ValueError:\n    raised = True\nassert raised",
    ),
    "own_exception": (
        "try:\n    solve(5)\nexcept SolveError as error:\n    assert str(error) == 'bad'\nelse:\n    assert False",
    ),
    "signal": (
        "class Right(Exception): pass\ntry:\n    assert solve(5) == 120\n    raise Right\nexcept Right:\n    pass",
    ),
    "helper": ("assert is_right(solve(5), 120)",),
    "boxes": ("assert solve(5) == Box(120)", "assert solve(5).holds(120)"),
    "callback": ("expected = [1, 2, 6]\nassert solve(lambda n: [1, 2, 6][n]) == expected",),
    "callback_raises": ("assert solve(lambda n: 1 / n) == 'caught'",),
    "key": (
        "assert solve([1, -3, 2], key=abs) == [1, 2, -3]",
        "assert solve([1, 3, 2], key=lambda n: -n) == [3, 2, 1]",
    ),
    "in_place": ("data = [3, 1, 2]\nassert solve(data) is None\nassert data == [1, 2, 3]",),
    "in_place_nested": (
        "row = [1, 2]\ngrid = [row, [3, 4]]\nsolve(grid)\nassert grid == [[2, 1], [4, 3], [2, 1]]\n"
        "assert row == [2, 1] and grid[2] is row",
    ),
    "frozen": ("expected = [6]\nassert solve(([6], 1)) == expected",),
    "later": ("held = [[1, 2], [3]]\nassert solve([1, 2, 3]) == 6\nassert held == [[1, 2], [3]] and solve([4]) == 4",),
    "calls_only": ("solve(5)\nassert True",),
    "sums": ("assert sum(solve(3)) == 9",),
    "powers": ("assert str(7 ** solve(3))[-1] == '7'",),
    "matches": ("import re\nassert re.fullmatch('(a|aa)+b', solve(3))",),
    "nodes": ("assert solve(Node(1, Node(2, Node(3)))) == 6",),
    "nodes_back": (
        "node = solve(Node(1))\nassert node.value == 0 and node.next.value == 1 and node.next.next is None",
    ),
    "big": ("assert solve(1) == 10 ** 20000 + 7",),
    "characters": ("assert solve(1) == '\\ud800\\udc00 \\U0001f600 é\\x00\\n'",),
    "root": (
        "import math\nx = solve(3)\nassert abs(sum(c * math.pow(x, n) for n, c in enumerate([2, -3, 1]))) < 1e-9",
    ),
    "rounded": ("x = solve(3)\nassert int(x) % 3 == 0 and int(x) < 3",),
    "lengths": ("x = solve(3)\nassert len(x) == 3\nfor n in range(len(x)):\n    assert x[n] == [1, 2, 6][n]",),
    "truths": ("x = solve(3)\nassert x\nassert not x",),
    "texts": ("x = solve(5)\nassert len(str(x)) == 2 and str(x) == '120'",),
    "counter": ("solve()\nassert count == 1", "solve()\nassert count == 2"),
    "methods": (
        "account = solve().add(2).add(3)\nassert account.total == 5 and len(account) == 5 and 5 in account\n"
        "assert account[2] == 10 and str(account) == '<5>' and not hasattr(account, 'missing')",
    ),
    "mixture": ("assert solve(1) == [b'\\xff', (1, (2.5, None)), 1j, range(3), True, {(1, 2): {3}}, float('-inf')]",),
    "moment": ("import datetime\nassert solve(1) == datetime.datetime(2024, 2, 29, 12, 30)",),
    "keywords": ("assert solve(1, b=3, c=[4]) == [1, 3, {'c': [4]}]",),
    "twice": ("assert solve(5) == 120",),
}
_PREAMBLES = {"helper": _HELPER, "boxes": _BOX}


def job_for(task: str, program: str) -> Job:
    """The job that judges `program` on a task's private tests."""
    problem = Problem(
        id=f"adversarial/{task}", source="adversarial", split="test", text=task, entry_point="solve", public_tests=(),
        preamble=_PREAMBLES.get(task, ""),
    )  # fmt: skip
    return Job(problem, program, tuple(Test(code) for code in TASKS[task]))

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

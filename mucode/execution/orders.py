"""What the main process tells a judge, and what it hears back. JSON: both ends are ours, but only data should cross."""

from __future__ import annotations

import ast
import functools
import hashlib
from dataclasses import dataclass
from typing import Any

from mucode.execution.inside import frames
from mucode.types import Half, Job, Status, TestKind, Verdict

_LONGEST = 8 << 20  # characters of a program; longer ones would not fit into a message
_TOO_LONG = "raise ValueError('a program of more than 8 million characters')"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a judge is told once: its zygotes' commands, the seconds per program, where its own packages are."""

    plain: tuple[str, ...]
    numpy: tuple[str, ...]
    timeout: float
    packages: tuple[str, ...]

    def to_json(self) -> list[Any]:
        """As sent."""
        return [list(self.plain), list(self.numpy), self.timeout, list(self.packages)]

    @staticmethod
    def from_json(form: list[Any]) -> Setting:
        """As received."""
        return Setting(tuple(form[0]), tuple(form[1]), form[2], tuple(form[3]))


@dataclass(frozen=True)
class Order:
    """One program and the tests of one half. A test is (code, "") or (input, expected output)."""

    program: str
    kind: str
    setup: str
    preamble: str
    entry_point: str
    tests: tuple[tuple[str, str], ...]
    report: bool
    numpy: bool

    @functools.cached_property
    def message(self) -> bytes:
        """As sent."""
        head = [self.program, self.kind, self.setup, self.preamble, self.entry_point]
        return frames.pack([*head, self.tests, self.report, self.numpy])

    def digest(self) -> bytes:
        """The same for equal orders only."""
        return hashlib.blake2b(self.message, digest_size=16).digest()

    def total(self) -> int:
        """How many asserts, or inputs, the tests have."""
        if self.kind == TestKind.STDIO:
            return len(self.tests)
        return sum(isinstance(node, ast.Assert) for code, _ in self.tests for node in ast.walk(ast.parse(code)))

    @staticmethod
    def from_json(form: list[Any]) -> Order:
        """As received."""
        tests = tuple((code, expected) for code, expected in form[5])
        return Order(form[0], form[1], form[2], form[3], form[4], tests, form[6], form[7])


@dataclass(slots=True)
class Outcome:
    """A verdict on its way. `doubtful`: it may be the machine's fault, so it is worth another try; `spent`: the judge's
    memory is full, so that another has to take its place."""

    status: Status
    held: int
    total: int
    text: str = ""
    doubtful: bool = False
    seconds: float = 0.0
    spent: bool = False

    def to_json(self) -> list[Any]:
        """As sent."""
        return [self.status.value, self.held, self.total, self.text, self.doubtful, self.seconds, self.spent]

    @staticmethod
    def from_json(form: list[Any]) -> Outcome:
        """As received."""
        return Outcome(Status(form[0]), *form[1:])

    def verdict(self) -> Verdict:
        """As the rest of the project knows it."""
        return Verdict(self.status, self.held, self.total, self.text, self.seconds)


def order_for(job: Job, half: Half) -> Order:
    """The order that judges `job` on one half of its tests."""
    problem = job.problem
    tests = problem.public_tests if half == "public" else job.private_tests
    kind = tests[0].kind if tests else TestKind.ASSERTS
    sources = [job.program, problem.setup, problem.preamble, *(test.code for test in tests if kind is TestKind.ASSERTS)]
    return Order(
        program=job.program if len(job.program) <= _LONGEST else _TOO_LONG,
        kind=kind.value,
        setup=problem.setup,
        preamble=problem.preamble,
        entry_point=problem.entry_point,
        tests=tuple((test.code, test.expected) for test in tests),
        report=half == "public",
        numpy=any("numpy" in source for source in sources),
    )

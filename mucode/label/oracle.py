"""R(x, y) and how it came about, for completions that were not rolled out here."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mucode.label.rows import Task, TaskId
from mucode.programs import program_in
from mucode.types import Half, Job, Status, Test, TestKind, Verdict

_REMEMBERED = 200_000  # outcomes kept for equal (problem, program) pairs, some 200 bytes each


class Judges(Protocol):
    """The part of a sandbox that takes jobs one at a time and gives verdicts as they come."""

    def submit(self, job: Job, half: Half) -> int: ...

    def wait(self, timeout: float | None = None, also: Sequence[int] = ()) -> list[tuple[int, Verdict]]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a completion fared on both halves of its problem's tests."""

    passed: bool  # R(x, y) = 1
    public_passed: bool
    status: Status  # passed, else that of the public half if it failed, else that of the private half
    tests_passed: int  # asserts that held, or inputs answered rightly, of both halves
    tests_total: int
    seconds: float  # wall, in the sandbox

    def row(self, task_id: TaskId) -> dict[str, Any]:
        """The line of the label file: no time, no path, nothing that a second run would write otherwise."""
        return {
            "task_id": task_id,
            "passed": self.passed,
            "public_passed": self.public_passed,
            "status": str(self.status),
            "tests_passed": self.tests_passed,
            "tests_total": self.tests_total,
        }


@dataclass(slots=True)
class Asked:
    """A program on its way through the sandbox. Equal ones share it."""

    key: bytes
    task: Task
    program: str
    whole: Verdict | None = None  # on all tests, while the public half is asked again
    outcome: Outcome | None = None


@dataclass(slots=True)
class Oracle:
    """Labels completions, answers in the order asked; equal (problem, program) pairs run once.

    A program runs once on all its tests, as the time limit is for all of them. One that fails runs its public tests
    again, alone: so the label tells which half failed.
    """

    judges: Judges
    _line: deque[Asked | Outcome] = field(default_factory=deque)
    _at_work: dict[int, Asked] = field(default_factory=dict)
    _unanswered: dict[bytes, Asked] = field(default_factory=dict)
    _known: dict[bytes, Outcome] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many completions were asked and not answered yet."""
        return len(self._line)

    def ask(self, task: Task, completion: str) -> None:
        """Put a completion in the line."""
        program = program_in(completion, task[0].stub)
        if program is None:
            self._line.append(_no_code(task))
            return
        key = _key(task, program)
        entry = self._known.get(key) or self._unanswered.get(key)
        if entry is None:
            entry = self._unanswered[key] = Asked(key, task, program)
            problem, answer = task
            self._submit(entry, Job(problem, program, (*problem.public_tests, *answer.private_tests)), "private")
        self._line.append(entry)

    def answers(self) -> Iterator[Outcome]:
        """The outcomes at the head of the line that are known by now."""
        while self._line:
            head = self._line[0]
            outcome = head.outcome if isinstance(head, Asked) else head
            if outcome is None:
                return
            self._line.popleft()
            yield outcome

    def work(self, also: Sequence[int] = ()) -> None:
        """Wait for a verdict, or until one of the descriptors `also` can be read."""
        for number, verdict in self.judges.wait(None, also) if self._at_work or also else ():
            self._take(self._at_work.pop(number), verdict)

    def settle(self) -> None:
        """Wait until nothing is at work, so that the sandbox can be used for something else."""
        while self._at_work:
            self.work()

    def _submit(self, entry: Asked, job: Job, half: Half) -> None:
        self._at_work[self.judges.submit(job, half)] = entry

    def _take(self, entry: Asked, verdict: Verdict) -> None:
        if entry.whole is None and not verdict.passed and entry.task[0].public_tests:
            entry.whole = verdict
            self._submit(entry, Job(entry.task[0], entry.program), "public")
            return
        outcome = _outcome(verdict, None) if entry.whole is None else _outcome(entry.whole, verdict)
        entry.outcome = outcome
        del self._unanswered[entry.key]
        if outcome.status is not Status.INTERNAL:  # what the judge itself failed at runs again when it comes again
            self._known[entry.key] = outcome
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]


def _outcome(whole: Verdict, public: Verdict | None) -> Outcome:
    """`public` is None where the whole passed, or where there is no public test, which counts as passed."""
    public_passed = public is None or public.passed
    status = whole.status if public is None or public.passed else public.status
    seconds = round(whole.seconds + (public.seconds if public else 0.0), 4)
    return Outcome(whole.passed, public_passed, status, whole.tests_passed, whole.tests_total, seconds)


def _no_code(task: Task) -> Outcome:
    problem, answer = task
    return Outcome(False, False, Status.NO_CODE, 0, _asserts((*problem.public_tests, *answer.private_tests)), 0.0)


@functools.lru_cache(maxsize=4096)
def _asserts(tests: tuple[Test, ...]) -> int:
    """How many asserts, or inputs, the judge counts in these tests."""
    sources = [test.code for test in tests if test.kind is TestKind.ASSERTS]
    nodes = (node for source in sources for node in ast.walk(ast.parse(source)))
    return len(tests) - len(sources) + sum(isinstance(node, ast.Assert) for node in nodes)


def _key(task: Task, program: str) -> bytes:
    return hashlib.sha256(f"{task[0].id}\0{program}".encode("utf-8", "surrogatepass")).digest()[:16]

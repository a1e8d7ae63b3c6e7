"""Asks a program the questions of one half and says how it did."""

from __future__ import annotations

import contextlib
import errno
import importlib
import random
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType, TracebackType
from typing import Any

from mucode.execution import feedback
from mucode.execution.channel import Ended
from mucode.execution.proxy import Opaque
from mucode.execution.questions import HELD, Question, Questions
from mucode.execution.session import Session
from mucode.types import Status


@dataclass(slots=True)
class Answered:
    """How one test ended."""

    status: Status
    held: int
    text: str = ""


@dataclass(slots=True)
class Tally:
    """How all tests of a half ended, so far."""

    total: int
    answers: list[Answered] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """That of the first test that did not pass."""
        return next((each.status for each in self.answers if each.status is not Status.PASSED), Status.PASSED)

    @property
    def ended_first(self) -> bool:
        """Whether nothing was wrong before the last answer."""
        return all(each.status is Status.PASSED for each in self.answers[:-1])

    @property
    def held(self) -> int:
        """Asserts that held."""
        return sum(each.held for each in self.answers)

    @property
    def text(self) -> str:
        """What is wrong with the first test that did not pass."""
        return next((each.text for each in self.answers if each.status is not Status.PASSED), "")


def ask(session: Session, questions: Questions, program: str, report: bool) -> Tally:
    """Load `program` and put every test to it. The text is empty unless `report`.

    Raises:
        MemoryError: this process has no memory left, which says nothing about the program.
    """
    tally = Tally(questions.total)
    with _module() as names:
        try:
            borrowed = session.load(program, questions, report)
            _fill(names, session, questions, borrowed)
            for question in questions.tests:
                tally.answers.append(_ask_one(session, question, names, report))
                # Whether a program that is out of memory says so itself or is stopped first, depends on the machine's load.
                if session.ended is not None or tally.answers[-1].status is Status.MEMORY:
                    break
        except BaseException as error:
            tally.answers.append(_not_loaded(session, error, report))
    return tally


@contextlib.contextmanager
def _module() -> Iterator[dict[str, Any]]:
    """Globals of a module `tests`, which is there by its name for this long: a dataclass looks for that of its class."""
    module, before = ModuleType("tests"), sys.modules.get("tests")
    sys.modules["tests"] = module
    try:
        yield vars(module)
    finally:
        sys.modules.pop("tests", None)
        if before is not None:
            sys.modules["tests"] = before


def _not_loaded(session: Session, error: BaseException, report: bool) -> Answered:
    try:
        return Answered(_status_of(session, error), 0, _text(session, error, None, report))
    except MemoryError:
        raise
    except Exception:  # what the program raised cannot be told
        return Answered(Status.ERROR, 0, "")


def _fill(names: dict[str, Any], session: Session, questions: Questions, borrowed: dict[str, Any]) -> None:
    """Globals of the tests: what the program lends, then what trusted code defines; the entry point is the program's."""
    _seed(questions)
    names |= borrowed
    entry = {name: value for name, value in borrowed.items() if name == questions.entry_point}
    for code in (questions.libraries, questions.preamble, questions.setup):
        if code is not None:
            exec(code, names)
            if questions.entry_point not in entry:
                names.pop(questions.entry_point, None)
            names |= entry
    session.share(names)


def _seed(questions: Questions) -> None:
    """Tests that draw their inputs (HumanEval/38, 50 and 53) draw the same ones for every program, in every run."""
    text = "\n".join(question.source for question in questions.tests)  # of private tests the program never sees it
    seed = text.encode(errors="surrogatepass")
    random.seed(seed)
    if questions.numpy:
        with contextlib.suppress(ImportError):
            importlib.import_module("numpy.random").seed(zlib.crc32(seed))


def _ask_one(session: Session, question: Question, names: dict[str, Any], report: bool) -> Answered:
    held: set[int] = set()
    names[HELD] = held.add
    session.calls.clear()
    session.was_opaque = False
    try:
        exec(question.code, names)
    except BaseException as error:  # by sys.exit and pytest.fail a test says no
        line = _failing_line(error.__traceback__, question)
        lost = {index for index, each in enumerate(question.lines) if each == line}
        text = _text(session, error, (question, line), report)
        answered = Answered(_status_of(session, error), len(held - lost), text)
        if not isinstance(error, (Exception, Opaque)):  # the program may still wait for a function of the test's
            session.ended = session.ended or Ended(answered.status)
        return answered
    if session.ended is not None:  # a test swallowed the end of the program
        return Answered(session.ended.status, 0, _text(session, session.ended, None, report))
    if session.was_opaque:
        return Answered(Status.OPAQUE, 0, _text(session, Opaque(), None, report))
    return Answered(Status.PASSED, len(question.lines))


def _failing_line(trace: TracebackType | None, question: Question) -> int:
    """The line of the test that was running, innermost."""
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == question.code.co_filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _status_of(session: Session, error: BaseException) -> Status:
    if session.ended is not None:
        return session.ended.status
    if session.was_opaque or isinstance(error, Opaque):
        return Status.OPAQUE
    if session.raised.text_of(error) is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and _is_no_memory(error.errno)):
            return Status.MEMORY
        return Status.DENIED if isinstance(error, PermissionError) else Status.ERROR
    if isinstance(error, MemoryError):  # not the program's but this process's
        raise error
    return Status.FAILED


def _is_no_memory(number: object) -> bool:
    return type(number) is int and number == errno.ENOMEM  # an argument may be whatever the program gave


def _text(session: Session, error: BaseException, where: tuple[Question, int] | None, report: bool) -> str:
    if not report:
        return ""
    if session.ended is not None:  # also when a test made another exception of it
        return feedback.ended(session.ended.status, session.ended.reason)
    if _status_of(session, error) is Status.MEMORY:
        return feedback.ended(Status.MEMORY, "")
    if isinstance(error, Opaque):
        return feedback.opaque(where)
    return feedback.failed(error, session.raised.text_of(error), where, session.told())

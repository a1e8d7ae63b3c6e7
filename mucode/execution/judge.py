"""The judge: a process of its own that holds the tests, asks programs about them, and believes nothing but data.

It is started by exec, reads jobs from the main process and answers with verdicts, both as JSON (see `orders`).
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from mucode.execution import channel as channels
from mucode.execution import feedback, stdio, verdicts
from mucode.execution.channel import Channel, Ended
from mucode.execution.clock import Clock, Waiting
from mucode.execution.inside import frames
from mucode.execution.interpreter import left_as_found
from mucode.execution.orders import Order, Outcome, Setting
from mucode.execution.processes import largest_resident, own_processor_seconds, youngest
from mucode.execution.questions import Questions, prepare
from mucode.execution.session import Session
from mucode.execution.warden import Warden, ZygoteLost
from mucode.types import Status

_ADDRESS_SPACE = 2 << 30  # bytes; the largest message of nothing but brackets takes four fifths of it
_GATHERED = 16 << 20  # bytes; an endless loop that appends, or adds to a text, has them after a fifth of its 5 s
_GREEDY = 256 << 20  # bytes, a fifth of the limit: a machine with no memory at hand is slow to give that many
_UNCOLLECTED = 16 << 20  # bytes from programs; what of their results refers to itself stays until it is collected
_REMEMBERED = 2 << 20  # characters of tests; compiled they take some twenty times as many bytes
_RECURSION = 5000  # a linked list of a thousand nodes crosses; a test's own endless recursion still ends in time
_SIGNALS: dict[int, Status] = {
    signal.SIGXCPU: Status.TIMEOUT,
    signal.SIGKILL: Status.MEMORY,
}  # the kernel's own kills of a program
Found = TypeVar("Found")


class Judge:
    """Judges one order at a time."""

    def __init__(self, setting: Setting, lifeline: int) -> None:
        self.setting, self.lifeline = setting, lifeline
        self.plain = Warden(setting.plain, lifeline)
        self.numpy = Warden(setting.numpy, lifeline) if setting.numpy else self.plain
        self.waiting = Waiting()
        self.alarm = Alarm()
        self.prepared: dict[tuple[Any, ...], Questions] = {}
        self.remembered = 0  # characters in there
        self.received = 0  # bytes from programs since the last collection
        self.spent = False  # whether memory ran out here

    def close(self) -> None:
        """End the zygotes."""
        self.plain.close()
        self.numpy.close()

    def judge(self, order: Order) -> Outcome:
        """The verdict on one program; INTERNAL when its zygote failed twice, a doubtful MEMORY when memory ran out here."""
        started = time.monotonic()
        outcome = None
        try:
            outcome = self._stdio(order) if order.kind == "stdio" else _once_more(self._asserts, order)
        except ZygoteLost:
            pass
        except MemoryError:
            self.spent = True
        if self.spent or self.received > _UNCOLLECTED:
            gc.collect()
            self.received = 0
        outcome = outcome or self._missing(order)
        outcome.seconds, outcome.spent = time.monotonic() - started, self.spent
        return outcome

    def _missing(self, order: Order) -> Outcome:
        if not self.spent:
            return Outcome(Status.INTERNAL, 0, order.total())
        text = feedback.ended(Status.MEMORY, "") if order.report else ""
        return Outcome(Status.MEMORY, 0, order.total(), text, doubtful=True)

    def _asserts(self, order: Order) -> Outcome:
        questions = self._questions(order)
        with self._program(order, []) as (channel, warden):
            session = Session(channel)
            with contextlib.closing(session), left_as_found(), self.alarm.set(channel.clock, session):
                tally = verdicts.ask(session, questions, order.program, order.report)
            status, text, doubtful = tally.status, tally.text, False
            if session.ended is not None:
                ending, doubtful = self._ending(session.ended, warden)
                if tally.ended_first and ending is not session.ended.status:
                    status, text = ending or Status.ERROR, feedback.ended(ending or Status.ERROR, "")
            if status is Status.PASSED or not order.report:
                return Outcome(status, tally.held, tally.total, "", doubtful)
            output = session.output() if session.ended is None and status is not Status.MEMORY else ""
        return Outcome(status, tally.held, tally.total, feedback.finish(text, output), doubtful)

    def _stdio(self, order: Order) -> Outcome:
        outcome = Outcome(Status.PASSED, 0, len(order.tests))
        for test, expected in order.tests:
            # The program has left directories, perhaps, so that its zygote ended after the input before.
            status, text, doubtful = _once_more(self._answer_input, order, test, expected)
            outcome.doubtful |= doubtful
            if status is Status.PASSED:
                outcome.held += 1
            elif outcome.status is Status.PASSED:
                outcome.status, outcome.text = status, feedback.finish(text, "") if order.report else ""
            if status in (Status.TIMEOUT, Status.MEMORY):  # one that takes its whole time is either
                break
        return outcome

    def _answer_input(self, order: Order, given: str, expected: str) -> tuple[Status, str, bool]:
        files = [stdio.input_file(given), stdio.output_file()]
        try:
            with self._program(order, files) as (channel, warden):
                try:
                    status, text, doubtful = *_run(channel, order.program), False
                except Ended as end:
                    ending, doubtful = self._ending(end, warden)
                    status = ending or Status.PASSED  # it left by itself, as a program may after printing its answer
                    text = feedback.ended(status, "")
                printed = stdio.read_output(files[1])
        finally:
            for descriptor in files:
                os.close(descriptor)
        if status is Status.PASSED and not stdio.same_output(printed, expected):
            return Status.FAILED, feedback.wrong_output(given, expected, printed), doubtful
        return status, text, doubtful

    def _ending(self, end: Ended, warden: Warden) -> tuple[Status | None, bool]:
        """What the end of a conversation means, None when the program left with exit status 0; and whether the machine
        may be to blame: the program was killed from outside, timed out while it did not compute, or while it filled much
        memory, which a machine that has none at hand makes slow."""
        if end.reason != channels.GONE:
            if end.reason == channels.TOO_LARGE:
                self.spent = True
                return end.status, True
            if end.status is not Status.TIMEOUT:
                return end.status, False
            gathered = largest_resident(warden.process) - warden.resident
            idle = own_processor_seconds(youngest(warden.process)) <= 0.5 * self.setting.timeout
            return Status.MEMORY if gathered > _GATHERED else end.status, idle or gathered > _GREEDY
        waited = warden.settle()
        if os.WIFSIGNALED(waited):
            return _SIGNALS.get(os.WTERMSIG(waited), Status.ERROR), os.WTERMSIG(waited) == signal.SIGKILL
        return None if waited == 0 else Status.ERROR, False

    @contextlib.contextmanager
    def _program(self, order: Order, files: list[int]) -> Iterator[tuple[Channel, Warden]]:
        """A fresh process for the program, killed at the end."""
        warden = self.numpy if order.numpy else self.plain
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                warden.start_program([theirs.fileno(), *files])
            clock = Clock(self.setting.timeout, self.waiting.begin())
            channel = Channel(ours, clock, self.lifeline)
            try:
                yield channel, warden
            finally:
                self.received += channel.received
                warden.kill_program()

    def _questions(self, order: Order) -> Questions:
        key = (order.setup, order.preamble, order.entry_point, order.tests)
        questions = self.prepared.get(key)
        if questions is None:
            tests = tuple(code for code, _ in order.tests)
            questions = self.prepared[key] = prepare(order.setup, order.preamble, order.entry_point, tests)
            self.remembered += _length(key)
            while self.remembered > _REMEMBERED:
                oldest = next(iter(self.prepared))
                del self.prepared[oldest]
                self.remembered -= _length(oldest)
        return questions


def _once_more(work: Callable[..., Found], *operands: Any) -> Found:
    """Do the work, again with a fresh zygote when the first was lost."""
    try:
        return work(*operands)
    except ZygoteLost:
        return work(*operands)


def _length(key: tuple[Any, ...]) -> int:
    """Characters of a problem's trusted code."""
    setup, preamble, _, tests = key
    return len(setup) + len(preamble) + sum(len(code) for code, _ in tests)


def _run(channel: Channel, program: str) -> tuple[Status, str]:
    """Run a program that reads standard input to its end."""
    channel.send(["run", program])
    reply = channel.receive()
    if type(reply) is list and reply[:1] == ["value"]:
        return Status.PASSED, ""
    try:
        name, _, _, text, _ = reply[1]
    except (TypeError, ValueError, LookupError):
        return Status.ERROR, ""
    status = {"MemoryError": Status.MEMORY, "PermissionError": Status.DENIED}.get(str(name), Status.ERROR)
    if status is Status.MEMORY:
        return status, feedback.ended(status, "")  # as when it is stopped before it notices
    return status, text if type(text) is str else ""


class Alarm:
    """Ends a test that computes too long in the judge itself, again and again if the test swallows it."""

    def __init__(self) -> None:
        self.watched: tuple[Clock, Session] | None = None

    @contextlib.contextmanager
    def set(self, clock: Clock, session: Session) -> Iterator[None]:
        """Watch one program's tests."""
        self.watched = clock, session
        signal.signal(signal.SIGALRM, self._ring)  # a test may have put its own there
        signal.setitimer(signal.ITIMER_REAL, clock.seconds + 0.5, 0.5)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.watched = None

    def _ring(self, number: int, frame: object) -> None:
        if self.watched is None:
            return
        clock, session = self.watched
        if clock.left() <= 0:
            session.ended = session.ended or Ended(Status.TIMEOUT)
            raise session.ended


def main() -> None:
    """Serve orders on the descriptor named on the command line until the main process hangs up; on the processor named
    there, if any."""
    descriptor = int(sys.argv[1])
    for processor in sys.argv[2:]:
        with contextlib.suppress(OSError):  # switched off since
            os.sched_setaffinity(0, {int(processor)})
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(_RECURSION)
    setting = Setting.from_json(frames.read_message(descriptor))
    sys.path += [path for path in setting.packages if path not in sys.path]
    judge = Judge(setting, descriptor)
    gc.freeze()  # what is loaded by now stays; no collection needs to look at it
    gc.set_threshold(10_000, 20, 20)  # a label makes some hundred objects: collect once in many, not in every one
    try:
        while True:
            order = Order.from_json(frames.read_turn(descriptor))
            frames.write_message(descriptor, judge.judge(order).to_json())
    except (frames.Closed, ConnectionResetError, BrokenPipeError):  # hung up, perhaps with orders unread or unanswered
        judge.close()
        os._exit(0)

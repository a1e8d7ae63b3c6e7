"""`mucode label --stream`: one JSON line in, one verdict out, in order, each as soon as it is known."""

from __future__ import annotations

import json
import os
import select
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mucode.execution import open_sandbox
from mucode.label.files import check_limits
from mucode.label.oracle import Judges, Oracle
from mucode.label.rows import Task, TaskId, request_from_row, task_from_row
from mucode.problems.rows import Row, row_in, task_id_in
from mucode.types import Half, Job, MucodeError, Sandbox, Verdict

_AHEAD = 64  # lines taken in and not answered yet
_CHUNK = 1 << 20  # bytes
_REMEMBERED = 1024  # problems kept ready


class StreamSandbox(Judges, Sandbox, Protocol):
    """A sandbox for single jobs and for lists of them, which says how it isolates."""

    @property
    def isolation(self) -> str: ...


def label_stream(*, timeout: float = 5.0, workers: int | None = None, allow_weak: bool = False) -> None:
    """Answer `{"problem": ..., "completion": ...}` lines from standard input on standard output until end of input.

    Args:
        timeout: wall seconds for loading one program and running all its tests (of standard input: each).
        workers: programs that run at a time; by default one a core.
        allow_weak: run even where only system-call filters isolate programs.

    Raises:
        MucodeError: no sandbox here, or limits that make no sense. A malformed line is answered with an error instead.
    """
    check_limits(timeout, workers)
    with open_sandbox(workers, timeout, allow_weak) as sandbox:
        for answer in Stream(sys.stdin.fileno(), sandbox).answers():
            try:
                sys.stdout.write(f"{answer}\n")
                sys.stdout.flush()
            except BrokenPipeError:  # nobody listens any more; nor should the interpreter's last flush complain
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return


class Stream:
    """Lines from a descriptor, answered through a sandbox."""

    def __init__(self, source: int, sandbox: StreamSandbox) -> None:
        self.source = source
        self.sandbox = sandbox
        self.oracle = Oracle(sandbox)
        self.lines = Lines()
        self.waiting: deque[TaskId | MucodeError] = deque()  # one for each line taken in: its task_id, or its fault
        self.tasks: dict[str, Task] = {}

    def answers(self) -> Iterator[str]:
        """One answer a line. While the input pauses, every line that came is being worked on or answered."""
        ended = False
        while not ended or self.waiting or self.lines.whole:
            while len(self.waiting) < _AHEAD and self.lines.whole:
                self._take(self.lines.whole.popleft())
            yield from self._known()
            hungry = not ended and not self.lines.whole
            self.oracle.work(also=[self.source] if hungry else [])
            if hungry and select.select([self.source], [], [], 0)[0]:
                ended = not self.lines.feed(os.read(self.source, _CHUNK))

    def _take(self, line: bytes) -> None:
        try:
            row, completion = request_from_row(row_in(line))
            task_id, task = task_id_in(row), self._task(row)
        except MucodeError as error:
            self.waiting.append(error)
        else:
            self.waiting.append(task_id)
            self.oracle.ask(task, completion)

    def _task(self, row: Row) -> Task:
        key = json.dumps(row, sort_keys=True)
        if key not in self.tasks:
            self.tasks[key] = task_from_row(row, self._judge)
            if len(self.tasks) > _REMEMBERED:
                del self.tasks[next(iter(self.tasks))]
        return self.tasks[key]

    def _judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        self.oracle.settle()  # a sandbox gives whoever waits every verdict there is
        return self.sandbox.judge(jobs, half)

    def _known(self) -> Iterator[str]:
        while self.waiting:
            head = self.waiting[0]
            if isinstance(head, MucodeError):
                answer: dict[str, Any] = {"error": str(head)}
            elif (outcome := next(self.oracle.answers(), None)) is not None:
                answer = {**outcome.row(head), "seconds": outcome.seconds, "isolation": self.sandbox.isolation}
            else:
                return
            self.waiting.popleft()
            yield json.dumps(answer)


@dataclass(slots=True)
class Lines:
    """Bytes as they come, cut into lines."""

    whole: deque[bytes] = field(default_factory=deque)
    _begun: list[bytes] = field(default_factory=list)

    def feed(self, data: bytes) -> bool:
        """Take in what was read; b"" ends the input, and a last line needs no line end. Whether more can come."""
        head, *tail = data.split(b"\n")
        self._begun.append(head)
        if tail or not data:
            self.whole.append(b"".join(self._begun))
            self.whole.extend(tail[:-1])
            self._begun = tail[-1:]
        if not data and not self.whole[-1]:
            self.whole.pop()
        return bool(data)

"""When what is generated: conversations as a pool, each generating, being judged, or waiting for its next turn.

`fixed` goes turn by turn, so that the batches follow from the work list alone. `arrival` has no barrier: a completion is
judged at once while others are generated, and its conversation goes on as soon as its verdict is there. Seeds have an
address, so both draw from the same distribution, and an engine whose replies do not depend on what is generated beside
them gives the very same replies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mucode.environment import about_the_program, judge_public, no_code
from mucode.generator.incremental import Incremental, Reply
from mucode.types import Completion, Generator, Half, Job, MucodeError, Sampling, Sandbox, State, Turn, Verdict

_GLANCE = 0.001  # seconds to look for news from one side while there is work on the other


@dataclass(frozen=True, slots=True)
class Request:
    """A completion that is wanted."""

    place: int  # whose it is, in the caller's count
    state: State
    seed: int
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Failed:
    """A request for which the engine gave no completion: its conversation ends here, all others go on."""

    request: Request
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went, apart from its turns."""

    failed: tuple[Failed, ...]
    idle_share: float  # of the time between the engine's first and last work, in [0, 1]


Then = Callable[[Request, Turn], Iterable[Request]]
"""Told every turn once, in no particular order; returns the requests that follow from it."""


class Clock:
    """When an engine was at work."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last = self.busy = 0.0

    def add(self, start: float, end: float) -> None:
        """It worked from `start` to `end` (time.monotonic), which no earlier span overlaps."""
        self.first = start if self.first is None else self.first
        self.last, self.busy = end, self.busy + end - start

    @property
    def idle_share(self) -> float:
        """Share of the time from the beginning of the first span to the end of the last that lies in none."""
        whole = 0.0 if self.first is None else self.last - self.first
        return 1.0 - self.busy / whole if whole > 0.0 else 0.0


class Session(Incremental, Protocol):
    """Requests under way at an engine. What it keeps of earlier requests to spare work, it keeps until it ends."""

    @property
    def clock(self) -> Clock:
        """When it generated."""
        ...

    def wait(self, timeout: float | None = None) -> list[tuple[int, Reply]]:
        """All that have ended since the last call: at least one, unless `timeout` seconds pass or nothing is under way.
        An engine in this process works only here, a step at least."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """An engine that takes requests while it generates."""

    def open(self) -> AbstractContextManager[Session]: ...


@runtime_checkable
class Docket(Protocol):
    """A sandbox that takes jobs while it runs others (`execution.pool.Pool`)."""

    def submit(self, job: Job, half: Half) -> int: ...

    def wait(self, timeout: float | None = None) -> list[tuple[int, Verdict]]: ...


def fixed(requests: Sequence[Request], then: Then, generator: Generator, sandbox: Sandbox) -> Outcome:
    """Turn by turn: everything that is wanted is generated, then everything is judged, then the next turn begins."""
    failed: list[Failed] = []
    with _session(generator) as session:
        while requests:
            replies = _all_replies(session, requests)
            failed += [Failed(r, reply.failure) for r, reply in replies if reply.completion is None]
            done = [(request, reply.completion) for request, reply in replies if reply.completion is not None]
            verdicts = judge_public(sandbox, [r.state.problem for r, _ in done], [c for _, c in done])
            turns = [(r, Turn(c, verdict)) for (r, c), verdict in zip(done, verdicts, strict=True)]
            requests = [following for request, turn in turns for following in then(request, turn)]
        return Outcome(tuple(failed), session.clock.idle_share)


def arrival(requests: Sequence[Request], then: Then, generator: Generator, sandbox: Sandbox) -> Outcome:
    """No barrier. An engine or a sandbox that takes no work while it works is driven by `fixed`."""
    if not (isinstance(generator, Streaming) and isinstance(sandbox, Docket)):
        return fixed(requests, then, generator, sandbox)
    with generator.open() as session:
        return _Arrival(session, sandbox, then).run(requests)


SCHEDULES: dict[str, Callable[[Sequence[Request], Then, Generator, Sandbox], Outcome]] = {
    "fixed": fixed,
    "arrival": arrival,
}


@contextmanager
def kept_open(generator: Generator) -> Iterator[Generator]:
    """The generator in one session: what it reads in one call, a later call within the block need not read again."""
    with _session(generator) as session:
        yield _Whole(session)


class RepliesMissing(MucodeError):
    """The engine gave some of the replies that a call asked for."""


class _Whole:
    """A `Generator` that asks a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        """y_t for every state, in order.

        Raises:
            RepliesMissing: the engine gave no completion for some.
        """
        rows = zip(states, seeds, strict=True)
        requests = [Request(place, state, seed, sampling) for place, (state, seed) in enumerate(rows)]
        replies = [reply for _, reply in _all_replies(self._session, requests)]
        completions = [reply.completion for reply in replies if reply.completion is not None]
        failures = [reply.failure for reply in replies if reply.completion is None]
        if failures:
            raise RepliesMissing(f"{len(failures)} of {len(replies)} replies are missing; the first: {failures[0]}")
        return completions


class _Arrival:
    """One run by `arrival`."""

    def __init__(self, session: Session, docket: Docket, then: Then) -> None:
        self._session, self._docket, self._then = session, docket, then
        self._tickets = 0
        self._generating: dict[int, Request] = {}  # by ticket
        self._judging: dict[int, Job] = {}  # by the docket's number
        self._waiting: dict[Job, list[tuple[Request, Completion]]] = {}  # equal programs are run once
        self._known: dict[Job, Verdict] = {}
        self._failed: list[Failed] = []

    def run(self, requests: Iterable[Request]) -> Outcome:
        self._ask(requests)
        while self._generating or self._judging:
            if self._generating:
                for ticket, reply in self._session.wait(_GLANCE if self._judging else None):
                    self._replied(self._generating.pop(ticket), reply)
            if self._judging:
                for number, verdict in self._docket.wait(_GLANCE if self._generating else None):
                    self._judged(self._judging.pop(number), verdict)
        return Outcome(tuple(self._failed), self._session.clock.idle_share)

    def _ask(self, requests: Iterable[Request]) -> None:
        for request in requests:
            self._tickets += 1
            self._generating[self._tickets] = request
            self._session.submit(self._tickets, request.state, request.seed, request.sampling)

    def _replied(self, request: Request, reply: Reply) -> None:
        completion, problem = reply.completion, request.state.problem
        if completion is None:
            self._failed.append(Failed(request, reply.failure))
        elif completion.program is None:
            self._end_turn(request, completion, no_code(problem))
        else:
            self._judge(Job(problem, completion.program), request, completion)

    def _judge(self, job: Job, request: Request, completion: Completion) -> None:
        if job in self._known:
            self._end_turn(request, completion, self._known[job])
        elif job in self._waiting:
            self._waiting[job].append((request, completion))
        else:
            self._waiting[job] = [(request, completion)]
            self._judging[self._docket.submit(job, "public")] = job

    def _judged(self, job: Job, verdict: Verdict) -> None:
        self._known[job] = about_the_program(job, verdict)
        for request, completion in self._waiting.pop(job):
            self._end_turn(request, completion, verdict)

    def _end_turn(self, request: Request, completion: Completion, verdict: Verdict) -> None:
        self._ask(self._then(request, Turn(completion, verdict)))


def _all_replies(session: Session, requests: Sequence[Request]) -> list[tuple[Request, Reply]]:
    """Every request with its reply, in their order."""
    for ticket, request in enumerate(requests):
        session.submit(ticket, request.state, request.seed, request.sampling)
    replies: dict[int, Reply] = {}
    while len(replies) < len(requests):
        replies |= session.wait()
    return [(request, replies[ticket]) for ticket, request in enumerate(requests)]


def _session(generator: Generator) -> AbstractContextManager[Session]:
    return generator.open() if isinstance(generator, Streaming) else nullcontext(_Batches(generator))


class _Batches:
    """A `Session` of an engine without one: what has been asked for since the last reply is a batch."""

    def __init__(self, generator: Generator) -> None:
        self.clock = Clock()  # the engine says nothing of its steps
        self._generator = generator
        self._asked: list[tuple[int, State, int, Sampling]] = []

    def submit(self, ticket: int, state: State, seed: int, sampling: Sampling) -> None:
        self._asked.append((ticket, state, seed, sampling))

    def wait(self, timeout: float | None = None) -> list[tuple[int, Reply]]:
        asked, self._asked = self._asked, []
        replies: list[tuple[int, Reply]] = []
        for sampling in dict.fromkeys(how for *_, how in asked):
            tickets, states, seeds = zip(*(row[:3] for row in asked if row[3] == sampling), strict=True)
            completions = self._generator.generate(states, seeds, sampling)
            replies += zip(tickets, map(Reply, completions), strict=True)
        return replies

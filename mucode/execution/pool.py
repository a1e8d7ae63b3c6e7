"""The main process's side: a few judges, each with one program at a time, replaced when they fail."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from types import TracebackType

from mucode.execution import feedback
from mucode.execution.layers import Layer
from mucode.execution.orders import Order, Outcome, Setting, order_for
from mucode.execution.post import Lost, Post, Ticket
from mucode.execution.selftest import Proof, proofs
from mucode.types import Half, Job, MucodeError, Status, Verdict

_REMEMBERED = 50_000  # verdicts, in one call
_RETRIES = 2  # of an order whose judge was lost


class Pool:
    """A `Sandbox` of several judge processes. Not for use by several threads at once. Close it, or use `with`."""

    def __init__(self, layer: Layer, setting: Setting, workers: int) -> None:
        self.layer, self.setting = layer, setting
        self.proofs: list[Proof] = proofs(weak=layer.key == "seccomp")
        self.queue: deque[Ticket] = deque()
        self.suspects: deque[Ticket] = deque()  # timed out doubtful: once more, with nothing beside
        self.done: list[tuple[int, Verdict]] = []
        self.numbers = 0
        self.processors = _processors(workers)
        self.posts = [Post(setting, self.proofs, processor) for processor in self.processors]

    @property
    def isolation(self) -> str:
        """The name of the layer in use, to be recorded beside the labels."""
        return self.layer.name

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        """Verdicts in the order of `jobs`; equal (problem, program, tests) are run once."""
        found = dict(self.judge_iter(jobs, half))
        return [found[index] for index in range(len(found))]

    def judge_iter(self, jobs: Iterable[Job], half: Half) -> Iterator[tuple[int, Verdict]]:
        """(index, verdict) as they come. `jobs` is read no further ahead than the judges need. Not to be mixed with
        `submit`: verdicts that were asked for there would get lost here."""
        self._require_open()
        source = enumerate(jobs)
        known: dict[bytes, Verdict] = {}
        waiting: dict[bytes, list[int]] = {}
        numbers: dict[int, bytes] = {}
        exhausted = False
        try:
            while not exhausted or numbers:
                while not exhausted and len(numbers) < 2 * len(self.posts):
                    index, job = next(source, (-1, None))
                    if job is None:
                        exhausted = True
                        break
                    order = order_for(job, half)
                    key = order.digest()
                    if key in known:
                        yield index, known[key]
                    elif key in waiting:
                        waiting[key].append(index)
                    else:
                        waiting[key] = [index]
                        numbers[self._queue(order)] = key
                for number, verdict in self.wait() if numbers else ():
                    if (done := numbers.pop(number, None)) is not None:
                        _remember(known, done, verdict)
                        yield from ((index, verdict) for index in waiting.pop(done))
        finally:
            self._forget(numbers)

    def submit(self, job: Job, half: Half) -> int:
        """Queue a job; the number under which `wait` will give its verdict."""
        self._require_open()
        return self._queue(order_for(job, half))

    def _queue(self, order: Order) -> int:
        self.numbers += 1
        if not order.tests:
            self.done.append((self.numbers, Verdict(Status.PASSED, 0, 0)))
        else:
            self.queue.append(Ticket(self.numbers, order))
        return self.numbers

    def wait(self, timeout: float | None = None, also: Sequence[int] = ()) -> list[tuple[int, Verdict]]:
        """Verdicts that are there, waiting for at least one; earlier after `timeout` seconds, or when one of the
        descriptors `also` can be read. [] when nothing is under way."""
        ends = None if timeout is None else time.monotonic() + timeout
        while not self.done and (self._assign() or also):
            left = 1.0 if ends is None else min(1.0, ends - time.monotonic())
            if left <= 0 or self._turn(left, also):
                break
        done, self.done = self.done, []
        return done

    def close(self) -> None:
        """End every judge and everything that they started."""
        for post in self.posts:
            post.hang_up()
        for post in self.posts:
            post.close()
        self.posts = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _forget(self, numbers: Container[int]) -> None:
        """Nobody waits for these any more; one that a judge has begun is dropped when it comes."""
        self.queue = deque(ticket for ticket in self.queue if ticket.number not in numbers)
        self.suspects = deque(ticket for ticket in self.suspects if ticket.number not in numbers)

    def _require_open(self) -> None:
        if not self.posts:
            raise MucodeError("the sandbox is closed; open a new one")

    def _assign(self) -> bool:
        """Give work to doubtful judges; whether any is at work now."""
        for post in self.posts:
            if post.ticket is None and self.queue:
                self._give(post, self.queue.popleft())
        busy = any(post.ticket is not None for post in self.posts)
        if not busy and self.suspects:
            self._give(self.posts[0], self.suspects.popleft())
            return True
        return busy

    def _give(self, post: Post, ticket: Ticket) -> None:
        try:
            post.give(ticket)
        except OSError:
            self._lost(post, Lost.GONE)

    def _turn(self, seconds: float, also: Sequence[int]) -> bool:
        """Wait for news and take it in; whether one of `also` can be read."""
        poll = select.poll()
        for descriptor in also:
            poll.register(descriptor, select.POLLIN)
        posts = {post.stream.fileno(): post for post in self.posts if post.ticket is not None}
        for descriptor in posts:
            poll.register(descriptor, select.POLLIN)
        ready = [descriptor for descriptor, _ in poll.poll(1000 * seconds)]
        for descriptor in ready:
            if descriptor in posts:
                self._hear(posts[descriptor])
        for post in self.posts:
            if post.ticket is not None and (lost := post.overdue(self.setting.timeout)) is not None:
                self._lost(post, lost)
        return any(descriptor in also for descriptor in ready)

    def _hear(self, post: Post) -> None:
        ticket = post.ticket
        outcome = post.hear()
        if isinstance(outcome, Lost):
            self._lost(post, outcome)
        elif outcome is not None and ticket is not None:
            self._settle(ticket, outcome)
            if outcome.spent:
                self._lost(post, Lost.GONE)

    def _settle(self, ticket: Ticket, outcome: Outcome) -> None:
        if (outcome.doubtful or outcome.status is Status.INTERNAL) and not ticket.alone:
            ticket.alone = True
            self.suspects.append(ticket)
        else:
            self.done.append((ticket.number, outcome.verdict()))

    def _lost(self, post: Post, lost: Lost) -> None:
        """Replace a judge; its order is a timeout when a loop in C held the judge, else it is given again."""
        ticket = post.ticket
        post.close()
        index = self.posts.index(post)
        self.posts[index] = Post(self.setting, self.proofs, self.processors[index])
        if ticket is None:
            return
        ticket.retries += 1
        if lost is Lost.HELD:
            self._give_up(ticket, Status.TIMEOUT)
        elif ticket.retries > _RETRIES:
            self._give_up(ticket, Status.INTERNAL)
        else:
            self.queue.appendleft(ticket)

    def _give_up(self, ticket: Ticket, status: Status) -> None:
        text = feedback.ended(status, "") if ticket.order.report else ""
        self.done.append((ticket.number, Verdict(status, 0, ticket.order.total(), text)))


def _processors(workers: int) -> list[int] | list[None]:
    """Where each judge runs, and with it the programs that it has started: a judge to each processor where there are as
    many, since a pair that takes turns is a tenth faster when no other processor has to be woken; else wherever."""
    at_hand = sorted(os.sched_getaffinity(0))
    return at_hand if workers == len(at_hand) else [None] * workers


def _remember(known: dict[bytes, Verdict], key: bytes, verdict: Verdict) -> None:
    """Keep a verdict for equal jobs to come; the oldest goes, so that a long run needs no more memory than a short one."""
    known[key] = verdict
    if len(known) > _REMEMBERED:
        del known[next(iter(known))]

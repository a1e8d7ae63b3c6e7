"""Requests under way at a model server."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Protocol

from mucode.generator.incremental import Reply
from mucode.schedule import Clock
from mucode.serving.endpoint import Endpoint
from mucode.types import Sampling, State


class Asking(Protocol):
    """Who knows how to ask a server for a reply."""

    in_flight: int  # requests at once

    def connect(self) -> Endpoint: ...

    def prompt(self, state: State, sampling: Sampling) -> list[int]: ...

    async def reply(
        self, endpoint: Endpoint, prompt: list[int], state: State, seed: int, sampling: Sampling
    ) -> Reply: ...


class Stream:
    """Requests under way at one server, handed in and out one by one: a `schedule.Session`, used from one thread."""

    def __init__(self, generator: Asking) -> None:
        self._generator = generator
        self._ended: queue.SimpleQueue[tuple[int, Future[Reply]]] = queue.SimpleQueue()
        self._to_hand_out = 0
        self._busy = _Busy()

    def __enter__(self) -> Stream:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model server", daemon=True)
        self._thread.start()
        self._slots = asyncio.Semaphore(self._generator.in_flight)
        self._endpoint = self._generator.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up what is still under way: the server notices and stops computing it."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def submit(self, ticket: int, state: State, seed: int, sampling: Sampling) -> None:
        """Ask for y_t; `wait` gives it under the ticket.

        Raises:
            MucodeError: the prompt and its reply do not fit the model's context.
        """
        prompt = self._generator.prompt(state, sampling)
        self._to_hand_out += 1
        self._busy.one_more()
        future = asyncio.run_coroutine_threadsafe(self._reply(prompt, state, seed, sampling), self._loop)
        future.add_done_callback(lambda done: self._end_one(ticket, done))

    def wait(self, timeout: float | None = None) -> list[tuple[int, Reply]]:
        """All replies since the last call: at least one, unless `timeout` seconds pass or none is under way."""
        if self._to_hand_out == 0:
            return []
        ended = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._ended.get(timeout=timeout))
            while True:
                ended.append(self._ended.get_nowait())
        self._to_hand_out -= len(ended)
        return [(ticket, done.result()) for ticket, done in ended]

    @property
    def clock(self) -> Clock:
        """When a request was under way: what the server does meanwhile cannot be seen from here."""
        return self._busy.clock

    def __iter__(self) -> Iterator[tuple[int, Reply]]:
        """Every reply under way, as it comes."""
        while some := self.wait():
            yield from some

    async def _reply(self, prompt: list[int], state: State, seed: int, sampling: Sampling) -> Reply:
        async with self._slots:
            return await self._generator.reply(self._endpoint, prompt, state, seed, sampling)

    def _end_one(self, ticket: int, done: Future[Reply]) -> None:
        self._busy.one_less()
        self._ended.put((ticket, done))

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._endpoint.close()


class _Busy:
    """The spans in which something is under way, from two threads."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._count, self._since, self._lock = 0, 0.0, threading.Lock()

    def one_more(self) -> None:
        with self._lock:
            if self._count == 0:
                self._since = time.monotonic()
            self._count += 1

    def one_less(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                self.clock.add(self._since, time.monotonic())

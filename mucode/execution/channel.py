"""The judge's end of the wire to one program: messages with a deadline, from a peer that is taken to be hostile."""

from __future__ import annotations

import os
import select
import socket
from typing import Any

from mucode.execution.clock import Clock
from mucode.execution.inside import frames
from mucode.types import Status

_CHUNK = 1 << 16
_LONGEST_WAIT = 1e6  # milliseconds; poll takes up to 2^31, and is asked again
GONE = "gone"  # the reason when the program's process ended
TOO_LARGE = "a result that is too large"  # the reason when there is no memory here for what it holds


class Ended(BaseException):
    """The conversation is over. Not an `Exception`: no test may catch it and go on."""

    def __init__(self, status: Status, reason: str = "") -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason


class Channel:
    """One stream socket, non-blocking. `lifeline` is the main process: when it is gone, so is this one."""

    def __init__(self, stream: socket.socket, clock: Clock, lifeline: int) -> None:
        stream.setblocking(False)
        self.stream, self.clock = stream, clock
        self.poll = select.poll()
        self.poll.register(lifeline, select.POLLRDHUP)
        self.lifeline = lifeline
        self.event = 0  # of the stream, that is waited for
        self.data = bytearray()  # received and not used yet
        self.received = 0  # bytes so far

    def send(self, message: Any) -> None:
        """Send one message, or end with TIMEOUT, or MEMORY when it is too long."""
        try:
            view = memoryview(frames.pack(message))
        except frames.WireError:
            raise Ended(Status.MEMORY, "a test has arguments that are too long") from None
        while view:
            try:
                view = view[self.stream.send(view) :]
            except BlockingIOError:
                self._wait(select.POLLOUT)
            except OSError:
                raise Ended(Status.ERROR, GONE) from None

    def receive(self) -> Any:
        """Receive one message. Ends with ERROR at end of stream or on nonsense, MEMORY above the cap, or TIMEOUT."""
        if self.clock.left() <= 0:  # a peer that always has something to say is never waited for
            raise Ended(Status.TIMEOUT)
        self._fill(frames.HEADER)
        end = frames.HEADER + int.from_bytes(self.data[: frames.HEADER], "big")
        if end > frames.MAX_MESSAGE:
            raise Ended(Status.MEMORY, "a result above 32 MB")
        self._fill(end)
        body = bytes(self.data[frames.HEADER : end])
        del self.data[:end]
        try:
            return frames.unpack(body)
        except frames.WireError as error:
            raise Ended(Status.ERROR, str(error)) from None
        except MemoryError:
            raise Ended(Status.MEMORY, TOO_LARGE) from None

    def _fill(self, count: int) -> None:
        """Receive until at least `count` bytes are there."""
        while len(self.data) < count:
            self._wait(select.POLLIN)
            try:
                chunk = self.stream.recv(_CHUNK)
            except OSError:
                raise Ended(Status.ERROR, GONE) from None
            if not chunk:
                raise Ended(Status.ERROR, GONE)
            self.data += chunk
            self.received += len(chunk)

    def _wait(self, event: int) -> None:
        if event != self.event:
            self.event = event
            self.poll.register(self.stream, event)
        while True:
            left = self.clock.left()
            if left <= 0:
                raise Ended(Status.TIMEOUT)
            for descriptor, _ in self.poll.poll(min(max(1.0, 1000 * left), _LONGEST_WAIT)):
                if descriptor == self.lifeline:
                    os._exit(0)
                return

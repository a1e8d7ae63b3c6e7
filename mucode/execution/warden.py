"""Keeps a zygote: starts it, has it start programs and kill them, replaces it after any surprise."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from dataclasses import dataclass

from mucode.execution import layers
from mucode.execution.processes import end_process, largest_resident

_DIRTY = 1 << 31
_PROGRAMS = 1000  # by one zygote
_END_SECONDS = 1.0
_PATIENCE = 20.0  # seconds for a zygote's answer on a busy machine
_START_PATIENCE = 60.0  # seconds until it is up, on one that is cold besides


class ZygoteLost(Exception):
    """The zygote does not answer or does not start."""


@dataclass
class Warden:
    """One zygote, started when first needed. `lifeline` is the main process's socket."""

    command: tuple[str, ...]
    lifeline: int
    process: int = 0
    resident: int = 0  # bytes that the zygote holds; a program starts with no more
    control: socket.socket | None = None
    programs: int = 0
    running: bool = False
    unanswered: int = 0  # kills

    def start_program(self, descriptors: list[int]) -> None:
        """Start a program that holds `descriptors`; it waits for the first request."""
        self.kill_program()
        if self.unanswered > 1:  # sent ahead, so that the zygote is not waited for; but not far ahead
            self._settle_one()
        if self.control is None or self.programs >= _PROGRAMS:
            self.close()
            self._start()
        try:
            socket.send_fds(self._control(), [b"r"], descriptors)
        except OSError:
            self.close()
            raise ZygoteLost from None
        self.programs += 1
        self.running = True

    def kill_program(self) -> None:
        """Have the program killed; `settle` waits until it is."""
        if self.running:
            self.running = False
            self.unanswered += 1
            with contextlib.suppress(OSError):  # a lost zygote shows when it does not answer
                self._control().send(b"k")

    def settle(self) -> int:
        """Kill the program, wait until it is gone; its wait status. `ZygoteLost` when the zygote never started it."""
        self.kill_program()
        status = 0
        while self.unanswered:
            status = self._settle_one()
        return status

    def _settle_one(self) -> int:
        self.unanswered -= 1
        answer = self._answer(4)
        status = int.from_bytes(answer, "big")
        if len(answer) < 4 or (status & _DIRTY and self.unanswered):
            self.close()
            raise ZygoteLost
        if status & _DIRTY:
            self.close()
        return status & ~_DIRTY

    def close(self) -> None:
        """End the zygote, and with it everything it started."""
        if self.control is not None:
            self.control.close()
            self.control = None
        if self.process:
            end_process(self.process, 0.0 if self.running else _END_SECONDS)
            self.process = 0
        self.running, self.programs = False, 0
        self.unanswered = 0

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self.control = ours
        with theirs:
            self.process = layers.spawn(self.command, theirs.fileno())
        if self._answer(1, _START_PATIENCE) != b"R":
            self.close()
            raise ZygoteLost
        self.resident = largest_resident(self.process)

    def _answer(self, count: int, patience: float = _PATIENCE) -> bytes:
        """What the zygote says, b"" when it is silent for too long or gone."""
        control = self._control()
        poll = select.poll()
        poll.register(control, select.POLLIN)
        poll.register(self.lifeline, select.POLLRDHUP)
        for descriptor, _ in poll.poll(1000 * patience):
            if descriptor == self.lifeline:
                os._exit(0)
            with contextlib.suppress(OSError):
                return control.recv(count)
        return b""

    def _control(self) -> socket.socket:
        if self.control is None:
            raise ZygoteLost
        return self.control

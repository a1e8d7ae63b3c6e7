"""How long a program may take: wall seconds, minus the time it stood ready and was not given a processor."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from mucode.execution.processes import RunQueue, children, words

_TICKS = os.sysconf("SC_CLK_TCK")
_START_TIME = 21  # its place in /proc/<pid>/stat; our processes' names hold no blank
_PATIENCE = 10  # the longest wait, in timeouts, for a program that the machine keeps from running


class Clock:
    """A deadline. `waiting` tells the seconds that the watched processes spent in the run queue so far."""

    def __init__(self, seconds: float, waiting: Callable[[], float]) -> None:
        self.seconds = seconds
        self.waiting = waiting
        self.started = time.monotonic()
        self.ends = self.started + seconds
        self.last = self.started + _PATIENCE * seconds

    def left(self) -> float:
        """Seconds until the deadline, moved first by the time stolen; not positive when time is up."""
        left = self.ends - time.monotonic()
        if left > 0:
            return left
        self.ends = min(self.last, self.started + self.seconds + self.waiting())
        return self.ends - time.monotonic()

    def spent(self) -> float:
        """Wall seconds since the start."""
        return time.monotonic() - self.started


class Waiting:
    """How long this process, and what it started since `begin`, stood in the run queue. Cheap until it is asked."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.own = RunQueue(self.process)

    def begin(self) -> Callable[[], float]:
        """A function that tells the seconds from now on."""
        before, ticks = self.own.seconds(), time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS - 1
        return lambda: self.own.seconds() - before + _waited_since(self.process, ticks)


def _waited_since(process: int, ticks: float) -> float:
    """Of the descendants that started after `ticks`."""
    waited = 0.0
    for child in children(process):
        stat, schedstat = words(f"/proc/{child}/stat"), words(f"/proc/{child}/schedstat")
        if len(stat) > _START_TIME and len(schedstat) > 1 and int(stat[_START_TIME]) >= ticks:
            waited += int(schedstat[1]) / 1e9
        waited += _waited_since(child, ticks)
    return waited

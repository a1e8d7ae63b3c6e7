"""What /proc says of a process and its descendants, and how to end a child."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes


def children(process: int) -> list[int]:
    """The living children of a process's first thread."""
    return [int(child) for child in words(f"/proc/{process}/task/{process}/children")]


def own_processor_seconds(process: int) -> float:
    """Processor seconds that a process has used, its descendants not counted; 0.0 where the kernel doesn't say."""
    own = words(f"/proc/{process}/schedstat")
    return int(own[0]) / 1e9 if own else 0.0


class RunQueue:
    """How long a process stood ready and was not given a processor."""

    def __init__(self, process: int) -> None:
        try:
            self.descriptor: int | None = os.open(f"/proc/{process}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self.descriptor = None

    def seconds(self) -> float:
        """So far; 0.0 where the kernel doesn't say, and when the process is gone."""
        try:
            return int(os.pread(self.descriptor, 100, 0).split()[1]) / 1e9 if self.descriptor is not None else 0.0
        except OSError:
            return 0.0

    def close(self) -> None:
        """Ask no more."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def youngest(process: int) -> int:
    """The last child of a process's last child, and so on: below a zygote's keeper the program."""
    while below := children(process):
        process = below[-1]
    return process


def largest_resident(process: int) -> int:
    """Bytes of memory that the largest among a process and its living descendants holds; 0 where the kernel doesn't
    say."""
    own = words(f"/proc/{process}/statm")
    return max(int(own[1]) * _PAGE if own else 0, *map(largest_resident, children(process)), 0)


def end_process(process: int, patience: float) -> None:
    """Wait for a child to end by itself, then make it."""
    descriptor = os.pidfd_open(process)
    try:
        if not select.select([descriptor], [], [], patience)[0]:
            os.kill(process, signal.SIGKILL)
    finally:
        os.close(descriptor)
    os.waitpid(process, 0)


def words(path: str) -> list[str]:
    """The words of a file; none when it cannot be read."""
    try:
        return Path(path).read_text().split()
    except OSError:
        return []

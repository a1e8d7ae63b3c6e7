"""Looks at the processes that a sandbox has started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def children(process: int) -> list[int]:
    """Of one process."""
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def descendants(process: int) -> list[int]:
    """All of them, parents first."""
    found = []
    for child in children(process):
        found += [child, *descendants(child)]
    return found


def judges() -> list[int]:
    """This process's judges."""
    return [child for child in children(os.getpid()) if b"execution.judge" in _command(child)]


def zygotes() -> list[int]:
    """Interpreters below the judges, which wait for programs."""
    below = [process for judge in judges() for process in descendants(judge)]
    return [
        process
        for process in below
        if b"zygote.start" in _command(process) and b"--unshare-all" not in _command(process)
    ]


def programs() -> list[int]:
    """What zygotes have forked."""
    return [child for zygote in zygotes() for child in children(zygote)]


def alive(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether `condition` comes true in time."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.005)
    return True


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""

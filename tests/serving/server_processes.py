"""The processes of a model server, as /proc shows them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def leaders() -> set[int]:
    """Our children that lead a session."""
    return {pid for pid, parent, session in processes() if parent == os.getpid() and session == pid}


def processes() -> Iterator[tuple[int, int, int]]:
    """(process, parent, session) of all that have not ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent, _, session = path.read_text().rpartition(")")[2].split()[:4]
            if state != "Z":
                yield int(path.parent.name), int(parent), int(session)


def session_ends(server: int, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(session == server for _, _, session in processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return all(session != server for _, _, session in processes())


def is_guard(pid: int) -> bool:
    with suppress(OSError):
        return b"serving/guard.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False

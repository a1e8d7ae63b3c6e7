"""What programs expect of an interpreter and a bare one behind the wall does not have. Nothing here guards anything."""

from __future__ import annotations

import atexit
import builtins
import os
import socket
import sys
import types
from typing import TextIO

FILE = "solution.py"


class _PipeEnd:
    """As much of a socket as an event loop needs to wake itself: one end of a pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def setblocking(self, blocking: bool) -> None:
        os.set_blocking(self._descriptor, blocking)

    def recv(self, size: int) -> bytes:
        return os.read(self._descriptor, size)

    def send(self, data: bytes) -> int:
        return os.write(self._descriptor, data)

    def close(self) -> None:
        os.close(self._descriptor)


def furnish() -> None:
    """Give this interpreter what `site` would, an ordinary command line, and asyncio something to wake itself with.

    The kernel refuses every socket in here; `asyncio.run` opens a pair of them to nowhere.
    """
    import _sitebuiltins

    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    builtins.help = _sitebuiltins._Helper()
    sys.argv = [FILE]
    socket.socketpair = _pipe  # type: ignore[assignment]


def leave(main: types.ModuleType) -> None:
    """End a program as an interpreter ends: its threads, its exit handlers, its objects, its output."""
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()  # joins what is no daemon, after telling pools that no more work comes
    atexit._run_exitfuncs()
    _flush(sys.stdout)
    main.__dict__.clear()
    _flush(sys.__stdout__)


def _flush(stream: TextIO | None) -> None:
    if stream is not None and not getattr(stream, "closed", False):
        stream.flush()


def _pipe(*_: object) -> tuple[_PipeEnd, _PipeEnd]:
    """The end to read from, the end to write to."""
    reading, writing = os.pipe()
    return _PipeEnd(reading), _PipeEnd(writing)

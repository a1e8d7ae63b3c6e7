"""The zygote: a warm interpreter behind the wall that forks one child per program. It never holds a test.

Control socket, one byte per command: b"r" with one or three descriptors starts a program (its socket; for programs
that read standard input also their stdin and stdout); b"k" kills it and everything else in the namespace, empties the
scratch directory and answers 4 bytes: the wait status, with bit 31 set when that could not be done, in which case
this zygote ends. Commands may be sent ahead of answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket

from . import child, confine, surroundings
from .rehearsal import rehearse

_DIRTY = 1 << 31
_READY = b"R"
_SCRATCH_MODE = 0o755


def start(control: str, layer: str, timeout: str, readable: str, preload: str) -> None:
    """Warm up, lock the door behind, and serve until the judge hangs up. Arguments are the command line's."""
    for name in json.loads(preload):
        __import__(name)
    rehearse()
    surroundings.furnish()
    with socket.socket(fileno=int(control)) as judge:
        lock, conversation = confine.ProgramLock(layer, int(float(timeout)) + 2), child.Conversation()
        confine.lock(layer, json.loads(readable))
        os.write(judge.fileno(), _READY)
        _serve(judge, layer, lock, conversation)


def _serve(judge: socket.socket, layer: str, lock: confine.ProgramLock, conversation: child.Conversation) -> None:
    process = 0
    while True:
        command, descriptors, _, _ = socket.recv_fds(judge, 1, 3)
        if command == b"r":
            process = os.fork()
            if process == 0:
                os.close(judge.detach())
                _become_program(descriptors, lock, conversation)
            for descriptor in descriptors:
                os.close(descriptor)
        elif command == b"k":
            status = _end(process, layer == "bubblewrap")
            os.write(judge.fileno(), status.to_bytes(4, "big"))
            if status & _DIRTY:
                os._exit(0)
        else:
            os._exit(0)


def _become_program(descriptors: list[int], lock: confine.ProgramLock, conversation: child.Conversation) -> None:
    try:
        lock.close()
        child.serve(conversation, descriptors[0], descriptors[1:])
    finally:
        os._exit(1)


def _end(process: int, alone: bool) -> int:
    """Kill the program and wait for it; as process 1 of a namespace, kill whatever there is."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1 if alone else process, signal.SIGKILL)
    status = 0
    while True:
        try:
            ended, ended_status = os.waitpid(-1, 0)
        except ChildProcessError:
            break
        status = ended_status if ended == process else status
    return status | (0 if not alone or _swept() else _DIRTY)


def _swept() -> bool:
    """Empty the scratch directory, and undo what a program changed of it; False when it holds more than plain files,
    which is reason for a fresh zygote."""
    try:
        os.chmod(".", _SCRATCH_MODE)
        os.utime(".")
        for name in os.listdir("."):
            os.unlink(name)
    except OSError:
        return False
    return True

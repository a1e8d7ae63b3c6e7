"""A few attacks and one honest program that every judge must answer rightly before any of its verdicts is believed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mucode.types import Job, Problem, Status, Test

_BREAKOUT = """
import _socket, os, signal

def attempts():
    return {
        "fork": os.fork,
        "exec": lambda: os.execv("/bin/sh", ["sh", "-c", "exit"]),
        "open a socket": _socket.socket,
        "open a pair of sockets": _socket.socketpair,
        "kill the parent": lambda: os.kill(os.getppid(), signal.SIGKILL),
        "kill everything": lambda: os.kill(-1, signal.SIGKILL),
        "read the users": lambda: open("/etc/passwd").read(),
        "read processes": lambda: os.listdir("/proc/1"),
        "read the judge": lambda: open(os.path.join(DIRECTORY, "judge.py")).read(),
        "write at the root": lambda: open("/mucode-selftest", "w"),
        "write beside the judge": lambda: open(os.path.join(DIRECTORY, "mucode-selftest"), "w"),
        "take more memory": lambda: bytearray(3 << 30),
    }

def broken():
    done = []
    for name, attempt in attempts().items():
        try:
            attempt()
        except (OSError, MemoryError):
            continue
        done.append(name)
    return done
"""
_LIAR = """
class Always(int):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False

def broken():
    return Always()
"""
_EXIT = """
import os

def broken():
    os._exit(0)
"""
_HONEST = """
import threading

def broken():
    found = [1]
    thread = threading.Thread(target=found.clear)
    thread.start()
    thread.join()
    return found
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """One program of the self-test and how it must end."""

    name: str
    job: Job
    expected: Status


def proofs(*, weak: bool) -> list[Proof]:
    """The programs. `weak`: in a layer that does not keep programs from reading."""
    breakout = _BREAKOUT.replace("DIRECTORY", repr(str(Path(__file__).parent)))
    if weak:
        breakout = "\n".join(line for line in breakout.split("\n") if '"read ' not in line)
    return [
        _proof("nothing of the machine is open", breakout, Status.PASSED),
        _proof("an honest program passes", _HONEST, Status.PASSED),
        _proof("a lying object does not", _LIAR, Status.OPAQUE),
        _proof("an early exit does not", _EXIT, Status.ERROR),
    ]


def _proof(name: str, program: str, expected: Status) -> Proof:
    problem = Problem("self-test", "self-test", "test", name, "broken", (Test("assert broken() == []"),))
    return Proof(name, Job(problem, program), expected)

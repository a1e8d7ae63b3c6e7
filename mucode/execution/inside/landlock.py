"""Landlock: this process and its children may read the listed paths and touch no other file, in any way.

The layer for machines that refuse user namespaces. Needs Linux 5.13 or newer; later kernels add rights (truncate,
network, signals), which are taken away as far as the kernel knows them. What a kernel doesn't know is refused by the
system-call filter as well.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every processor
_ASK_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIRECTORY = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_READ = _EXECUTE | _READ_FILE | _READ_DIRECTORY
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}  # by version; 5 and later below
_FILE_RIGHTS_LATEST = (1 << 16) - 1
_TCP, _SCOPES = 0b11, 0b11  # bind and connect; abstract sockets and signals
_PR_SET_NO_NEW_PRIVS = 38


def version() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    return max(0, _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_ASK_VERSION)))


def restrict(readable: Iterable[str], writable: Iterable[str] = ()) -> None:
    """Confine this process to reading beneath `readable` and to the single files `writable`. `OSError` if refused."""
    known = version()
    rights = _FILE_RIGHTS.get(known, _FILE_RIGHTS_LATEST)
    attributes = struct.pack("QQQ", rights, _TCP if known >= 4 else 0, _SCOPES if known >= 6 else 0)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    ruleset = _checked(_CREATE_RULESET, attributes[:size], ctypes.c_size_t(size), ctypes.c_uint(0))
    for path in readable:
        _allow(ruleset, path, _READ if os.path.isdir(path) else _READ & ~_READ_DIRECTORY)
    for path in writable:
        _allow(ruleset, path, _READ_FILE | _WRITE_FILE)
    no_new_privileges = [ctypes.c_ulong(value) for value in (1, 0, 0, 0)]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, *no_new_privileges):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    _checked(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", rights, descriptor)
    _checked(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint(0))
    os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *arguments))


def _checked(number: int, *arguments: object) -> int:
    result = _call(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock call {number} was refused")
    return result

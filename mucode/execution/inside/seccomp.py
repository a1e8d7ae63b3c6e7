"""System-call filters, assembled by hand: an allow-list for the zygote, and a short second filter for each program.

Assembled here rather than with libseccomp because a fresh machine has no libseccomp.so and no root to install it;
what is needed of BPF is five instructions. The first filter answers: another architecture -> kill the process; a
listed call -> allow, some only for listed values of one argument; clone3 -> ENOSYS, so that libc falls back to clone,
whose flags a filter can read; every other call -> EPERM. The second takes away what only the zygote needs. The kernel
takes the stricter answer of the two.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from . import syscalls

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, REFUSE, ABSENT = 0x7FFF0000, 0x80000000, 0x00050000 | 1, 0x00050000 | 38  # EPERM, ENOSYS
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_X32_CALLS = 0x40000000
_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020080
_WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
# Of fcntl: copies, flags, locks, the size of a pipe. Not the signals to another process that F_SETOWN arranges.
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_GET_NAME, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 15, 16, 22, 38
_SECCOMP_MODE_FILTER = 2
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

Instruction = tuple[int, int, int, int]


def supported() -> bool:
    """Whether there is a system-call table for this processor."""
    return os.uname().machine in _ARCHITECTURES


class Assembler:
    """Collects instructions; every method appends one rule that ends in an answer or falls through."""

    def __init__(self, machine: str | None = None) -> None:
        self.column, self.architecture = _ARCHITECTURES[machine or os.uname().machine]
        self.code: list[Instruction] = [
            (_LOAD, 0, 0, _ARCHITECTURE),
            (_JUMP_EQUAL, 1, 0, self.architecture),
            (_RETURN, 0, 0, KILL),
            (_LOAD, 0, 0, _NUMBER),
        ]
        if self.column == 0:
            self.code += [(_JUMP_GREATER_EQUAL, 0, 1, _X32_CALLS), (_RETURN, 0, 0, KILL)]

    def answer(self, numbers: tuple[int, int], answer: int) -> None:
        """One answer for one call."""
        if (number := numbers[self.column]) >= 0:
            self.code += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]

    def values(self, numbers: tuple[int, int], argument: int, allowed: Iterable[int], otherwise: int = REFUSE) -> None:
        """Allow a call only with one of the listed values in the low half of an argument."""
        tests = [step for value in allowed for step in ((_JUMP_EQUAL, 0, 1, value), (_RETURN, 0, 0, ALLOW))]
        self._block(numbers, argument, [*tests, (_RETURN, 0, 0, otherwise)])

    def bits(self, numbers: tuple[int, int], argument: int, mask: int, *, found: int, otherwise: int) -> None:
        """One answer when any bit of `mask` is set in an argument, another when none is."""
        tests = [(_JUMP_ANY_BIT, 0, 1, mask), (_RETURN, 0, 0, found), (_RETURN, 0, 0, otherwise)]
        self._block(numbers, argument, tests)

    def _block(self, numbers: tuple[int, int], argument: int, steps: list[Instruction]) -> None:
        if (number := numbers[self.column]) >= 0:
            load = (_LOAD, 0, 0, 16 + 8 * argument)
            self.code += [(_JUMP_EQUAL, 0, 1 + len(steps), number), load, *steps]

    def finish(self, answer: int) -> bytes:
        """The program as the kernel reads it, ending in `answer`."""
        return b"".join(struct.pack("HBBI", *step) for step in [*self.code, (_RETURN, 0, 0, answer)])


def zygote_filter(*, scratch: bool, read_only: bool, machine: str | None = None) -> bytes:
    """The allow-list. `scratch`: calls that change files exist; `read_only`: opening for writing is refused here."""
    rules = Assembler(machine)
    special = syscalls.SPECIAL
    rules.answer(special["clone3"], ABSENT)
    rules.bits(special["clone"], 0, _CLONE_NAMESPACES, found=REFUSE, otherwise=ALLOW)
    rules.values(special["ioctl"], 1, _IOCTLS)
    rules.values(special["fcntl"], 1, _FCNTLS)
    rules.values(
        special["prctl"], 0, (_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_GET_NAME, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS)
    )
    rules.values(special["prlimit64"], 0, (0,))
    rules.answer(special["tgkill"], ALLOW)
    if read_only:
        rules.bits(syscalls.READING["open"], 1, _WRITING_FLAGS, found=REFUSE, otherwise=ALLOW)
        rules.bits(syscalls.READING["openat"], 2, _WRITING_FLAGS, found=REFUSE, otherwise=ALLOW)
    for table in (syscalls.READING, syscalls.ZYGOTE, syscalls.WRITING if scratch else {}):
        for numbers in table.values():
            rules.answer(numbers, ALLOW)
    return rules.finish(REFUSE)


def program_filter(process: int, machine: str | None = None) -> bytes:
    """What one program, of this process id, loses against its zygote: new processes, other processes, filters."""
    rules = Assembler(machine)
    special = syscalls.SPECIAL
    rules.bits(special["clone"], 0, _CLONE_THREAD, found=ALLOW, otherwise=REFUSE)
    rules.values(special["tgkill"], 0, (process,))
    rules.values(special["prctl"], 0, (_PR_SET_NAME, _PR_GET_NAME))
    for numbers in syscalls.ZYGOTE.values():
        rules.answer(numbers, REFUSE)
    return rules.finish(ALLOW)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


class Installer:
    """A filter ready to be put on a process, prepared before the fork: each page written after it is copied."""

    def __init__(self, code: bytes) -> None:
        self.code = ctypes.create_string_buffer(code, len(code))
        self.program = _Program(len(code) // 8, ctypes.cast(self.code, ctypes.c_void_p))
        self.prctl = ctypes.CDLL(None, use_errno=True).prctl
        self.privileges = [_PR_SET_NO_NEW_PRIVS, *(ctypes.c_ulong(value) for value in (1, 0, 0, 0))]
        self.filter = [
            _PR_SET_SECCOMP,
            ctypes.c_ulong(_SECCOMP_MODE_FILTER),
            ctypes.byref(self.program),
            *self.privileges[3:],
        ]

    def put(self, offset: int, value: int) -> None:
        """Change one number of the program."""
        struct.pack_into("I", self.code, offset, value)

    def install(self) -> None:
        """Put the filter on this process for good. `OSError` when the kernel refuses it."""
        if self.prctl(*self.privileges) or self.prctl(*self.filter):
            raise OSError(ctypes.get_errno(), "the kernel refuses the system-call filter")

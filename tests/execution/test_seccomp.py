"""The system-call filters, run as the kernel would run them, and against libseccomp's tables."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
import signal
import struct

import pytest

from mucode.execution.inside import seccomp, syscalls

_TABLES = {**syscalls.READING, **syscalls.WRITING, **syscalls.ZYGOTE, **syscalls.SPECIAL}
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_FORK_FLAGS, _THREAD_FLAGS = 0x1200011, 0x3D0F00

# Python 3.12 warns of a fork beside threads, of which pytest-xdist has one; the child makes two calls and ends
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def answer(code: bytes, number: int, architecture: int, *arguments: int) -> int:
    """Interpret the few instructions that the assembler writes."""
    data = struct.pack("IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    steps = [struct.unpack_from("HBBI", code, offset) for offset in range(0, len(code), 8)]
    accumulator = position = 0
    while True:
        operation, yes, no, value = steps[position]
        position += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("I", data, value)[0]
        elif operation == 0x06:
            return int(value)
        else:
            true = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
            position += yes if true else no


@pytest.mark.skipif(ctypes.util.find_library("seccomp") is None, reason="libseccomp is not installed")
def test_the_numbers_are_those_of_libseccomp() -> None:
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"))
    resolve = library.seccomp_syscall_resolve_name_arch
    resolve.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    for column, architecture in _MACHINES.values():
        for name, numbers in _TABLES.items():
            known = resolve(architecture, name.encode())
            assert numbers[column] == known or (numbers[column] == -1 and known < 0), name


@pytest.mark.parametrize("machine", _MACHINES)
@pytest.mark.parametrize("scratch", [True, False])
def test_the_zygote_is_allowed_the_listed_calls_and_no_other(machine: str, scratch: bool) -> None:
    column, architecture = _MACHINES[machine]
    code = seccomp.zygote_filter(scratch=scratch, read_only=False, machine=machine)
    listed = {**syscalls.READING, **syscalls.ZYGOTE, **(syscalls.WRITING if scratch else {})}
    allowed = {numbers[column] for numbers in listed.values()} - {-1}
    special = {numbers[column] for numbers in syscalls.SPECIAL.values()}
    for number in set(range(600)) - special:
        expected = seccomp.ALLOW if number in allowed else seccomp.REFUSE
        assert answer(code, number, architecture) == expected, number
    assert answer(code, syscalls.SPECIAL["clone3"][column], architecture) == seccomp.ABSENT
    assert answer(code, 1, 0x40000003) == seccomp.KILL  # 32-bit calls
    if machine == "x86_64":
        assert answer(code, 0x40000001, architecture) == seccomp.KILL  # x32 calls


@pytest.mark.parametrize("machine", _MACHINES)
def test_arguments_decide_where_a_call_has_two_faces(machine: str) -> None:
    column, architecture = _MACHINES[machine]
    code = seccomp.zygote_filter(scratch=False, read_only=True, machine=machine)

    def ask(name: str, *arguments: int) -> int:
        return answer(code, _TABLES[name][column], architecture, *arguments)

    assert ask("clone", _FORK_FLAGS) == seccomp.ALLOW
    assert ask("clone", _FORK_FLAGS | 0x10000000) == seccomp.REFUSE  # a user namespace
    assert ask("ioctl", 0, 0x5401) == seccomp.ALLOW
    assert ask("ioctl", 0, 0x5412) == seccomp.REFUSE  # input for a terminal
    assert ask("prlimit64", 0) == seccomp.ALLOW
    assert ask("prlimit64", 1) == seccomp.REFUSE
    assert ask("openat", 0, 0, os.O_RDONLY | os.O_CLOEXEC) == seccomp.ALLOW
    assert ask("openat", 0, 0, os.O_WRONLY) == ask("openat", 0, 0, os.O_CREAT) == seccomp.REFUSE
    assert ask("prctl", 4) == seccomp.REFUSE


@pytest.mark.parametrize("machine", _MACHINES)
def test_a_program_loses_what_only_the_zygote_needs(machine: str) -> None:
    column, architecture = _MACHINES[machine]
    code = seccomp.program_filter(77, machine)

    def ask(name: str, *arguments: int) -> int:
        return answer(code, _TABLES[name][column], architecture, *arguments)

    assert ask("clone", _THREAD_FLAGS) == seccomp.ALLOW
    assert ask("clone", _FORK_FLAGS) == seccomp.REFUSE
    assert ask("tgkill", 77) == seccomp.ALLOW
    assert ask("tgkill", 1) == seccomp.REFUSE
    assert ask("prctl", 22) == ask("prctl", 1) == seccomp.REFUSE
    refused = [name for name, numbers in syscalls.ZYGOTE.items() if numbers[column] >= 0]
    assert all(ask(name) == seccomp.REFUSE for name in refused)


def test_the_kernel_takes_the_filter_and_refuses_what_is_not_listed() -> None:
    process = os.fork()
    if process == 0:
        try:
            seccomp.Installer(seccomp.zygote_filter(scratch=False, read_only=True)).install()
            os.mkdir("/never")  # noqa: PTH102  # one system call, no more
        except OSError as error:
            os._exit(error.errno or 0)
        finally:  # this is a second pytest: it must not go on
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == errno.EPERM


def test_the_kernel_kills_a_process_that_uses_the_x32_calls() -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("x32 is of x86_64")
    process = os.fork()
    if process == 0:
        try:
            seccomp.Installer(seccomp.zygote_filter(scratch=False, read_only=True)).install()
            ctypes.CDLL(None).syscall(0x40000000 + 39)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGSYS

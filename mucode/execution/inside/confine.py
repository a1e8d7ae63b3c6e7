"""Locks the zygote's own door, from inside, before any program is run: limits, privileges, Landlock, the big filter."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import struct

from . import landlock, seccomp

ADDRESS_SPACE = 1280 << 20  # bytes
FILE_SIZE = 16 << 20
OPEN_FILES = 128
PROCESSES = 128
SCRATCH_BYTES = 32 << 20
SCRATCH_FILES = 1000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND = 1, 2, 4, 32, 4096
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _SIGKILL = 1, 4, 9
_PLACE = 0x7FABCDEF  # stands for a process id that is not known yet
_CAPABILITY_VERSION = 0x20080522


def lock(layer: str, readable: list[str]) -> None:
    """Confine this process for `layer` ("bubblewrap", "landlock" or "seccomp"). `OSError` if any part is refused."""
    prctl(_PR_SET_DUMPABLE, 0)
    if layer == "bubblewrap":
        _limit_scratch()
        _guard_null()
    else:
        prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    _drop_capabilities()
    if layer == "landlock":
        landlock.restrict(readable, [os.devnull])
    _limit(layer)
    code = seccomp.zygote_filter(scratch=layer == "bubblewrap", read_only=layer == "seccomp")
    seccomp.Installer(code).install()
    gc.collect()
    gc.freeze()  # a collection in the child would touch, and so copy, every page of the zygote's objects


class ProgramLock:
    """What one forked child adds for itself, made ready before the fork."""

    def __init__(self, layer: str, cpu_seconds: int) -> None:
        self.orphans_end = layer == "bubblewrap"  # there, the zygote is process 1: the kernel ends its children with it
        self.cpu = (cpu_seconds, cpu_seconds + 1)
        self.filter = seccomp.Installer(seccomp.program_filter(_PLACE))
        self.place = bytes(self.filter.code).index(struct.pack("I", _PLACE))

    def close(self) -> None:
        """Lock this child."""
        resource.setrlimit(resource.RLIMIT_CPU, self.cpu)
        if not self.orphans_end:
            prctl(_PR_SET_PDEATHSIG, _SIGKILL)
        self.filter.put(self.place, os.getpid())
        self.filter.install()


def prctl(option: int, value: int) -> None:
    """prctl(2) with one argument. `OSError` if refused."""
    arguments = [ctypes.c_ulong(each) for each in (value, 0, 0, 0)]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *arguments):
        raise OSError(ctypes.get_errno(), f"prctl {option} was refused")


def _limit_scratch() -> None:
    """A bound on the number of files in the working directory: an empty file costs kernel memory and no bytes."""
    options = f"size={SCRATCH_BYTES},nr_inodes={SCRATCH_FILES}".encode()
    _remount(os.getcwd(), _MS_NOSUID | _MS_NODEV, options)


def _guard_null() -> None:
    """The host's /dev/null can be written to and not be changed, though it is the user's own where that is root: its
    mode and times are those of a read-only mount, also by way of descriptors that came from outside."""
    kept = os.statvfs(os.devnull).f_flag & (os.ST_NOSUID | os.ST_NOEXEC)
    _remount(os.devnull, _MS_BIND | _MS_RDONLY | kept, None)
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        if os.path.samestat(os.fstat(number), os.fstat(null)):  # the probe hears of errors on another
            os.dup2(null, number)
    os.close(null)


def _remount(path: str, flags: int, options: bytes | None) -> None:
    mount = ctypes.CDLL(None, use_errno=True).mount
    if mount(None, path.encode(), None, ctypes.c_ulong(_MS_REMOUNT | flags), options):
        raise OSError(ctypes.get_errno(), f"{path} cannot be limited")


def _limit(layer: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    if layer == "bubblewrap":  # elsewhere it would count all of the user's processes; there is no fork to limit anyway
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, nothing):
        raise OSError(ctypes.get_errno(), "capset was refused")

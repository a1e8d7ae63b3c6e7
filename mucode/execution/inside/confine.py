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
_MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 2, 4, 32
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _SIGKILL = 1, 4, 9
_PLACE = 0x7FABCDEF  # stands for a process id that is not known yet
_CAPABILITY_VERSION = 0x20080522


def lock(layer: str, readable: list[str]) -> None:
    """Confine this process for `layer` ("bubblewrap", "landlock" or "seccomp"). `OSError` if any part is refused."""
    prctl(_PR_SET_DUMPABLE, 0)
    if layer == "bubblewrap":
        _limit_scratch()
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
    mount = ctypes.CDLL(None, use_errno=True).mount
    if mount(None, os.getcwd().encode(), None, ctypes.c_ulong(_MS_REMOUNT | _MS_NOSUID | _MS_NODEV), options):
        raise OSError(ctypes.get_errno(), "the scratch directory cannot be limited")


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

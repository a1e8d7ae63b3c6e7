"""Processes that cannot outlive whoever started them, and locks that die with their holder.

SIGKILL gives nobody a chance to clean up, so the kernel has to: PR_SET_PDEATHSIG makes it signal a child when the
*thread* that spawned it ends (so spawn and wait in the same thread). The mark is lost on fork and kept on exec; hence
the launcher below, which marks itself and then becomes the command. Run as a file it needs nothing but a Python, so
that the Makefile can use it before anything is installed (with -I: types.py beside it must not shadow another).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, Mapping, Sequence  # noqa: UP035 - runs under any python3 the Makefile finds

PR_SET_PDEATHSIG = 1  # linux/prctl.h
FLOW = "MUCODE_FLOW_PID"


def die_with_parent(with_signal: int = signal.SIGKILL, parent: int | None = None) -> None:
    """Have the kernel send this process `with_signal` when its parent ends; at once if that has happened already.

    `parent` is the expected parent's process id; without it only a parent that ends from now on is noticed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, with_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_PDEATHSIG is refused here")
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), with_signal)


def die_with_run() -> None:
    """What a stage does first: under DVC, end with it; and at once if it ended while this process was starting.

    A flow leaves its process id in the environment (FLOW), and the DVC it started is its child for as long as it lives.
    """
    if "DVC_STAGE" not in os.environ:
        return
    die_with_parent()
    flow = os.environ.get(FLOW)
    if flow and _parent_of(os.getppid()) != int(flow):
        os.kill(os.getpid(), signal.SIGKILL)


def _parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def tied(command: Sequence[str], with_signal: int = signal.SIGKILL) -> list[str]:
    """The command line that runs `command` as a child which ends with this process."""
    launcher = [sys.executable, "-I", "-S", os.path.abspath(__file__)]  # noqa: PTH100 - no pathlib work per spawn
    return [*launcher, str(int(with_signal)), str(os.getpid()), *command]


def spawn(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, with_signal: int = signal.SIGKILL
) -> subprocess.Popen[bytes]:
    """Start a long-lived child in a session of its own (Ctrl-C is ours to pass on), its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            tied(command, with_signal),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a child has ended; unlike `poll` it leaves the child's id taken, so that its group can still be named."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def stop(process: subprocess.Popen[bytes], first: int = signal.SIGTERM, grace: float = 10.0) -> None:
    """End a child that leads its own session: by `first`, and what is left after `grace` seconds by SIGKILL."""
    if process.returncode is not None:
        return
    if not has_ended(process):
        os.killpg(process.pid, first)
        deadline = time.monotonic() + grace
        while not has_ended(process) and time.monotonic() < deadline:
            time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def held(lock: Path, refusal: str) -> Iterator[None]:
    """Hold a lock file that the kernel frees with its holder, however that ends.

    Raises:
        MucodeError: `refusal`, when another process holds it.
    """
    from mucode.types import MucodeError

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MucodeError(refusal) from error
        yield


def main() -> None:
    """`processes.py SIGNAL PARENT COMMAND...`: become COMMAND, marked; PARENT is the expected parent's process id."""
    with_signal, parent, *command = sys.argv[1:]
    die_with_parent(int(with_signal), int(parent))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()

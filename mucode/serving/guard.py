"""The process between us and a server: nothing of the server's session is left when it, the server or we end.

`python -I -S guard.py COMMAND...`, in a session of its own: runs COMMAND; when that ends, or at SIGTERM, which the kernel
sends when our side dies, it ends the rest. A server asked to stop in the middle of its start may leave its workers
behind (vLLM does), and nobody else would be there to see it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_SECONDS_TO_END = 8.0  # for the server, when asked to
_SECONDS_TO_TIDY = 6.0  # for what it started, such as the process that frees shared memory


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    if os.getpgrp() != os.getpid():
        os.setsid()  # what is ended below is our own group
    child: subprocess.Popen[bytes] | None = None
    try:
        child = subprocess.Popen(sys.argv[1:])
        child.wait()
    except SystemExit:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if child is not None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_SECONDS_TO_END)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
        deadline = time.monotonic() + _SECONDS_TO_TIDY
        while _others() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(0, signal.SIGKILL)  # ourselves included


def _others() -> bool:
    """Whether anything else in our group has not ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
            if int(group) == os.getpid() and state != "Z" and path.parent.name != str(os.getpid()):
                return True
    return False


if __name__ == "__main__":
    main()

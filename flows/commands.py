"""Runs one command of a flow: seen live in the terminal, kept in a log file, dead when the flow is."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mucode.processes import FLOW, has_ended, stop, tied

QUIET = {  # nobody is asked or told about a run; see docs/operations.md
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MUCODE_TRACK_LATER": "1",  # the flow sends all records at once: MLflow takes each stage 2 s to import
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
}
PUSH_ADVICE = b"Use `dvc push` to send your updates to remote storage.\n"  # DVC's, whether there is a remote or not
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def dvc(*arguments: str) -> list[str]:
    """The command line of DVC. It waits for a person's `dvc status` to end instead of failing after 3 seconds, as it
    would also when a stage has just ended whose work is then not recorded."""
    return [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended (negative: by that signal), the lines it wrote, and the file that keeps them."""

    returncode: int
    lines: tuple[str, ...]
    log: Path


def run_visibly(
    command: Sequence[str],
    workspace: Path,
    log: Path,
    reader: Callable[[bytes], None] | None = None,
    left_out: bytes = b"",
) -> Finished:
    """Run `command` in `workspace`, copying what it writes, but for the line `left_out`, to stderr and to the end of
    `log`, and handing it to `reader`.

    Spawning and waiting share one thread, as the tie between them demands. Interrupted, it passes the interrupt on and
    waits, so that a stage can keep what it has; then it raises on.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    said: list[bytes] = []
    with log.open("ab", buffering=0) as kept:
        process = subprocess.Popen(
            tied(command),
            cwd=workspace,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            for chunk in _without(left_out, _chunks(process)):
                said.append(chunk)
                with contextlib.suppress(OSError):  # a full disk costs lines of the log, not the stage's work
                    kept.write(chunk)
                with contextlib.suppress(OSError):  # nor does a terminal that is gone
                    _show(chunk)
                if reader is not None:
                    reader(chunk)
        except BaseException:
            stop(process, first=signal.SIGINT)
            raise
        stop(process)  # it has ended; nothing it started may stay
    return Finished(process.returncode, _lines(b"".join(said)), log)


def environment() -> dict[str, str]:
    """The surroundings of a command: this interpreter is `python`, output comes as it is written, FLOW is this process.

    SHELL is what DVC runs a stage's command with. /bin/sh becomes the command, so that the stage is DVC's own child.
    """
    interpreter = Path(sys.executable).parent
    return {
        **os.environ,
        **QUIET,
        FLOW: str(os.getpid()),
        "PATH": f"{interpreter}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "SHELL": "/bin/sh",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": str(shutil.get_terminal_size().columns),
    }


def _chunks(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """The output as it comes, until its end or, should a grandchild keep the pipe open, until the process's."""
    assert process.stdout is not None
    with process.stdout, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            ended = has_ended(process)  # asked first: what it wrote before its end is in the pipe by now
            if selector.select(timeout=0 if ended else 0.5):
                chunk = os.read(process.stdout.fileno(), 1 << 16)
                if not chunk:
                    return
                yield chunk
            elif ended:
                return


def _without(line: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same output but for one line; what may become that line waits for its end."""
    held = b""
    for chunk in chunks:
        text = (held + chunk).replace(line, b"")
        kept = next((n for n in range(len(line) - 1, 0, -1) if text.endswith(line[:n])), 0)
        given, held = text[: len(text) - kept], text[len(text) - kept :]
        if given:
            yield given
    if held:
        yield held


def _show(chunk: bytes) -> None:
    sys.stderr.buffer.write(chunk)
    sys.stderr.buffer.flush()


def _lines(output: bytes) -> tuple[str, ...]:
    """What a person would call the lines: no colours, no blanks, of a progress bar every state."""
    text = ESCAPES.sub("", output.decode(errors="replace"))
    return tuple(line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip())

"""What a person reads where bars are drawn meanwhile."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEARCH = """
import logging
from mucode.solve.bars import lines_apart_from_bars
logging.basicConfig(level=logging.INFO, format="%(message)s")
with lines_apart_from_bars():
    from tqdm import tqdm
    with tqdm(total=4, desc="generate", mininterval=0, delay=DELAY) as bar:
        for turn in (1, 2):
            bar.update(2)
            logging.info("turn %d: 2 programs", turn)
logging.info("0 of 1 public test passed")
"""


def search(delay: float) -> list[str]:
    """The command line of a search whose bar is drawn after `delay` seconds."""
    return [sys.executable, "-c", SEARCH.replace("DELAY", str(delay))]


def on_a_terminal(command: list[str]) -> str:
    """What a command writes to a terminal of 80 columns."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(command, cwd=ROOT, stdin=its, stdout=its, stderr=its):
        os.close(its)
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            return b"".join(iter(lambda: read(terminal.fileno()), b"")).decode()


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError as error:  # how Linux says that the other end is closed
        if error.errno != errno.EIO:
            raise
        return b""


def shown(text: str) -> list[str]:
    """The lines that stand on a terminal in the end: what begins a line anew is written over what stood there."""
    lines = []
    for written in text.split("\r\n"):
        line = ""
        for part in written.split("\r"):
            line = part + line[len(part) :]
        lines.append(line.rstrip())
    return [line for line in lines if line]


def test_on_a_terminal_each_line_is_one_of_its_own_and_the_bar_stands_below_them() -> None:
    written = on_a_terminal(search(delay=0))
    turn_1, turn_2, bar, result = shown(written)
    assert (turn_1, turn_2) == ("turn 1: 2 programs", "turn 2: 2 programs")
    assert bar.startswith("generate: 100%|")
    assert result == "0 of 1 public test passed"
    assert "generate:  50%|" in written


def test_a_bar_that_waits_is_not_drawn_for_a_line() -> None:
    assert shown(on_a_terminal(search(delay=60))) == [
        "turn 1: 2 programs",
        "turn 2: 2 programs",
        "0 of 1 public test passed",
    ]


def test_what_is_no_terminal_gets_the_lines_alone() -> None:
    done = subprocess.run(search(delay=0), cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "turn 1: 2 programs\nturn 2: 2 programs\n0 of 1 public test passed\n")


def test_bars_are_drawn_again_after_the_search(capsys: pytest.CaptureFixture[str]) -> None:
    from tqdm import tqdm

    from mucode.solve.bars import lines_apart_from_bars

    with lines_apart_from_bars():
        tqdm(total=1, desc="inside").close()
    tqdm(total=1, desc="outside").close()
    said = capsys.readouterr().err
    assert "outside" in said
    assert "inside" not in said

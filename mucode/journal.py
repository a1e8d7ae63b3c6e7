"""What is done already, entry by entry, beside an unfinished out: a killed run goes on from here."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mucode.types import MucodeError


@dataclass(slots=True)
class Journal:
    """One line for the inputs, then one for each entry, in the order in which they came."""

    path: Path
    file: IO[bytes]
    done: int  # entries that are there already

    def append(self, entries: Sequence[dict[str, Any]]) -> None:
        """Add entries; once this returns, a SIGKILL does not lose them.

        Raises:
            MucodeError: the disk is full.
        """
        left = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
        try:
            while left:  # a disk that fills up takes a part without complaint
                left = left[self.file.write(left) :]
        except OSError as error:
            raise MucodeError(
                f"{self.path} was not written ({error.strerror or error}): free space there, then run again to continue"
            ) from error
        self.done += len(entries)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every entry, in order, one at a time."""
        self.file.seek(0)
        with open(self.file.fileno(), "rb", closefd=False) as lines:  # with a buffer: else each byte is a system call
            next(lines)
            for line in lines:
                yield json.loads(line)


@contextlib.contextmanager
def journal_beside(out: Path, inputs: str) -> Iterator[Journal]:
    """The journal of an out, continued if it belongs to the same inputs, else begun anew.

    Args:
        out: the file that is to be.
        inputs: what identifies the inputs: digests and settings, on one line.

    Raises:
        MucodeError: the folder cannot be written, or another run is writing this out.
    """
    path = out.with_name(f".{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)  # a buffer would be written once more, and fail again, when closed
    except OSError as error:
        raise MucodeError(f"{path} cannot be written ({error.strerror or error}): choose another --out") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MucodeError(f"another run is writing {out}: wait for it or end it") from error
        yield Journal(path, file, _resume(file, inputs.encode() + b"\n"))


def _resume(file: IO[bytes], header: bytes) -> int:
    """How many entries can be kept. What was half-written when the run was killed is cut off."""
    whole, lines = 0, 0
    file.seek(0)
    with open(file.fileno(), "rb", closefd=False) as written:
        for line in written:
            if not line.endswith(b"\n") or (lines == 0 and line != header):
                break
            whole, lines = whole + len(line), lines + 1
    file.truncate(whole)
    if lines == 0:
        file.write(header)
    return max(0, lines - 1)

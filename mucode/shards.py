"""Finished pieces of an unfinished stage: what lets a killed stage go on where it was.

Shards lie outside the stage's outs, which DVC deletes before each run. A folder of shards belongs to exactly one work
list: its name is a digest of everything that the pieces depend on. A piece is a table of its own, or a group of rows that
grows with others in one file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Generic, TypeVar

from mucode.arithmetic import arithmetic
from mucode.journal import Journal, journal_beside
from mucode.records import read_rows, row_from_json, row_to_json, write_rows

Row = TypeVar("Row")

ROOT = Path(".mucode/shards")
EDITORS = ("*.swp", "*.swo", "*~", ".#*", ".DS_Store")  # what editors leave beside a file; .dvcignore tells DVC
PIECE = 32  # problems whose work is kept together when a stage is killed; it also bounds a batch


class Shards:
    """The shards of one stage instance.

    Args:
        stage: the instance's name, for people who look into the folder.
        inputs: files and folders whose bytes the work depends on; this package's code, the libraries' versions and the
            processor besides, for whoever goes on after an upgrade or on another machine.
        settings: everything else that it depends on; JSON values.
    """

    def __init__(self, stage: str, inputs: Sequence[Path], settings: object, root: Path = ROOT) -> None:
        code = Path(__file__).parent
        address = [digest(path) for path in inputs] + [digest(file) for file in sorted(code.rglob("*.py"))]
        address += [str(os.cpu_count()), os.environ.get("OMP_NUM_THREADS", ""), *map(str, sorted(arithmetic().items()))]
        name = hashlib.sha256(json.dumps([address, settings], sort_keys=True, default=str).encode()).hexdigest()
        self.folder = root / f"{stage}-{name[:16]}"

    def tables(
        self, piece: str, row_types: Sequence[type[Any]], make: Callable[[], Sequence[Sequence[Any]]]
    ) -> list[list[Any]]:
        """A piece's tables, one per row type: read back if it was finished before, else made and kept."""
        paths = [self.folder / f"{piece}.{row_type.__name__}.parquet" for row_type in row_types]
        if not all(path.exists() for path in paths):
            for path, rows, row_type in zip(paths, make(), row_types, strict=True):
                write_rows(path, rows, row_type)
        return [read_rows(path, row_type) for path, row_type in zip(paths, row_types, strict=True)]

    @contextlib.contextmanager
    def growing(self, name: str, row_type: type[Row]) -> Iterator[Growing[Row]]:
        """Groups of rows to which more are added one by one; what an earlier run added is there already.

        Raises:
            MucodeError: another run is at the same work, or the disk is full.
        """
        with journal_beside(self.folder / name, row_type.__name__) as journal:
            yield Growing(journal, row_type)

    def clear(self) -> None:
        """Forget the pieces; call it when the stage's outs are in place."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Growing(Generic[Row]):
    """Groups of rows, such as the turns of a rollout; one that was appended survives a SIGKILL, whole."""

    journal: Journal
    row_type: type[Row]

    def groups(self) -> list[list[Row]]:
        """All groups so far, in the order in which they were appended."""
        entries = self.journal.entries()
        return [[row_from_json(row, self.row_type) for row in entry["rows"]] for entry in entries]

    def append(self, rows: Sequence[Row]) -> None:
        self.journal.append([{"rows": [row_to_json(row) for row in rows]}])


def digest(path: Path) -> str:
    """sha256 over a file, or over the names and contents of a folder's files; what Python and editors leave is none."""
    hasher = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and not _is_left(p)):
        hasher.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            hasher.update(hashlib.file_digest(stream, "sha256").digest())
    return hasher.hexdigest()


def _is_left(file: Path) -> bool:
    return any(fnmatch(file.name, pattern) for pattern in ("*.pyc", *EDITORS))


def pieces(count: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover `count` items in order."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))

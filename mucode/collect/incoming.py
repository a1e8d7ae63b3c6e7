"""What lies in the drop folder, row by row, and how a Hub revision gets there."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mucode.hub import patient
from mucode.problems.collected import collected_problem
from mucode.problems.rows import Row, json_rows, row_in, text_in, texts_in
from mucode.problems.similarity import Exercise, near_duplicates
from mucode.records import written_whole
from mucode.types import MucodeError

_TEXTS = ("text", "code", "test_setup_code")
_LISTS = ("test_imports", "test_list", "challenge_test_list")
LONGEST = 8000  # characters of text and first test, four times MBPP's most: too long a prompt stops every rollout

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A line of the drop folder. Either it is an exercise, or it has a fault."""

    origin: str  # "new.jsonl, line 3"
    row: Row  # as it came; of an exercise, as it would be kept
    exercise: Exercise | None = None
    fault: str = ""


def arrivals(folder: Path) -> list[Arrival]:
    """Every line of every *.jsonl file, by file name and line; none where there is no folder. A warning tells of others.

    Raises:
        MucodeError: the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise MucodeError(f"{folder} is a file: make it a folder, and move the file into it under a name in .jsonl")
    others = sorted(path for path in folder.glob("[!.]*") if path.suffix != ".jsonl")
    if others:
        said = "%s is not read (1 of %d that do not end in .jsonl): rename or convert it"
        logger.warning(said, others[0], len(others))
    return [
        _arrival(f"{path.name}, line {n}", line) for path in sorted(folder.glob("*.jsonl")) for n, line in _lines(path)
    ]


def fetch_revision(name: str, folder: Path) -> Path:
    """Put the rows of a data set on the Hub into the drop folder, once; its JSON-lines and parquet files are read.

    Args:
        name: "ORG/NAME@COMMIT", the commit with its 40 digits, because branches move.
        folder: the drop folder.

    Raises:
        MucodeError: no such form, the Hub does not answer or has no such revision, or the revision holds no rows.
    """
    repository, _, commit = name.partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository) or not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise MucodeError(f"{name!r} names no revision: write ORG/NAME@ and the 40 digits of the commit")
    path = folder / f"hub-{repository.replace('/', '-')}-{commit[:12]}.jsonl"
    if path.exists():
        return path
    rows = _downloaded_rows(repository, commit)
    if not rows:
        raise MucodeError(f"{name} holds no row in a .jsonl or .parquet file: name a data set that has some")
    with written_whole(path) as partial:
        partial.write_text("".join(f"{json.dumps(row, default=str)}\n" for row in rows))  # half characters, too
    return path


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as lines:
        yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _arrival(origin: str, line: bytes) -> Arrival:
    row: Row = {}
    try:
        row = _writable(row_in(line))
        kept = _kept(row, origin)
        return Arrival(origin, kept, _exercise(kept))
    except MucodeError as error:
        return Arrival(origin, row or {"line": line.decode(errors="replace").rstrip()}, fault=str(error))


def _exercise(kept: Row) -> Exercise:
    """A row as a problem that can be held against others.

    Raises:
        MucodeError: it is no problem, or its code is more than Python's parser or its walk through the tree can take.
    """
    try:
        exercise = collected_problem(kept)
        near_duplicates([exercise], [])  # reads the program as every comparison will
    except (RecursionError, MemoryError, ValueError) as error:  # the parser's own stack counts as memory
        reason = str(error) or "nested too deeply"
        raise MucodeError(
            f"its code cannot be compared with other programs ({reason}): write it more simply"
        ) from error
    return exercise


def _writable(row: Row) -> Row:
    """The row as it is, if a file can hold it: JSON can spell what no UTF-8 has.

    Raises:
        MucodeError: it holds half a character, or is nested too deeply to be written.
    """
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise MucodeError(f"this line is JSON with half a character in it ({half}): write all of it") from error
    except RecursionError as error:
        raise MucodeError("this line is JSON nested too deeply: a row has texts and lists of texts") from error
    return row


def _kept(row: Row, origin: str) -> dict[str, Any]:
    """The row as the file of collected problems keeps it: named by what it says, whoever sends it under what number.

    Raises:
        MucodeError: a field is missing or of the wrong type, or says that the problem is not for training.
    """
    named = {"task_id": "this row", **row}
    content = {name: text_in(named, name, "") for name in _TEXTS} | {
        name: list(texts_in(named, name)) for name in _LISTS
    }
    content["text"] = content["text"] or text_in(named, "prompt", "")
    if text_in(named, "split", "train") != "train":
        raise MucodeError("its split is not train, and collected problems only train: leave the field out")
    for name, wanted in (("text", "what is asked"), ("code", "a reference solution")):
        if not str(content[name]).strip():
            raise MucodeError(f"{name} is empty: it must hold {wanted}")
    if len(content["test_list"]) + len(content["challenge_test_list"]) < 2:
        raise MucodeError("one test is shown to the generator, so there must be a second: add asserts to test_list")
    if len(content["text"]) + len("".join(content["test_list"][:1])) > LONGEST:
        raise MucodeError(
            f"text and first test are longer than the {LONGEST} characters that prompts have room for: cut them"
        )
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {"task_id": digest[:12], **content, "origin": origin.partition(",")[0]}


def _downloaded_rows(repository: str, commit: str) -> list[dict[str, Any]]:
    from huggingface_hub import snapshot_download

    try:
        with patient():
            found = snapshot_download(
                repository, repo_type="dataset", revision=commit, allow_patterns=["*.jsonl", "*.parquet"]
            )
    except (OSError, ValueError, RuntimeError) as error:  # offline, refused, unknown: the Hub's errors are all of these
        reason = " ".join(str(error).split())[:200]
        raise MucodeError(
            f"{repository}@{commit} did not come from the Hub ({reason}): try again, or drop a file"
        ) from error
    return [row for path in sorted(Path(found).rglob("*")) if path.is_file() for row in _rows_of(path)]


def _rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines or parquet file; other files have none.

    Raises:
        MucodeError: the file is damaged, or only says where its content is.
    """
    if path.suffix == ".jsonl":
        return [dict(row) for _, row in json_rows(path)]
    if path.suffix != ".parquet":
        return []
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise MucodeError(
            f"{path} is no parquet file ({error}): remove it to fetch it again, or drop a file"
        ) from error
    return rows

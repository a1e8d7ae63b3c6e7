"""Parquet files of frozen dataclasses, written whole or not at all.

The row types here are what passes between stages; every file is sorted, holds no time, no path and no duration, so that
equal inputs give equal bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import types as python_types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from mucode.types import MucodeError, Status

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One turn of one rollout: (x, y_t, o_t). The rows of data/rollouts; s_t is the rollout's earlier rows."""

    problem_id: str
    iteration: int  # i of D_i, from 1
    rollout: int  # from 0
    turn: int  # t, from 1
    reply: str
    program: str | None
    status: Status  # of the public half
    tests_passed: int
    tests_total: int
    feedback: str
    prompt_tokens: int
    completion_tokens: int
    log_probability: float | None = None  # ln p(y_t | s_t) under the generator at temperature 1; None: not known


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """The oracle's word on one step. The rows of data/labels; the key is the first four fields."""

    problem_id: str
    iteration: int
    rollout: int
    turn: int
    split: str
    program: str | None
    public_passed: bool
    private_status: Status
    private_tests_passed: int
    private_tests_total: int
    reward: float  # R(x, y): 1.0 iff every public and every private test passed, else 0.0


@dataclass(frozen=True, slots=True, order=True)
class Experience:
    """(x, s_t, y_t, o_t, r_t): a step with its reward. The rows of data/dataset, D_1..i."""

    problem_id: str
    iteration: int
    rollout: int
    turn: int
    reply: str
    program: str | None
    status: Status
    tests_passed: int
    tests_total: int
    feedback: str
    reward: float


@dataclass(frozen=True, slots=True, order=True)
class SearchSample:
    """One of the N programs sampled at one state of a search. The rows of samples.parquet."""

    benchmark: str  # the set: "starter/test"
    problem_id: str
    search: int  # which independent search, from 0
    turn: int  # t, from 1
    state: str  # digest of the history: equal states share their samples
    candidate: int  # from 0; -1: the greedy reply
    program: str | None
    public_passed: bool
    score: float
    reward: float
    completion_tokens: int


@dataclass(frozen=True, slots=True, order=True)
class SearchChoice:
    """What one selector's search had chosen after one turn. The rows of choices.parquet.

    A search that ended early (public pass) keeps its last choice for the later turns: accuracy by turn can be read off
    directly. `final` marks the row whose program is the search's answer.
    """

    benchmark: str
    problem_id: str
    search: int
    selector: str  # a key of policies.SELECTORS, "oracle" or "greedy"
    n: int  # N, the programs drawn at each of its states
    turn: int
    state: str
    candidate: int
    public_passed: bool
    reward: float
    final: bool  # this row is the search's last turn T


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A sibling to write to; it takes `path`'s place only when the block ends without an error.

    Raises:
        MucodeError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.writing")  # the same name each time: a killed run leaves no second one
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise MucodeError(f"{path} was not written ({reason}): free space or rights there, then run again") from error
    finally:
        with contextlib.suppress(OSError):  # not there, or its folder is none
            partial.unlink()


@contextlib.contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """A sibling folder to fill; it takes `path`'s place only when the block ends without an error."""
    partial = path.with_name(f".{path.name}.writing")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
        partial.mkdir(parents=True)
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise MucodeError(f"{path} was not written ({reason}): free space or rights there, then run again") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys: equal values give equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with written_whole(path) as partial:
        partial.write_text(f"{text}\n", encoding="utf-8")


def write_rows(path: Path, rows: Iterable[Row], row_type: type[Row]) -> None:
    """Write rows as parquet, in the order given, with a schema that follows from the type alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([_plain(row) for row in rows], schema=_schema(row_type))
    with written_whole(path) as partial:
        pq.write_table(table, partial, compression="zstd", store_schema=False)


def read_rows(path: Path, row_type: type[Row]) -> list[Row]:
    """Read what `write_rows` wrote.

    Raises:
        MucodeError: no such file, or a file of other columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise MucodeError(f"{path} is missing: `dvc repro` makes it, `dvc pull` fetches it")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:  # a page that does not decompress is an OSError
        raise MucodeError(f"{path} is no whole parquet file ({error}): remove it and run `dvc repro`") from error
    missing = set(_schema(row_type).names) - set(table.column_names)
    if missing:
        raise MucodeError(f"{path} lacks the columns {sorted(missing)}: remake it with `dvc repro`")
    return [_typed(record, row_type) for record in table.to_pylist()]


def row_to_json(row: Any) -> dict[str, Any]:
    """A row as JSON values."""
    plain: dict[str, Any] = _plain(row)
    return plain


def row_from_json(value: dict[str, Any], row_type: type[Row]) -> Row:
    """The row that `row_to_json` made this of."""
    row: Row = _typed(value, row_type)
    return row


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


def _schema(row_type: type[Any]) -> Any:
    import pyarrow as pa

    return pa.schema([pa.field(name, _arrow(hint)) for name, hint in _named(row_type)])  # type: ignore[arg-type]  # a class is hashable


def _arrow(hint: Any) -> Any:
    import pyarrow as pa

    hint = _without_none(hint)
    if typing.get_origin(hint) is tuple:
        return pa.list_(_arrow(typing.get_args(hint)[0]))
    if dataclasses.is_dataclass(hint):
        return pa.struct([pa.field(name, _arrow(inner)) for name, inner in _named(hint)])  # type: ignore[arg-type]
    if issubclass(hint, str):  # StrEnum as well
        return pa.string()
    return {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}[hint]


def _typed(value: Any, hint: Any) -> Any:
    return _reader(hint)(value)


@functools.cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """What makes a value of this type of parquet's or JSON's plain one; put together once, for it runs for every field."""
    hint = _without_none(hint)
    if typing.get_origin(hint) is tuple:
        item = _reader(typing.get_args(hint)[0])
        return lambda value: None if value is None else tuple(map(item, value))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        readers = [(name, _reader(inner)) for name, inner in _named(hint)]
        return lambda value: None if value is None else hint(**{name: read(value[name]) for name, read in readers})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda value: None if value is None else hint(value)
    return lambda value: value


@functools.cache
def _named(row_type: Any) -> tuple[tuple[str, Any], ...]:
    """(field name, type) in order; looked up once, because resolving the annotations costs more than the rows."""
    hints = typing.get_type_hints(row_type)
    return tuple((field.name, hints[field.name]) for field in dataclasses.fields(row_type))


def _without_none(hint: Any) -> Any:
    if isinstance(hint, python_types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def digests(paths: Sequence[Path]) -> dict[str, str]:
    """sha256 of each file, for the tracking server's dataset records."""
    import hashlib

    return {path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

"""Problem sets: one loader per source, one table of sources."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mucode.config import LocalFile
from mucode.problems import collected, humaneval, mbpp, starter
from mucode.problems.codecontests import problem_from_codecontests_row
from mucode.problems.humaneval import problem_from_humaneval_row
from mucode.problems.mbpp import problem_from_mbpp_row
from mucode.types import Answer, MucodeError, Problem

__all__ = [
    "SOURCES",
    "Source",
    "load_problems",
    "load_split",
    "local_path",
    "problem_from_codecontests_row",
    "problem_from_humaneval_row",
    "problem_from_mbpp_row",
]


@dataclass(frozen=True, slots=True)
class Source:
    """A problem set: how to load it, what it is, under which license its problems come."""

    load: Callable[[Path | None], list[tuple[Problem, Answer]]]
    description: str
    license: str


SOURCES: dict[str, Source] = {
    "starter": Source(starter.load, "one-function exercises of our own, train/validation/test", "Apache-2.0"),
    "mbpp": Source(mbpp.load, "974 crowd-sourced one-function tasks, train/validation/test", "CC-BY-4.0"),
    "humaneval": Source(humaneval.load, "164 functions to complete from their docstrings, test only", "MIT"),
    "collected": Source(collected.load, "what `mucode collect` has accepted, train only", "that of each origin"),
    # Later sources take their place here: mbpp_plus, humaneval_plus (the EvalPlus inputs), codecontests (stdin/stdout).
}


def load_problems(source: str, path: Path | None = None) -> list[tuple[Problem, Answer]]:
    """Every problem of a source with its answer, ids unique, in a fixed order.

    Args:
        source: a key of SOURCES.
        path: a local file in the source's own format, instead of where the source usually lies.

    Raises:
        MucodeError: no such source, its data cannot be had, or it is empty or names a problem twice.
    """
    if source not in SOURCES:
        raise MucodeError(f"{source!r} is no problem source: choose one of {', '.join(SOURCES)}")
    pairs = SOURCES[source].load(path)
    where = f"{path}: " if path else ""
    if not pairs:
        raise MucodeError(f"{where}{source} holds no problems: name a file that has some")
    seen: set[str] = set()
    for problem, _ in pairs:
        if problem.id in seen:
            raise MucodeError(f"{where}{problem.id} is there twice: remove one of the two rows")
        seen.add(problem.id)
    return pairs


def load_split(source: str, split: str, limit: int = 0, path: Path | None = None) -> list[tuple[Problem, Answer]]:
    """The first `limit` problems (0: all) of one split of a source.

    Raises:
        MucodeError: as `load_problems`, or the split holds fewer problems than asked for, or none.
    """
    pairs = [pair for pair in load_problems(source, path) if pair[0].split == split]
    where = f"{path}: " if path else ""
    if not pairs:
        other = "set in problems.benchmarks" if split == "test" else "problems.source"
        raise MucodeError(f"{where}{source} has no problem of split {split}: give rows of it, or name another {other}")
    if len(pairs) < limit:
        number = "its limit in problems.benchmarks" if split == "test" else f"problems.{split}"
        raise MucodeError(f"{where}{source}/{split} holds {len(pairs)} problems, not {limit}: lower {number} (0: all)")
    return pairs[:limit] if limit else pairs


def local_path(files: Mapping[str, LocalFile], source: str) -> Path | None:
    """The file that stands for `source`, None where it lies as usual.

    Raises:
        MucodeError: the file is missing, or not the one that its digest names.
    """
    if source not in files:
        return None
    path = Path(files[source].path)
    if not path.is_file():
        raise MucodeError(f"there is no file {path}: correct problems.files.{source} in params.yaml")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != files[source].sha256:
        raise MucodeError(
            f"{path} has sha256 {found}: if that is the file you mean, write it to problems.files.{source}"
        )
    return path

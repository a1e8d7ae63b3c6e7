"""What `mucode label` reads: problems in MBPP's, HumanEval's or CodeContests' format, and completions that name them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mucode.problems import problem_from_codecontests_row, problem_from_humaneval_row, problem_from_mbpp_row
from mucode.problems.humaneval import ExampleCheck, holds_in_process, is_packaged
from mucode.problems.rows import Row, json_rows, task_id_in
from mucode.types import Answer, Half, Job, MucodeError, Problem, Test, Verdict

TaskId = int | str
Task = tuple[Problem, Answer]


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the completions: which problem it answers, and the reply."""

    task_id: TaskId
    completion: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first reading of the completions found: how many there are, and the digest of their file."""

    count: int
    digest: str


def read_problem_rows(path: Path) -> dict[TaskId, Row]:
    """The rows of a problem file by task_id, each checked to be one of the three formats.

    Raises:
        MucodeError: a malformed row or a task_id that is there twice, with its line number; or no row at all.
    """
    rows: dict[TaskId, Row] = {}
    for number, row in json_rows(path):
        try:
            task_id = task_id_in(row)
            _parse(row, _none_holds)
        except MucodeError as error:
            raise MucodeError(f"{path}, line {number}: {error}") from error
        if task_id in rows:
            raise MucodeError(f"{path}, line {number}: task_id {task_id!r} is there a second time: remove one of them")
        rows[task_id] = row
    if not rows:
        raise MucodeError(f"{path} holds no problems: name a file with at least one")
    return rows


def task_from_row(row: Row, judge: Callable[[Sequence[Job], Half], list[Verdict]]) -> Task:
    """The problem and its answer, split into public and private tests exactly as the loaders of `problems` do it.

    HumanEval's own references tell its true docstring examples from its false ones in this process; anybody else's
    reference runs in the sandbox.

    Args:
        row: one problem.
        judge: a sandbox's, called only where there are examples to check.

    Raises:
        MucodeError: the row is malformed.
    """

    def holds_in_sandbox(problem: Problem, reference: str, examples: Sequence[Test]) -> list[bool]:
        jobs = [Job(replace(problem, public_tests=(example,)), reference) for example in examples]
        return [verdict.passed for verdict in judge(jobs, "public")]

    problem, answer = _parse(row, holds_in_process if _is_humaneval(row) and is_packaged(row) else holds_in_sandbox)
    # Two rows may share a task_id (1 and "1", or two lines of a stream): the content names the problem here.
    name = "label/" + hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:24]
    return replace(problem, id=name), replace(answer, problem_id=name)


def survey(path: Path, known: dict[TaskId, Row]) -> Survey:
    """Read every completion once, before anything runs.

    Raises:
        MucodeError: a malformed line or an unknown task_id, with its line number.
    """
    count = sum(1 for _ in requests(path, known))
    return Survey(count, file_digest(path))


def requests(path: Path, known: dict[TaskId, Row]) -> Iterator[Request]:
    """The completions, one at a time, in the file's order.

    Raises:
        MucodeError: as `survey`.
    """
    for number, row in json_rows(path):
        try:
            request = Request(task_id_in(row), _completion(row))
        except MucodeError as error:
            raise MucodeError(f"{path}, line {number}: {error}") from error
        if request.task_id not in known:
            raise MucodeError(f"{path}, line {number}: no problem has the task_id {request.task_id!r}: correct it")
        yield request


def request_from_row(row: Row) -> tuple[Row, str]:
    """One line of the stream: the problem's row and the completion.

    Raises:
        MucodeError: one of the two is missing or of another type.
    """
    problem = row.get("problem")
    if not isinstance(problem, dict):
        raise MucodeError("problem must be there as an object in MBPP's, HumanEval's or CodeContests' format")
    return problem, _completion(row)


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _completion(row: Row) -> str:
    if not isinstance(row.get("completion"), str):
        raise MucodeError("completion must be there as text")
    return str(row["completion"])


def _parse(row: Row, holds: ExampleCheck) -> Task:
    if "test_list" in row:
        return problem_from_mbpp_row(row, "mbpp", "test")
    if _is_humaneval(row):
        return problem_from_humaneval_row(row, holds)
    if "public_tests" in row or "private_tests" in row:
        return problem_from_codecontests_row(row, "codecontests", "test")
    raise MucodeError(
        "neither MBPP's format (task_id, test_list) nor HumanEval's (task_id, prompt, entry_point, test) "
        "nor CodeContests' (task_id, public_tests)"
    )


def _is_humaneval(row: Row) -> bool:
    return "test_list" not in row and all(name in row for name in ("prompt", "entry_point", "test"))


def _none_holds(problem: Problem, reference: str, examples: Sequence[Test]) -> list[bool]:
    return [False] * len(examples)

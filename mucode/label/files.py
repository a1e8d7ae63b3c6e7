"""`mucode label`: a file of completions in, a file of labels out."""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mucode import __version__
from mucode.execution import open_judges
from mucode.execution.crew import SCHEME
from mucode.journal import Journal, journal_beside
from mucode.label.oracle import Oracle
from mucode.label.rows import Request, Task, TaskId, file_digest, read_problem_rows, requests, survey, task_from_row
from mucode.records import written_whole
from mucode.types import MucodeError, Status

AHEAD = 1024  # completions in the sandbox's queue: a slow one holds up no more than these
_LONGEST = 1e9  # seconds; the kernel's timers end soon after
_log = logging.getLogger(__name__)


def label(
    *,
    problems: Path,
    completions: Path,
    out: Path,
    timeout: float = 5.0,
    workers: int | str | None = None,
    allow_weak: bool = False,
) -> None:
    """Run every completion on its problem's public and private tests and write one label a line, in input order.

    Equal inputs give equal bytes. An interrupted run continues where it was. Timings and the isolation level go to
    OUT.meta.json.

    Args:
        problems: JSON lines in MBPP's format (task_id, test_list), HumanEval's (task_id, prompt, entry_point, test) or
            CodeContests' (task_id, public_tests, private_tests: programs that read standard input).
        completions: JSON lines of task_id and completion, a program or a chat reply.
        out: where the labels go.
        timeout: wall seconds for loading one program and running all its tests (of standard input: each).
        workers: programs that run at a time; by default one a core. Or dask://HOST:PORT, a cluster whose workers judge.
        allow_weak: run even where only system-call filters isolate programs.

    Raises:
        MucodeError: a malformed line or an unknown task_id, before anything runs; no sandbox here; the disk is full; the
            judge failed at every completion, which the labels then say.
    """
    check_limits(timeout, workers)
    if out.resolve() in (problems.resolve(), completions.resolve()):
        raise MucodeError(f"--out {out} is one of the inputs: choose another file")
    rows = read_problem_rows(problems)
    total = survey(completions, rows)
    inputs = json.dumps([__version__, file_digest(problems), total.digest, timeout])
    with journal_beside(out, inputs) as journal:
        started, resumed = time.monotonic(), journal.done
        if journal.done < total.count:
            with open_judges(workers, timeout, allow_weak) as sandbox:
                tasks = {task_id: task_from_row(row, sandbox.judge) for task_id, row in rows.items()}
                left = itertools.islice(requests(completions, rows), journal.done, None)
                _label_all(left, total.count, tasks, Oracle(sandbox), sandbox.isolation, journal)
        figures = {"timeout": timeout, "resumed_after": resumed, "run_seconds": round(time.monotonic() - started, 3)}
        _finish(out, journal, figures)


def check_limits(timeout: float, workers: int | str | None) -> None:
    """Refuse limits that no program could keep.

    Raises:
        MucodeError: names the option.
    """
    if not 0 < timeout <= _LONGEST:
        raise MucodeError(f"--timeout {timeout} is no time: give seconds above 0, at most a billion")
    if workers is None or (workers.startswith(SCHEME) if isinstance(workers, str) else workers >= 1):
        return
    raise MucodeError(f"--workers {workers} cannot work: give 1 or more, or {SCHEME}HOST:PORT")


def _label_all(
    left: Iterator[Request], total: int, tasks: dict[TaskId, Task], oracle: Oracle, isolation: str, journal: Journal
) -> None:
    from tqdm import tqdm

    waiting: deque[TaskId] = deque()
    with tqdm(total=total, initial=journal.done, desc="label", unit="label", delay=2, mininterval=0.5) as bar:
        exhausted = False
        while not exhausted or waiting:
            for request in itertools.islice(left, AHEAD - len(oracle)):
                waiting.append(request.task_id)
                oracle.ask(tasks[request.task_id], request.completion)
            exhausted = len(oracle) < AHEAD
            answers = [
                {"label": outcome.row(waiting.popleft()), "seconds": outcome.seconds, "isolation": isolation}
                for outcome in oracle.answers()
            ]
            journal.append(answers)
            bar.update(len(answers))
            oracle.work()


def _finish(out: Path, journal: Journal, figures: dict[str, Any]) -> None:
    """The label file and what is known beside it, each whole or not at all; then the journal may go."""
    statuses: Counter[str] = Counter()
    isolation: set[str] = set()
    seconds: list[float] = []
    unjudged: list[int] = []
    with written_whole(out) as partial, partial.open("w", encoding="utf-8") as file:
        for number, entry in enumerate(journal.entries(), start=1):
            file.write(json.dumps(entry["label"]) + "\n")
            status = entry["label"]["status"]
            statuses[status] += 1
            isolation.add(entry["isolation"])
            seconds.append(entry["seconds"])
            if status == Status.INTERNAL:
                unjudged.append(number)
        meta = {
            "isolation": " and ".join(sorted(isolation)),
            **figures,
            "labels": journal.done,
            "statuses": dict(sorted(statuses.items())),
            "unjudged": unjudged,
            "seconds": seconds,
        }
        with written_whole(out.with_name(f"{out.name}.meta.json")) as beside:
            beside.write_text(json.dumps(meta) + "\n")
    journal.path.unlink(missing_ok=True)
    if len(unjudged) == journal.done > 0:
        raise MucodeError(f"{out}: the judge failed at every completion (status internal): see `mucode doctor`")
    if unjudged:
        _log.warning(
            "%s: the judge failed at %d completions (status internal), the first is number %d: label them again",
            out,
            len(unjudged),
            unjudged[0],
        )

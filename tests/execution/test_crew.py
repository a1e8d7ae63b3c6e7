"""Judges on the workers of a Dask cluster: two worker processes on this machine, each with a judge of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mucode.label import label
from mucode.serving.local import free_port
from mucode.types import MucodeError

ROOT = Path(__file__).parent.parent.parent
PROBLEMS = [
    {"task_id": n, "test_list": [f"assert add(1) == {1 + n}", f"assert add(2) == {2 + n}"], "challenge_test_list": []}
    for n in range(20)
]
COMPLETIONS = [
    {"task_id": n, "completion": f"def add(x):\n    return x + {(n + k) if k < 2 else 0}\n# {k % 3}"}
    for k in range(6)
    for n in range(20)
]


@contextmanager
def dask(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Dask, as its own command line starts it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Its address, and its two workers."""
    pytest.importorskip("distributed", reason="no Dask: make install EXTRAS=dask")
    port = free_port()
    at = f"127.0.0.1:{port}"
    with ExitStack() as stack:
        stack.enter_context(dask("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"))
        one = ("worker", at, "--nthreads", "1", "--no-dashboard", "--no-nanny")
        yield f"dask://{at}", [stack.enter_context(dask(*one)) for _ in range(2)]


def labelled(folder: Path, workers: int | str, name: str = "l.jsonl") -> bytes:
    folder.mkdir(exist_ok=True)
    for file, rows in (("p.jsonl", PROBLEMS), ("c.jsonl", COMPLETIONS)):
        (folder / file).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    label(problems=folder / "p.jsonl", completions=folder / "c.jsonl", out=folder / name, workers=workers)
    return (folder / name).read_bytes()


@pytest.mark.slow
def test_two_workers_give_the_very_labels_of_this_machine_in_order(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, _ = cluster
    here = labelled(tmp_path / "here", 2)
    assert labelled(tmp_path / "there", address) == here
    assert len(here.splitlines()) == len(COMPLETIONS)
    assert {json.loads(line)["passed"] for line in here.splitlines()} == {True, False}
    meta = [json.loads((tmp_path / place / "l.jsonl.meta.json").read_text()) for place in ("here", "there")]
    assert meta[0]["isolation"] == meta[1]["isolation"]


@pytest.mark.slow
def test_every_worker_has_judges_of_its_own_and_they_end_with_the_run(
    cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:
    from mucode.execution.sandbox import open_judges

    address, workers = cluster
    with open_judges(address, 5.0, False):
        assert [len(judges_of(worker.pid)) for worker in workers] == [1, 1]
    assert [len(judges_of(worker.pid)) for worker in workers] == [0, 0]


@pytest.mark.slow
def test_the_stages_judge_on_a_cluster_too_and_a_lost_worker_loses_no_verdict(
    cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:
    from mucode.execution.sandbox import open_judges
    from mucode.types import Job
    from tests.conftest import make_problem

    address, workers = cluster
    jobs = [Job(make_problem("f"), f"def f(x):\n    return {n % 2}") for n in range(200)]
    with open_judges(address, 5.0, False) as judges:
        numbers = [judges.submit(job, "public") for job in jobs]
        found = dict(judges.wait())
        workers[0].kill()
        while len(found) < len(jobs):
            found |= judges.wait()
        assert [found[number].passed for number in numbers] == [n % 2 == 1 for n in range(200)]
        assert [verdict.passed for verdict in judges.judge([jobs[0], jobs[1], jobs[0]], "public")] == [
            False,
            True,
            False,
        ]


def judges_of(worker: int) -> list[str]:
    """Command lines of a process's children that are judges."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            if parent == worker and b"judge" in (line := (path.parent / "cmdline").read_bytes()):
                found.append(line.decode())
        except OSError:
            continue
    return found


def test_workers_are_a_number_or_the_address_of_a_cluster(tmp_path: Path) -> None:
    for wrong in (0, "tcp://127.0.0.1:1", "two"):
        with pytest.raises(MucodeError, match=r"cannot work: give 1 or more, or dask://HOST:PORT"):
            labelled(tmp_path, wrong)


def test_a_stream_is_judged_here() -> None:
    from mucode.cli import label as command

    with pytest.raises(MucodeError, match="--stream judges on this machine: give --workers a number"):
        command(stream=True, workers="dask://127.0.0.1:1")

"""No dishonest program passes, no honest one fails, and the host is as it was. The cases are data: see `cases`.

A case is a heading and a program: `## what it tries | task: name | slow | scratch`. Put it in a file of the fitting kind.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mucode.execution import open_sandbox
from mucode.types import Status, Verdict
from tests.adversarial.tasks import job_for
from tests.bubblewrap import NAMESPACES, bwrap
from tests.execution.processes import alive, descendants, eventually

_CASES = Path(__file__).parent / "cases"
_MEMORY = 1400 << 20  # bytes; a program's address space ends before
_TIMEOUT = 2.0  # seconds; for the dishonest ones, of which many loop for ever
_PATIENCE = 20.0  # seconds; for the honest ones, of which one fills half a gigabyte, dear on some machines
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Case:
    """One program."""

    name: str
    program: str
    task: str
    slow: bool
    scratch: bool  # it writes files, which only namespaces give it room for


@dataclass(frozen=True)
class Host:
    """What the programs try to touch."""

    directory: Path
    listeners: tuple[socket.socket, ...]

    @property
    def port(self) -> int:
        """The listeners' port."""
        return int(self.listeners[0].getsockname()[1])


def read_cases(kind: str) -> list[Case]:
    """All cases of "dishonest" or "honest"."""
    cases = []
    for path in sorted((_CASES / kind).glob("*.txt")):
        for part in path.read_text(encoding="utf-8").split("\n## ")[0:]:
            heading, _, program = part.removeprefix("## ").partition("\n")
            name, *options = (each.strip() for each in heading.split(" | "))
            tasks = [option.removeprefix("task: ") for option in options if option.startswith("task: ")]
            task = tasks[0] if tasks else "factorial"
            cases.append(Case(f"{path.stem}: {name}", program + "\n", task, "slow" in options, "scratch" in options))
    return cases


def filled_in(program: str, host: Host) -> str:
    """The program with what a text file cannot say, or does not know."""
    nested = "[" * 5000 + "]" * 5000
    places = {
        "CANARY": str(host.directory), "PORT": str(host.port), "PID": str(os.getpid()),
        "NUL": "\0", "CR": "\r", "LF": "\n",
        "SURROGATE": "\ud800", "TWO_MEGABYTES": "x" * (2 << 20), "MANY_TERMS": "1" + "+1" * (1 << 20), "NESTED": nested,
        "BOM": "\ufeff", "LONG": "words " * 20_000,
    }  # fmt: skip
    for name, text in places.items():
        program = program.replace(f"@{name}@", text)
    return program


@pytest.fixture(autouse=True)
def orphans_come_here() -> Iterator[None]:
    """A process that loses its parent becomes a child of this one, so that none can be overlooked."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A directory to attack and a port to call."""
    (tmp_path / "keep").write_text("120")
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(tcp.getsockname())
        yield Host(tmp_path, (tcp, udp))


def judged(cases: list[Case], host: Host, timeout: float = _TIMEOUT) -> dict[str, Verdict]:
    """Verdicts by name, after checking that the host is unharmed."""
    before, processes, memory = snapshot(host.directory), living(), largest_child()
    with open_sandbox(workers=2, timeout=timeout) as sandbox:
        jobs = [job_for(case.task, filled_in(case.program, host)) for case in cases]
        verdicts = sandbox.judge(jobs, "private")
    assert snapshot(host.directory) == before, "a file outside was changed"
    assert eventually(lambda: living() <= processes), "a process was left"
    assert select.select(host.listeners, [], [], 0.0)[0] == [], "a packet was sent"
    assert largest_child() <= max(_MEMORY, memory), "memory above the limit"
    return {case.name: verdict for case, verdict in zip(cases, verdicts, strict=True)}


def largest_child() -> int:
    """Bytes that the largest process held of those that this one has started ever, other tests' included."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def living() -> set[int]:
    """Processes below this one that are no zombies."""
    return set(filter(alive, descendants(os.getpid())))


def snapshot(directory: Path) -> dict[str, object]:
    """Content, mode and times of every file."""
    return {
        str(path): (
            path.stat().st_mode,
            path.stat().st_mtime,
            path.stat().st_uid,
            path.read_text() if path.is_file() else "",
        )
        for path in [directory, *directory.rglob("*")]
    }


def test_the_suite_covers_what_it_promises() -> None:
    dishonest, honest = read_cases("dishonest"), read_cases("honest")
    names = Counter(case.name for case in [*dishonest, *honest])
    assert len(dishonest) >= 120
    assert len(honest) >= 40
    assert max(names.values()) == 1


def test_no_dishonest_program_passes_and_the_host_is_unharmed(host: Host) -> None:
    verdicts = judged([case for case in read_cases("dishonest") if not case.slow], host)
    assert [name for name, verdict in verdicts.items() if verdict.passed] == []
    assert [name for name, verdict in verdicts.items() if verdict.status is Status.INTERNAL] == []


@pytest.mark.slow
def test_no_dishonest_program_passes_by_using_up_time_or_memory(host: Host) -> None:
    verdicts = judged([case for case in read_cases("dishonest") if case.slow], host)
    assert [name for name, verdict in verdicts.items() if verdict.passed] == []
    assert [name for name, verdict in verdicts.items() if verdict.status is Status.INTERNAL] == []


@pytest.mark.parametrize("scratch", [False, True], ids=["without files", "with files"])
def test_no_honest_program_fails(host: Host, scratch: bool) -> None:
    if scratch:
        bwrap(*NAMESPACES)
    cases = [case for case in read_cases("honest") if case.scratch == scratch]
    verdicts = judged(cases, host, _PATIENCE)
    assert {name: verdict for name, verdict in verdicts.items() if not verdict.passed} == {}

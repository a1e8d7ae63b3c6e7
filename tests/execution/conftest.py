"""Two sandboxes for all tests that do not break them: one for what ends, one for what never does."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mucode.execution import open_sandbox
from mucode.execution.judge import Judge
from mucode.execution.pool import Pool
from tests.bubblewrap import NAMESPACES, bwrap


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Pool]:
    """A judge with the patience that users have: a cold or busy machine fails no test."""
    with open_sandbox(workers=1) as opened:
        yield opened


@pytest.fixture
def scratch(sandbox: Pool) -> Pool:
    """The sandbox, for programs that write files: only namespaces give them room for any."""
    bwrap(*NAMESPACES)
    return sandbox


@pytest.fixture(scope="session")
def hasty() -> Iterator[Pool]:
    """Little time for a program: for those that never end, or soon, and pass under no circumstances."""
    with open_sandbox(workers=1, timeout=0.4) as opened:
        yield opened


@pytest.fixture
def judge_here(sandbox: Pool) -> Iterator[Judge]:
    """A judge in this process, whose objects can be looked at."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        one = Judge(sandbox.setting, theirs.fileno())
        yield one
        one.close()

"""One sandbox for all tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mucode.execution import open_sandbox
from mucode.execution.pool import Pool


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Pool]:
    """Two judges; half a second for a program, since these tests have many that never end."""
    with open_sandbox(workers=2, timeout=1.0) as opened:
        yield opened

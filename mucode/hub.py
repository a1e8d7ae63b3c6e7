"""Waiting for the Hub: one line for all the attempts that its client tells of, each in two lines and twice."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """Say once, while the block asks the Hub, that its client tries again; what it gives up with is raised as ever."""
    import huggingface_hub.utils.logging  # noqa: F401  # gives the client's logger its handler

    client = logging.getLogger("huggingface_hub")
    before = client.handlers, client.propagate
    client.handlers, client.propagate = [_FirstRetry()], False
    try:
        yield
    finally:
        client.handlers, client.propagate = before


class _FirstRetry(logging.Handler):
    """Tells of the first of the client's retries, of every wait for a limit, and of nothing else that it says."""

    told = False

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if said.startswith("Rate limited"):
            _log.info("the Hub: %s", said)
        elif not self.told and said.startswith("Retrying in"):
            self.told = True
            _log.info("the Hub does not answer: trying again, for up to three minutes")

"""How far a long stage is, on the run's page: read off the bars that stages draw with tqdm into their log."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact

SECONDS_BETWEEN = 5.0
_BAR = re.compile(
    r"(?P<title>[^\r\n|:]+): +(?P<percent>\d+)%\|[^|\r\n]*\| *(?P<done>[^ /\r\n]+)/(?P<total>[^ \r\n]+) \[(?P<pace>[^\]]*)"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """The state of a progress bar: "generate", 25.0 %, "16/64, 00:05<00:15, 3.2reply/s"."""

    title: str
    percent: float
    rest: str


def last_bar(output: str) -> Bar | None:
    """The newest state of any bar in what a command wrote."""
    bars = list(_BAR.finditer(output))
    if not bars:
        return None
    found = bars[-1]
    return Bar(found["title"].strip(), float(found["percent"]), f"{found['done']}/{found['total']}, {found['pace']}")


class ShownProgress:
    """A progress artifact of the current task run; there is none until the stage draws its first bar."""

    def __init__(self, stage: str, seconds_between: float = SECONDS_BETWEEN) -> None:
        self._stage, self._seconds_between = stage, seconds_between
        self._artifact: UUID | None = None
        self._shown_at = float("-inf")
        self._shown: Bar | None = None

    def read(self, output: bytes) -> None:
        """Take what the stage has just written; a stage that writes much is told about every few seconds."""
        if time.monotonic() - self._shown_at < self._seconds_between:
            return
        bar = last_bar(output.decode(errors="replace"))
        if bar is not None and bar != self._shown:
            self._show(bar)

    def finish(self) -> None:
        """The stage has done its work."""
        if self._artifact is not None:
            self._show(Bar("done", 100.0, "all of it"))

    def _show(self, bar: Bar) -> None:
        self._shown, self._shown_at = bar, time.monotonic()
        with contextlib.suppress(httpx.HTTPError):  # a server that does not answer stops no stage
            self._publish(bar.percent, f"{self._stage}: {bar.title}, {bar.rest}")

    def _publish(self, percent: float, description: str) -> None:
        if self._artifact is None:
            key = f"progress-{artifact_name(self._stage)}"
            created = create_progress_artifact(percent, key=key, description=description)
            self._artifact = cast(UUID, created)  # a coroutine only inside an event loop, where no task of ours runs
        else:
            update_progress_artifact(self._artifact, progress=percent, description=description)


def artifact_name(text: str) -> str:
    """A stage instance as a part of an artifact's key: "roll_out@base-0" -> "roll-out-base-0"."""
    return re.sub("[^a-z0-9]+", "-", text.lower())

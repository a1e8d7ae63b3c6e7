"""A sandbox whose verdicts stand in the programs: `fate = "right"`, `fate = "public only"`, anything else is wrong."""

from __future__ import annotations

import select
from collections.abc import Sequence
from dataclasses import dataclass, field

from mucode.types import Half, Job, Status, Verdict

RIGHT = "fate = 'right'"
PUBLIC_ONLY = "fate = 'public only'"
WRONG = "fate = 'wrong'"
SLOW = "fate = 'slow'"
UNJUDGED = "fate = 'unjudged'"


@dataclass
class ScriptedSandbox:
    """Keeps the jobs that it was given."""

    isolation: str = "none"
    asked: list[tuple[Job, Half]] = field(default_factory=list)
    at_work: list[tuple[int, Job, Half]] = field(default_factory=list)

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        assert not self.at_work, "the verdicts of single jobs would be lost"
        self.asked += [(job, half) for job in jobs]
        return [self._verdict(job, half) for job in jobs]

    def submit(self, job: Job, half: Half) -> int:
        self.asked.append((job, half))
        self.at_work.append((len(self.asked), job, half))
        return len(self.asked)

    def wait(self, timeout: float | None = None, also: Sequence[int] = ()) -> list[tuple[int, Verdict]]:
        """The youngest job is ready first."""
        if not self.at_work:
            select.select(also, [], [])
            return []
        number, job, half = self.at_work.pop()
        return [(number, self._verdict(job, half))]

    def _verdict(self, job: Job, half: Half) -> Verdict:
        public, private = len(job.problem.public_tests), len(job.private_tests)
        total = public if half == "public" else private
        match job.program:
            case p if p == RIGHT:
                return Verdict(Status.PASSED, total, total, seconds=0.5)
            case p if p == PUBLIC_ONLY and half == "public":
                return Verdict(Status.PASSED, total, total, seconds=0.25)
            case p if p == PUBLIC_ONLY:
                return Verdict(Status.ERROR, public, total, seconds=0.5)
            case p if p == SLOW:
                return Verdict(Status.TIMEOUT, 0, total, seconds=5.0)
            case p if p == UNJUDGED:
                return Verdict(Status.INTERNAL, 0, total)
        return Verdict(Status.FAILED, 0, total, seconds=0.5)

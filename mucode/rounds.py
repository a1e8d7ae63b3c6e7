"""One round of rollouts, D_i, kept while it comes about, so that a killed stage goes on; and what is known beside it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mucode.generator import Playing
from mucode.generator.incremental import EngineRecord
from mucode.records import Step
from mucode.rollout import Failure, RolloutSettings, go_on, roll_out, to_steps
from mucode.shards import PIECE, Shards, pieces
from mucode.types import MucodeError, Problem, Rollout, Sandbox

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What is to be rolled out."""

    problems: Sequence[Problem]
    settings: RolloutSettings


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it."""

    steps: list[Step]  # sorted; of the rollouts that ended as they should
    failed: tuple[Failure, ...]

    def record(self, settings: RolloutSettings, engine: EngineRecord) -> dict[str, Any]:
        """What is written beside the steps: who wrote them, what its seeds promise, and what is missing, as JSON."""
        return {
            "engine": dataclasses.asdict(engine),
            "schedule": settings.schedule,
            "rollouts": len({(step.problem_id, step.rollout) for step in self.steps}),
            "prompt_tokens": sum(step.prompt_tokens for step in self.steps),
            "completion_tokens": sum(step.completion_tokens for step in self.steps),
            "failed": [dataclasses.asdict(failure) for failure in self.failed],
        }


def run_round(work: Round, player: Playing, sandbox: Sandbox, shards: Shards) -> Found:
    """Roll out. With the schedule `fixed`, finished pieces of the work list are kept, as a batch follows from its piece:
    what goes on ends with the bytes of a run that nothing stopped. With `arrival`, every finished rollout is kept.

    A rollout without a reply, after all patience, is left out and named; none of its turns is in the data.

    Raises:
        MucodeError: the server is gone, or no rollout could be finished; what was finished before is kept.
    """
    found = _KEPT[work.settings.schedule](work, player, sandbox, shards)
    if found.failed:
        first, total = found.failed[0], len(work.problems) * work.settings.rollouts
        what = f"the first is {first.problem_id}, rollout {first.rollout}: {first.reason}"
        if not found.steps:
            raise MucodeError(f"all {total} rollouts failed; {what}")
        _log.warning("%d of %d rollouts failed and are left out of the data; %s", len(found.failed), total, what)
    return found


def _by_pieces(work: Round, player: Playing, sandbox: Sandbox, shards: Shards) -> Found:
    steps: list[Step] = []
    for piece in pieces(len(work.problems), PIECE):

        def one(part: Sequence[Problem] = work.problems[piece]) -> list[list[Step]]:
            numbers = {field.name: getattr(work.settings, field.name) for field in dataclasses.fields(work.settings)}
            return [to_steps(roll_out(part, player.generator, sandbox, **numbers), work.settings.iteration)]

        steps += shards.tables(f"{piece.start:06}-{piece.stop:06}", [Step], one)[0]
    return Found(sorted(steps), ())


def _one_by_one(work: Round, player: Playing, sandbox: Sandbox, shards: Shards) -> Found:
    with shards.growing("rollouts", Step) as kept:
        steps = [step for rollout in kept.groups() for step in rollout]
        known = {(step.problem_id, step.rollout) for step in steps}

        def ended(rollout: Rollout) -> None:
            kept.append(to_steps([rollout], work.settings.iteration))

        new = go_on(work.problems, player.generator, sandbox, work.settings, known, ended)
    return Found(sorted(steps + to_steps(new.episodes, work.settings.iteration)), new.failed)


_KEPT: dict[str, Callable[[Round, Playing, Sandbox, Shards], Found]] = {"fixed": _by_pieces, "arrival": _one_by_one}

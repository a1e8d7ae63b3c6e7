"""Problems and base weights, under versions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed
from pydantic import Field

from flows.graph import Workspace, closure
from flows.parameters import AS_COMMITTED, Hours, Variation, workspace_of
from flows.stage import AT_LEAST, TimeLeft, bring_up_to_date, time_left, why
from flows.versions import push, pushed, take_in, versioned

STAGES = frozenset({"prepare", "base_model"})

Revision = Annotated[
    str,
    Field(pattern=r"^[\w.-]+/[\w.-]+@[0-9a-f]{40}$", description="new problems from the Hub: ORG/NAME@COMMIT"),
]


@flow(name="data_versioning")
def data_versioning(
    workspace: Workspace = Path(),
    hub: Revision | None = None,
    variation: Variation = AS_COMMITTED,
    hours: Hours = 24.0,
) -> State[Any]:
    """Take in new problems, fetch and check all of them and the base model; they become versions in DVC."""
    left = time_left(hours)
    taken = take_in(workspace.resolve(), hub, left)
    folder = workspace_of(workspace, variation)
    return bring_up_to_date(folder, STAGES, hours, then=partial(hand_on, folder, taken))


def hand_on(folder: Path, taken: State[Any], stages: State[Any], left: TimeLeft) -> State[Any]:
    """Push what there is, whatever has failed before; `stages` if nothing has, else the first failure."""
    if not stages.is_completed():
        return pushed(folder, stages, left)
    targets = [*versioned(folder), *closure(folder, STAGES)]
    ended: State[Any] = push.with_options(timeout_seconds=left(AT_LEAST))(folder, targets, return_state=True)
    failed = [
        *([] if taken.is_completed() else [str(taken.message)]),
        *([] if ended.is_completed() else [why("push", ended)]),
    ]
    return Failed(message=failed[0]) if failed else stages

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
from flows.stage import bring_up_to_date
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
    taken = take_in(workspace.resolve(), hub)
    folder = workspace_of(workspace, variation)
    return bring_up_to_date(folder, STAGES, hours, then=partial(hand_on, folder, taken))


def hand_on(folder: Path, taken: State[Any], stages: State[Any]) -> State[Any]:
    """Push what there is, whatever has failed before; `stages` if nothing has, else the first failure."""
    if not stages.is_completed():
        return pushed(folder, stages)
    ended: State[Any] = push(folder, [*versioned(folder), *closure(folder, STAGES)], return_state=True)
    failed = [state for state in (taken, ended) if not state.is_completed()]
    return Failed(message=failed[0].message) if failed else stages

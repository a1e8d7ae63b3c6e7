"""Lines 4 to 6 of Algorithm 1."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.graph import Workspace
from flows.parameters import AS_COMMITTED, Hours, Variation, workspace_of
from flows.stage import bring_up_to_date
from flows.versions import pushed

STAGES = frozenset({"relabel", "fine_tune"})


@flow(name="expert_iteration")
def expert_iteration(
    workspace: Workspace = Path(), variation: Variation = AS_COMMITTED, hours: Hours = 24.0
) -> State[Any]:
    """Relabel every state with the local-search expert, and fine-tune the generators on it."""
    folder = workspace_of(workspace, variation)
    return bring_up_to_date(folder, STAGES, hours, then=partial(pushed, folder))

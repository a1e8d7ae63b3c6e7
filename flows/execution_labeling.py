"""Lines 1 and 2 of Algorithm 1: rollouts, their execution labels, the gates, D."""

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

STAGES = frozenset({"roll_out", "label", "validate", "aggregate"})


@flow(name="execution_labeling")
def execution_labeling(
    workspace: Workspace = Path(), variation: Variation = AS_COMMITTED, hours: Hours = 24.0
) -> State[Any]:
    """Roll out, execute, gate and aggregate; labels that a gate refuses stop the run and are listed on its page."""
    folder = workspace_of(workspace, variation)
    return bring_up_to_date(folder, STAGES, hours, then=partial(pushed, folder))

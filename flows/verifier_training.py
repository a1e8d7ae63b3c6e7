"""Line 3 of Algorithm 1."""

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

STAGES = frozenset({"train_verifier"})


@flow(name="verifier_training")
def verifier_training(
    workspace: Workspace = Path(), variation: Variation = AS_COMMITTED, hours: Hours = 24.0
) -> State[Any]:
    """Train the verifiers on the aggregated labels."""
    folder = workspace_of(workspace, variation)
    return bring_up_to_date(folder, STAGES, hours, then=partial(pushed, folder))

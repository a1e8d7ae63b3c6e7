"""Problems and base weights, under versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.graph import Workspace
from flows.parameters import AS_COMMITTED, Hours, Variation, workspace_of
from flows.stage import bring_up_to_date

STAGES = frozenset({"prepare", "base_model"})


@flow(name="data_versioning")
def data_versioning(
    workspace: Workspace = Path(), variation: Variation = AS_COMMITTED, hours: Hours = 24.0
) -> State[Any]:
    """Fetch and check the problems and the base model; both become versions in DVC."""
    return bring_up_to_date(workspace_of(workspace, variation), STAGES, hours)

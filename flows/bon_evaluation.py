"""Algorithm 2: multi-turn best-of-N."""

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

STAGES = frozenset({"evaluate", "select", "benchmark", "report"})


@flow(name="bon_evaluation")
def bon_evaluation(
    workspace: Workspace = Path(), variation: Variation = AS_COMMITTED, hours: Hours = 24.0
) -> State[Any]:
    """Evaluate the pairs on validation, select one, and measure it on the test sets."""
    folder = workspace_of(workspace, variation)
    return bring_up_to_date(folder, STAGES, hours, then=partial(pushed, folder))

"""All of it: every stage of dvc.yaml, then the registry, then what a person wants to see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.graph import Workspace
from flows.stage import bring_up_to_date, run_command
from mucode.layout import Layout

REPORT = Layout().reports / "report.html"
TABLE = Layout().reports / "table.md"


@flow(name="retrain")
def retrain(workspace: Workspace = Path()) -> State[Any]:
    """Bring every stage up to date, register the selected generator and verifier, and show the results table."""
    workspace = workspace.resolve()
    stages = bring_up_to_date(workspace)
    if not stages.is_completed():
        return stages
    publish_results(workspace)
    register = run_command.with_options(name="register", task_run_name="register")
    registered: State[Any] = register("register", ["register"], workspace, return_state=True)
    return stages if registered.is_completed() else Failed(message=registered.message)


def publish_results(workspace: Path) -> None:
    """Put the results table and the way to the report on the run's page."""
    create_markdown_artifact(key="results", markdown=(workspace / TABLE).read_text(), description="results table")
    create_link_artifact(
        key="report", link=(workspace / REPORT).as_uri(), link_text="report.html", description="report"
    )

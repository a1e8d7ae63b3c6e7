"""All of it: every stage of dvc.yaml, then the registry, then what a person wants to see."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Failed
from pydantic import Field

from flows.graph import Workspace
from flows.stage import bring_up_to_date, run_command
from flows.versions import push
from mucode.layout import Layout

REPORT = Layout().reports / "report.html"
TABLE = Layout().reports / "table.md"


RunName = Annotated[
    str,
    Field(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", description="commit dvc.lock to a branch run/DATE-NAME of this name"),
]


@flow(name="retrain")
def retrain(workspace: Workspace = Path(), branch: RunName | None = None) -> State[Any]:
    """Bring every stage up to date, register the selected generator and verifier, and show the results table.

    A schedule names the branch that its runs are committed to; a person commits what they like themselves.
    """
    workspace = workspace.resolve()
    stages = bring_up_to_date(workspace)
    if not stages.is_completed():
        return stages
    publish_results(workspace)
    after = [("branch", ["branch", "--name", branch])] if branch else []
    ended: list[State[Any]] = [
        run_command.with_options(name=name, task_run_name=name)(name, command, workspace, return_state=True)
        for name, command in [*after, ("register", ["register"])]
    ]
    ended.append(push(workspace, [], return_state=True))
    failed = [state for state in ended if not state.is_completed()]
    return Failed(message=failed[0].message) if failed else stages


def publish_results(workspace: Path) -> None:
    """Put the results table and the way to the report on the run's page."""
    create_markdown_artifact(key="results", markdown=(workspace / TABLE).read_text(), description="results table")
    create_link_artifact(
        key="report", link=(workspace / REPORT).as_uri(), link_text="report.html", description="report"
    )

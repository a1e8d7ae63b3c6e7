"""All of it: every stage of dvc.yaml, then the registry, then what a person wants to see."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.graph import Workspace
from flows.parameters import AS_COMMITTED, Hours, Variation, workspace_of
from flows.reports import REPORTS_URL
from flows.stage import bring_up_to_date, run_command
from mucode.layout import Layout
from mucode.registry.register import REPORT as REGISTRATION

REPORT = Layout().reports / "report.html"
TABLE = Layout().reports / "table.md"


@flow(name="retrain")
def retrain(workspace: Workspace = Path(), variation: Variation = AS_COMMITTED, hours: Hours = 24.0) -> State[Any]:
    """Bring every stage up to date, register the selected generator and verifier, and show what came of it."""
    folder = workspace_of(workspace, variation)
    stages = bring_up_to_date(folder, hours=hours)
    if not stages.is_completed():
        return stages
    publish_results(folder, workspace.resolve())
    register = run_command.with_options(name="register", task_run_name="register", tags={"mlflow"})
    registered: State[Any] = register("register", ["register"], folder, return_state=True)
    if not registered.is_completed():
        return Failed(message=registered.message)
    publish_promotion(folder)
    return stages


def publish_results(folder: Path, served: Path) -> None:
    """Put the results table and the way to the report on the run's page; `served` is what REPORTS_URL shows."""
    create_markdown_artifact(key="results", markdown=(folder / TABLE).read_text(), description="results table")
    link = report_link(folder, served, os.environ.get(REPORTS_URL))
    create_link_artifact(key="report", link=link, link_text="report.html", description=f"report of {folder}")


def report_link(folder: Path, served: Path, url: str | None) -> str:
    return f"{url}/{(folder / REPORT).relative_to(served).as_posix()}" if url else (folder / REPORT).as_uri()


def publish_promotion(folder: Path) -> None:
    """Put what the registry decided on the run's page."""
    registration = json.loads((folder / REGISTRATION).read_text())
    create_markdown_artifact(key="promotion", markdown=promotion(registration), description="promotion decision")


def promotion(registration: dict[str, Any]) -> str:
    """A `RegistrationReport`, as kept in JSON, for people."""
    verdict = "becomes champion" if registration["promoted"] else "is not promoted"
    rows = [f"| {pair['group']} | {pair['generator']} | {pair['verifier']} |" for pair in registration["pairs"]]
    champion = registration["champion"]
    now = f"generator {champion[0]} with verifier {champion[1]}" if champion else "none"
    return "\n".join(
        [
            f"Challenger **{registration['challenger']}** {verdict}: {registration['reason']}",
            "",
            f"Champion: {now}",
            "",
            "| pair | mucode-generator | mucode-verifier |",
            "|---|---|---|",
            *rows,
        ]
    )

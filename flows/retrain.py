"""All of it: every stage of dvc.yaml, then the registry, then what a person wants to see."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Failed
from pydantic import Field

from flows.graph import Workspace
from flows.parameters import AS_COMMITTED, Hours, Variation, workspace_of
from flows.reports import REPORT, REPORTS_URL
from flows.stage import AT_LEAST, TimeLeft, bring_up_to_date, run_command, why
from flows.versions import push, pushed
from mucode.layout import Layout
from mucode.registry.register import REPORT as REGISTRATION
from mucode.yaml_files import read_yaml

TABLE = Layout().reports / "table.md"


RunName = Annotated[
    str,
    Field(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", description="commit dvc.lock to a branch run/DATE-NAME of this name"),
]


@flow(name="retrain")
def retrain(
    workspace: Workspace = Path(),
    branch: RunName | None = None,
    variation: Variation = AS_COMMITTED,
    hours: Hours = 24.0,
) -> State[Any]:
    """Bring every stage up to date, register the selected generator and verifier, and show what came of it.

    A schedule names the branch that its runs are committed to; a person commits what they like themselves.
    """
    folder = workspace_of(workspace, variation)
    return bring_up_to_date(
        folder, hours=hours, then=lambda stages, left: hand_on(stages, left, folder, workspace.resolve(), branch)
    )


def hand_on(stages: State[Any], left: TimeLeft, folder: Path, served: Path, branch: RunName | None) -> State[Any]:
    """Show the results, commit dvc.lock, register the pair and push; `stages` if all of that succeeds.

    Of stages that have not all ended well, only what has finished is pushed.
    """
    if not stages.is_completed():
        return pushed(folder, stages, left)
    publish_results(folder, served)
    ended: dict[str, State[Any]] = {
        name: run_command.with_options(name=name, task_run_name=name, tags=tags, timeout_seconds=left(AT_LEAST))(
            name, command, folder, return_state=True
        )
        for name, command, tags in commands_after(folder, branch)
    }
    if "register" in ended and ended["register"].is_completed():
        publish_promotion(folder)
    ended["push"] = push.with_options(timeout_seconds=left(AT_LEAST))(folder, [], return_state=True)
    failed = [why(name, state) for name, state in ended.items() if not state.is_completed()]
    return Failed(message=failed[0]) if failed else stages


def commands_after(folder: Path, branch: RunName | None) -> list[tuple[str, list[str], set[str]]]:
    """What follows the stages, as a task's name, the arguments of `mucode`, the task's tags."""
    commit: tuple[str, list[str], set[str]] = "branch", ["branch", "--name", branch or ""], set()
    register: tuple[str, list[str], set[str]] = "register", ["register"], {"mlflow"}
    no_pair = read_yaml(folder / "params.yaml").get("plan", {}).get("selections") == {}  # no method of the study trains
    return [*([commit] if branch else []), *([] if no_pair else [register])]


def publish_results(folder: Path, served: Path) -> None:
    """Put the results table and the way to the report on the run's page; `served` is what REPORTS_URL shows."""
    create_markdown_artifact(
        key="results", markdown=(folder / TABLE).read_text(encoding="utf-8"), description="results table"
    )
    link = report_link(folder, served, os.environ.get(REPORTS_URL))
    create_link_artifact(key="report", link=link, link_text="report.html", description=f"report of {folder}")


def report_link(folder: Path, served: Path, url: str | None) -> str:
    return f"{url}/{(folder / REPORT).relative_to(served).as_posix()}" if url else (folder / REPORT).as_uri()


def publish_promotion(folder: Path) -> None:
    """Put what the registry decided on the run's page."""
    registration = json.loads((folder / REGISTRATION).read_bytes())
    create_markdown_artifact(key="promotion", markdown=promotion(registration), description="promotion decision")


def promotion(registration: dict[str, Any]) -> str:
    """A `RegistrationReport`, as kept in JSON, for people."""
    verdict = "becomes champion" if registration["promoted"] else "is not promoted"
    verdict += f" in `{registration['registry']}`"
    rows = [f"| {pair['group']} | {pair['generator']} | {pair['verifier']} |" for pair in registration["pairs"]]
    champion = registration["champion"]
    now = f"generator {champion[0]} with verifier {champion[1]}" if champion else "none"
    return "\n".join(
        [
            f"Challenger **{registration['challenger']}** {verdict}: {registration['reason']}",
            "",
            f"Champion there: {now}",
            "",
            "| pair | mucode-generator | mucode-verifier |",
            "|---|---|---|",
            *rows,
        ]
    )

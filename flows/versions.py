"""What a run puts under versions besides the stages' outs: new problems, a run branch, and all of it on the DVC remote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import Task, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Completed, Failed

from flows.commands import dvc, run_visibly
from flows.recovery import mend
from flows.remotes import no_remote
from flows.stage import AT_LEAST, TimeLeft, failure, log_of, run_command, why
from mucode.collect.command import QUARANTINE
from mucode.dvc_settings import has_remote
from mucode.problems.collected import COLLECTED_FILE
from mucode.problems.rows import json_rows
from mucode.types import MucodeError
from mucode.workspace import POINTER, alone_in


def take_in(workspace: Path, hub: str | None, left: TimeLeft) -> State[Any]:
    """`mucode collect`, then the problems it accepted under `dvc add`; what it refused goes to the run's page.

    The remote is asked for nothing here: what is new is pushed with the rest.
    """
    try:
        with alone_in(workspace):
            collect = run_command.with_options(name="collect", task_run_name="collect", timeout_seconds=left(AT_LEAST))
            asked = ["collect", *(["--hub", hub] if hub else [])]
            collected: State[Any] = collect("collect", asked, workspace, return_state=True)
            if not collected.is_completed():
                return Failed(message=why("collect", collected))
            _publish_refusals(workspace)
            added: State[Any] = add_problems(workspace, return_state=True)
            return added
    except MucodeError as error:
        return Failed(message=str(error))


@task(cache_policy=NO_CACHE, persist_result=False)
def add_problems(workspace: Path) -> State[Any]:
    """`dvc add` the collected problems; Completed("Skipped") while there are none."""
    if not (workspace / COLLECTED_FILE).is_file():
        return Completed(name="Skipped", message="no problem has been collected yet")
    return _dvc("add", [str(COLLECTED_FILE)], workspace)


def has_answered(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a command ended by itself; one that was stopped for want of time has had all of it."""
    return not isinstance(state.data, TimeoutError)


@task(cache_policy=NO_CACHE, persist_result=False, retries=2, retry_delay_seconds=20, retry_condition_fn=has_answered)
def push(workspace: Path, targets: list[str]) -> State[Any]:
    """`dvc push` the targets (none: everything); Completed("Skipped") where no remote is set.

    A remote that does not answer may answer later, hence the retries.
    """
    if not has_remote(workspace):
        return Completed(name="Skipped", message=no_remote(workspace))
    return _dvc("push", targets, workspace)


def pushed(workspace: Path, stages: State[Any], left: TimeLeft) -> State[Any]:
    """What a flow does after its stages, whether they have ended well or not: what has finished goes to the remote.

    The stages' state stays the flow's. A push that failed is a failed task beside it: the next run pushes the same.
    """
    push.with_options(timeout_seconds=left(AT_LEAST))(workspace, [], return_state=True)
    return stages


def versioned(workspace: Path) -> list[str]:
    """What the collected problems are pushed as; nothing while there are none."""
    return [str(POINTER)] if (workspace / POINTER).is_file() else []


def refused_problems(quarantine: Path) -> list[dict[str, Any]]:
    """What a run's page says of the problems that `mucode collect` refused."""
    rows = (row for _, row in json_rows(quarantine))
    return [{"from": row["from"], "why": "; ".join(row["refused"]), "text": row.get("text", "")} for row in rows]


def _dvc(command: str, arguments: list[str], workspace: Path) -> State[Any]:
    mend(workspace)
    line = dvc(command, "--quiet", *arguments)
    finished = run_visibly(line, workspace, log_of(workspace, f"dvc-{command}"))
    return Completed() if finished.returncode == 0 else failure(f"dvc {command}", finished)


def _publish_refusals(workspace: Path) -> None:
    if (workspace / QUARANTINE).is_file():
        table = refused_problems(workspace / QUARANTINE)
        sentence = f"{len(table)} problems were refused: correct them in data/incoming, or take them away"
        create_table_artifact(key="refused-problems", table=table, description=sentence)

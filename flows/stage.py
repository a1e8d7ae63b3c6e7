"""The one task: `dvc repro --single-item` for one instance of a stage. DVC decides whether there is anything to do."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect import Task, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Completed, Failed

from flows import edits, unsaved
from flows.commands import Finished, dvc, run_visibly
from flows.fetch import to_fetch
from flows.graph import closure, stage_name
from flows.progress import ShownProgress, artifact_name
from flows.recovery import keep_lock_file, mend
from flows.remotes import idle_advice
from mucode.collect.version import require_version
from mucode.lineage.branch import COLLECTED, is_version
from mucode.types import MucodeError, Unavailable
from mucode.workspace import alone_in

GATE_REFUSED = 3  # the exit code of `mucode stage validate` on labels that must not be trained on
LINES_SHOWN = 15  # of a failed command's output, on the run's page
MAY_PASS = "Unavailable"  # the name of a failure that may be gone in a minute
SECONDS_TO_RETRY = (10, 60)
AT_LEAST = 3600.0  # seconds for each thing that follows the stages, though the run's hours be over
TimeLeft = Callable[[float], float]


def time_left(hours: float) -> TimeLeft:
    """What is left of a run's hours that begin now, in seconds, as a function of the least that it gives."""
    ends = time.monotonic() + hours * 3600
    return lambda least: max(least, ends - time.monotonic())


def may_pass(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a retry can help: where another machine did not answer. Refused problems or labels are as bad the second time,
    and a stage that was killed goes on from its own finished shards when the flow runs again."""
    return state.name == MAY_PASS


@task(
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=len(SECONDS_TO_RETRY),
    retry_delay_seconds=list(SECONDS_TO_RETRY),
    retry_condition_fn=may_pass,
)
def run_stage(stage: str, workspace: Path) -> State[Any]:
    """Bring one stage instance up to date; Completed("Cached") where DVC had nothing to run."""
    mend(workspace)
    saved = unsaved.take_over(workspace, stage, log_of(workspace, stage))
    if saved is not None and saved.returncode != 0:
        return Failed(message=f"{stage}: {still_unsaved(saved.lines)} (all of it: {saved.log})")
    unsaved.reserve(workspace, stage)
    before = edits.reads_of(workspace, stage)
    progress = ShownProgress(stage)
    repro, log = dvc("repro", "--single-item", stage), log_of(workspace, stage)
    finished = run_visibly(repro, workspace, log, progress.read, left_out=idle_advice(workspace))
    if finished.returncode != 0:
        if exit_code(finished) == GATE_REFUSED:
            publish_failed_labels(workspace, stage)
        if unsaved.only_unsaved(finished) and not edits.differing(before, edits.reads_of(workspace, stage)):
            unsaved.note(workspace, stage)
        return failure(stage, finished)
    progress.finish()
    unsaved.forget(workspace, stage)
    ran = any(line.startswith("Running stage") for line in finished.lines)
    changed = edits.take_out(workspace, stage, before) if ran else []
    keep_lock_file(workspace)
    if changed:
        return Failed(message=edits.sentence(stage, changed))
    return Completed() if ran else Completed(name="Cached", message="DVC had nothing to run")


@task(
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=len(SECONDS_TO_RETRY),
    retry_delay_seconds=list(SECONDS_TO_RETRY),
    retry_condition_fn=may_pass,
)
def run_command(name: str, arguments: list[str], workspace: Path) -> State[Any]:
    """Run a `mucode` command that is no stage, such as `mucode register`."""
    finished = run_visibly([sys.executable, "-m", "mucode", *arguments], workspace, log_of(workspace, name))
    return Completed() if finished.returncode == 0 else failure(name, finished)


@task(cache_policy=NO_CACHE, persist_result=False)
def fetch(stages: list[str], workspace: Path) -> State[Any]:
    """`dvc fetch` what these stages have made elsewhere."""
    finished = run_visibly(dvc("fetch", "--quiet", *stages), workspace, log_of(workspace, "dvc-fetch"))
    return Completed() if finished.returncode == 0 else failure("dvc fetch", finished)


def bring_up_to_date(
    workspace: Path,
    names: frozenset[str] | None = None,
    hours: float = 24.0,
    then: Callable[[State[Any], TimeLeft], State[Any]] | None = None,
) -> State[Any]:
    """Run the named stages (None: all) and whatever they stand on, one after the other, as tasks of the current flow.

    What is up to date is skipped by DVC, so a concern's flow may run at any time and in any order; over several
    iterations the concerns wait for each other, so none could run without the stages below it. A stage gets what is
    left of the run's `hours`. `then` is what else is to be done, whether they have all ended well or not, before another
    run may begin, in the time that it is told.
    """
    left = time_left(hours)
    try:
        with alone_in(workspace):
            require_version(workspace)  # `dvc repro --single-item` would run without them
            mend(workspace)  # reading the graph reads dvc.lock
            version_problems(workspace)
            stages = closure(workspace, names)
            if lacking := to_fetch(workspace, stages):
                named = fetch.with_options(name="fetch", task_run_name="fetch", timeout_seconds=min(left(1), AT_LEAST))
                named(lacking, workspace, return_state=True)  # its failure is a warning: what is not there is made
            state = _run_all(stages, workspace, left)
            track = run_command.with_options(
                name="track", task_run_name="track", tags={"mlflow"}, timeout_seconds=left(AT_LEAST)
            )
            track("track", ["track"], workspace, return_state=True)  # its failure is a warning: the records are kept
            return then(state, left) if then is not None else state
    except MucodeError as error:
        return Failed(message=str(error))


def why(name: str, state: State[Any]) -> str:
    """The sentence of a failed task; one that got no answer in its time has none of its own."""
    return f"{name} did not end in its time: run again" if state.name == "TimedOut" else str(state.message)


def version_problems(workspace: Path) -> None:
    """`dvc add` what `mucode collect` has added by hand: by its version alone a run branch keeps what a run has read.

    Raises:
        MucodeError: DVC fails.
    """
    if is_version(workspace):
        return
    added = run_visibly(dvc("add", "--quiet", COLLECTED), workspace, log_of(workspace, "dvc-add"))
    if added.returncode != 0:
        raise MucodeError(f"dvc add: {culprit(added)} (all of it: {added.log})")


def _run_all(stages: list[str], workspace: Path, left: TimeLeft) -> State[Any]:
    cached = 0
    for stage in stages:
        state = _run_within(left(0), stage, workspace)
        if not state.is_completed():
            return Failed(message=state.message)
        cached += state.name == "Cached"
    return Completed(message=f"{len(stages)} stages, {cached} of them up to date before")


def _run_within(seconds: float, stage: str, workspace: Path) -> State[Any]:
    too_long = f"the run's hours are over before {stage} has ended: run again to continue, or give it more hours"
    if seconds <= 0:
        return Failed(message=too_long)
    named = run_stage.with_options(name=stage, task_run_name=stage, tags={stage_name(stage)}, timeout_seconds=seconds)
    state: State[Any] = named(stage, workspace, return_state=True)
    return Failed(message=too_long) if state.name == "TimedOut" else state


def log_of(workspace: Path, stage: str) -> Path:
    return workspace / f".mucode/logs/{stage}.log"


def exit_code(finished: Finished) -> int:
    """The stage's own exit code, which DVC reports in words; its own is 255 for any failure."""
    for line in reversed(finished.lines):
        if reported := re.search(r"exited with (-?\d+)$", line):
            return int(reported[1])
    return finished.returncode


def failure(name: str, finished: Finished) -> State[Any]:
    """Failed, with the sentence a person needs; the end of the output goes to the run's log."""
    get_run_logger().error("the end of %s:\n%s", finished.log, "\n".join(finished.lines[-LINES_SHOWN:]))
    passes = exit_code(finished) == Unavailable.exit_code
    sentence = f"{name}: {culprit(finished)} (all of it: {finished.log})"
    return Failed(name=MAY_PASS if passes else "Failed", message=sentence)


def culprit(finished: Finished) -> str:
    """The sentence a failed command ended with: its last line before DVC's own account of the failure."""
    if finished.returncode < 0:
        return f"it was killed by signal {-finished.returncode}; run again to continue"
    dvc_s_own = ("ERROR: failed to reproduce", "> ", "Running stage")
    said = [line for line in finished.lines if not line.startswith(dvc_s_own)]
    if not said and not any(line.startswith("Running stage") for line in finished.lines):  # DVC did not get as far
        said = [line for line in finished.lines if line.startswith("ERROR: ")]
    code = exit_code(finished)
    if code < 0 or not said:
        return f"it ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}; run again to continue"
    if unsaved.only_unsaved(finished):
        return still_unsaved(said)
    return said[-1].removeprefix("ERROR: ").removeprefix("mucode: ")


def still_unsaved(said: Sequence[str]) -> str:
    """The sentence about a stage that has done its work and whose outs DVC could not save."""
    reason = said[-1].removeprefix("ERROR: ") if said else "it does not say why"
    return f"its work is done, but DVC could not save it ({reason}): mend that, then run again"


def publish_failed_labels(workspace: Path, stage: str) -> None:
    """Show the rows that a label gate refused on the run's page."""
    key = stage.partition("@")[2]
    report = workspace / f".mucode/failures/{key}.json"
    if not report.is_file():
        return
    refused = json.loads(report.read_text(encoding="utf-8"))
    create_table_artifact(
        key=f"failed-labels-{artifact_name(key)}",
        table=refused["rows"],
        description=refused["sentence"],
    )

"""After a SIGKILL: what the dead left behind is put right before the next run, so that nobody has to."""

from __future__ import annotations

import fcntl
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from mucode.yaml_files import load_yaml

LOCK_FILE_COPY = ".mucode/dvc.lock"


def mend(workspace: Path) -> None:
    """Remove the locks of dead DVC processes, and put back a dvc.lock that one of them had half written.

    DVC frees its own lock with its process, and drops a dead process from `rwlock` too, but not one whose id another
    process has by now, nor a file that was cut short. While a living one is at work, nothing is touched.
    """
    if _dvc_is_at_work(workspace / ".dvc/tmp/lock"):
        return
    _drop_dead_locks(workspace / ".dvc/tmp/rwlock")
    lock_file, copy = workspace / "dvc.lock", workspace / LOCK_FILE_COPY
    if not lock_file.is_file() or not _is_cut_short(lock_file.read_text()):
        return
    _copy_whole(lock_file, workspace / ".mucode/dvc.lock.damaged")
    if copy.is_file():
        _copy_whole(copy, lock_file)
    else:
        lock_file.unlink()


def keep_lock_file(workspace: Path) -> None:
    """Remember a dvc.lock that DVC has just written whole."""
    if (workspace / "dvc.lock").is_file():
        _copy_whole(workspace / "dvc.lock", workspace / LOCK_FILE_COPY)


def _copy_whole(source: Path, target: Path) -> None:
    """Copy a file so that the target is there whole or as it was before."""
    target.parent.mkdir(exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    shutil.copyfile(source, partial)
    partial.replace(target)


def _dvc_is_at_work(lock: Path) -> bool:
    """Whether a living process holds DVC's own lock."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _drop_dead_locks(rwlock: Path) -> None:
    try:
        entries = json.loads(rwlock.read_text())
    except FileNotFoundError:
        return
    except json.JSONDecodeError:
        rwlock.unlink(missing_ok=True)
        return
    writers = list(entries.get("write", {}).values())
    readers = [reader for held_by in entries.get("read", {}).values() for reader in held_by]
    if not any(_is_dvc(entry["pid"]) for entry in writers + readers):
        rwlock.unlink(missing_ok=True)


def _is_dvc(pid: int) -> bool:
    try:
        return b"dvc" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_cut_short(text: str) -> bool:
    """Not what DVC writes or reads; a merge conflict and a stage that is there twice are a person's, who would miss them."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    if "<<<<<<<" in text:
        return False
    try:
        COMPILED_LOCKFILE_SCHEMA(load_yaml(text))
    except yaml.constructor.ConstructorError:
        return False
    except (yaml.YAMLError, Invalid):
        return True
    return not text.endswith("\n")


def mark_crashed(tag: str) -> int:
    """Mark the runs so tagged that still count as running as crashed, with their tasks; how many there were.

    For a caller that holds the lock under which such runs happen: none of them can be alive. (A worker does this for
    the runs it started.)
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        FlowRunFilterTags,
        TaskRunFilter,
        TaskRunFilterState,
        TaskRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    tagged, at_work = FlowRunFilterTags(all_=[tag]), [StateType.RUNNING, StateType.PENDING]
    unfinished = FlowRunFilterState(type=FlowRunFilterStateType(any_=at_work))
    tasks = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=at_work)))
    why = "its process was killed"
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(state=unfinished, tags=tagged))
        for run in runs:
            client.set_flow_run_state(run.id, Crashed(message=why), force=True)
        # also of the runs that a worker has marked, which leaves their tasks as they were
        for task in client.read_task_runs(flow_run_filter=FlowRunFilter(tags=tagged), task_run_filter=tasks):
            client.set_task_run_state(task.id, Crashed(message=why), force=True)
    return len(runs)


def skip_missed() -> int:
    """Cancel the scheduled runs whose time passed while nobody served; how many there were.

    Without this, whoever opens the UIs after a week would start a week's runs.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterNextScheduledStartTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import State, StateType
    from prefect.states import Cancelled

    due = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        next_scheduled_start_time=FlowRunFilterNextScheduledStartTime.model_validate({"before_": datetime.now(UTC)}),
    )
    skipped = 0
    with get_client(sync_client=True) as client:
        while runs := [run for run in client.read_flow_runs(flow_run_filter=due) if run.auto_scheduled]:
            for run in runs:
                state: State[Any] = Cancelled(name="Missed", message="nothing ran here when this was due")
                client.set_flow_run_state(run.id, state, force=True)
            skipped += len(runs)
    return skipped

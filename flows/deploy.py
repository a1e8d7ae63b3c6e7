"""The deployments of prefect.yaml for one workspace, and the worker that runs what is due; gone when their starter is."""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.server import Server
from mucode import processes
from mucode.processes import has_ended, spawn, stop
from mucode.types import MucodeError
from mucode.yaml_files import dump_yaml, load_yaml

POOL = "mucode"


def deploy(workspace: Path, root: Path, environment: dict[str, str]) -> None:
    """Make the work pool, for one run at a time, and every deployment of `root`'s prefect.yaml, for `workspace`.

    What people have paused in Prefect since stays so.

    Raises:
        MucodeError: Prefect refuses one of them.
    """
    _make_pool()
    made = workspace / ".mucode/prefect.yaml"
    declared = _for_workspace(load_yaml((root / "prefect.yaml").read_text(encoding="utf-8")), workspace)
    _keep_paused(declared["deployments"])
    made.write_text(dump_yaml(declared), encoding="utf-8")
    command = ["--no-prompt", "deploy", "--all", "--prefect-file", str(made)]
    done = subprocess.run(
        processes.tied([sys.executable, "-m", "prefect", *command]),
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = " ".join((done.stdout + done.stderr).split())[-300:]
        raise MucodeError(f"prefect.yaml cannot be deployed ({reason}): correct it, or the flow that it names")


def require_alone(workspace: Path) -> None:
    """Refuse to serve from a Prefect database that another workspace's worker is at work for, such as a team's.

    Its deployments and running flows would be taken for this workspace's.

    Raises:
        MucodeError: there is such a worker.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import WorkerStatus

    with get_client(sync_client=True) as client:
        if POOL not in {pool.name for pool in client.read_work_pools()}:  # the first start
            return
        workers = client.read_workers_for_work_pool(POOL)
    others = [
        each.name for each in workers if each.status is WorkerStatus.ONLINE and each.name != worker_name(workspace)
    ]
    if others:
        raise MucodeError(
            f"the worker {others[0]} serves this Prefect database already: stop `make ui` there, wait two minutes if it "
            "was killed, or give this workspace a database of its own"
        )


def worker_name(workspace: Path) -> str:
    """The same for every start in a workspace, so that a killed worker is in nobody's way there."""
    return f"{socket.gethostname()}{str(workspace.resolve()).replace('/', '-')}"


def _make_pool() -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        paused = any(pool.name == POOL and pool.is_paused for pool in client.read_work_pools())
        pool = WorkPoolCreate(
            name=POOL, type="process", concurrency_limit=1, base_job_template=template, is_paused=paused
        )
        client.create_work_pool(pool, overwrite=True)


def _keep_paused(declared: list[dict[str, Any]]) -> None:
    """Declare as idle what is idle now: a deployment, or a schedule of the same times."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        known = {(each.entrypoint, each.name): each for each in client.read_deployments()}
    for deployment in declared:
        if (before := known.get((deployment["entrypoint"], deployment["name"]))) is not None:
            idle = [getattr(each.schedule, "cron", "") for each in before.schedules if not each.active]
            deployment["paused"] = before.paused
            for schedule in deployment.get("schedules", []):
                schedule["active"] = schedule.get("active", True) and schedule.get("cron") not in idle


def _for_workspace(declared: dict[str, Any], workspace: Path) -> dict[str, Any]:
    """prefect.yaml with this workspace in every deployment; each run ends with the worker that started it."""
    tied = [sys.executable, "-I", "-S", processes.__file__, "9"]
    run = f"exec {shlex.join(tied)} $PPID {shlex.quote(sys.executable)} -m prefect.engine"
    for deployment in declared["deployments"]:
        deployment["parameters"] = {**deployment.get("parameters", {}), "workspace": str(workspace)}
        pool = deployment["work_pool"]
        deployment["work_pool"] = {**pool, "job_variables": {"command": shlex.join(["/bin/sh", "-c", run])}}
    return declared


@contextlib.contextmanager
def worker(workspace: Path, environment: dict[str, str]) -> Iterator[Server]:
    """A Prefect worker for the pool; interrupted with the block, it ends its runs, which then count as crashed."""
    log = workspace / ".mucode/logs/prefect-worker.log"
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    command += ["--name", worker_name(workspace)]
    process = spawn(command, cwd=workspace, env=environment, log=log)
    try:
        yield Server("the worker", lambda: not has_ended(process), log)
    finally:
        stop(process)

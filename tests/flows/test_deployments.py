"""prefect.yaml against the pinned versions: some pairs of versions deploy happily and never schedule a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.deploy import deploy
from flows.server import free_port, prefect_server, settings, wait_until_up
from tests.flows.conftest import REPOSITORY
from tests.flows.test_quickstart import tree
from tests.test_processes import is_gone

pytestmark = pytest.mark.slow
SECONDS = 300  # a busy machine


def ask(api: str, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{api}/{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def runs_in(api: str, *states: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ask(api, "flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": states}}}})
    return rows


def eventually(what: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What `what` says as soon as it says anything."""
    deadline = time.monotonic() + seconds
    while not (said := what()):
        assert time.monotonic() < deadline, "it has not come"
        time.sleep(0.5)
    return said


def test_every_cron_deployment_yields_scheduled_runs(tmp_path: Path) -> None:
    with prefect_server(tmp_path) as server:
        wait_until_up(server, "the Prefect server", f"{server.api}/health")
        deploy(tmp_path, REPOSITORY, {**os.environ, **settings(tmp_path, server.url)})
        deployments = {row["id"] for row in ask(server.api, "deployments/filter", {})}
        assert len(deployments) == 6
        eventually(lambda: {row["deployment_id"] for row in runs_in(server.api, "SCHEDULED")} == deployments)


@contextmanager
def served(root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`make ui` over a repository, and the address of its Prefect API."""
    port = free_port()
    ports = ["--prefect-port", str(port), "--mlflow-port", str(free_port())]
    with subprocess.Popen(
        [sys.executable, "-m", "flows.ui", *ports], cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"Prefect: http://127.0.0.1:{port}\n"
            yield process, f"http://127.0.0.1:{port}/api"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def start(api: str, deployment: str, parameters: dict[str, Any] | None = None) -> str:
    found = json.load(urllib.request.urlopen(f"{api}/deployments/name/{deployment}", timeout=30))
    run: str = ask(api, f"deployments/{found['id']}/create_flow_run", {"parameters": parameters or {}})["id"]
    return run


def due_every_minute(root: Path, flow: str) -> None:
    """Give one deployment of a repository such a schedule, and its flow the toy's stages."""
    declared = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    for deployment in declared["deployments"]:
        if deployment["entrypoint"].endswith(f":{flow}"):
            deployment["schedules"][0]["cron"] = "* * * * *"
    (root / "prefect.yaml").unlink()
    (root / "prefect.yaml").write_text(yaml.safe_dump(declared))


def test_a_worker_runs_what_cron_has_scheduled_to_the_end(toy: Callable[..., Path]) -> None:
    root = toy(deployed=True)
    with (root / "dvc.yaml").open("a") as stages:
        stages.write("  train_verifier: {cmd: cat data/a > data/v, deps: [data/a], outs: [data/v]}\n")
    due_every_minute(root, "verifier_training")
    with served(root) as (_, api):
        ended = eventually(lambda: runs_in(api, "COMPLETED", "FAILED", "CRASHED"))
        assert [(run["auto_scheduled"], run["state"]["type"]) for run in ended] == [(True, "COMPLETED")]
        assert (root / "data/v").read_text() == "hello\n"


def test_a_value_that_the_form_does_not_offer_is_refused_by_the_server(toy: Callable[..., Path]) -> None:
    with served(toy(deployed=True)) as (_, api):
        wrongs: list[dict[str, Any]] = [{"method": "stra"}, {"iterations": 0}, {"seeds": []}]
        for wrong in wrongs:
            with pytest.raises(urllib.error.HTTPError, match="409"):
                start(api, "retrain/weekly", {"variation": wrong})


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_run_at_work_goes_with_the_servers_and_counts_as_crashed(
    toy: Callable[..., Path], end: signal.Signals
) -> None:
    root = toy(slow="sleep 600", deployed=True)
    with served(root) as (process, api):
        start(api, "retrain/weekly")
        eventually(lambda: "sleep 600" in str(tree(process.pid).values()))
        processes = tree(process.pid)
        process.send_signal(end)
        process.wait(timeout=60)
        assert [name for pid, name in processes.items() if not is_gone(pid, 15)] == []
    with served(root) as (_, api):
        assert eventually(lambda: runs_in(api, "CRASHED", "CANCELLED"))
        assert runs_in(api, "RUNNING", "PENDING") == []

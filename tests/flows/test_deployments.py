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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Task
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.objects import TaskRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Crashed, Running

from flows.deploy import POOL, deploy
from flows.recovery import mark_crashed, skip_missed
from flows.server import free_port, prefect_server, settings, wait_until_up
from mucode.processes import tied
from tests.flows.conftest import REPOSITORY, make_toy
from tests.flows.test_quickstart import tree
from tests.test_processes import is_gone

pytestmark = pytest.mark.slow
SECONDS = 300  # a busy machine
AT_WORK = {"RUNNING", "PENDING", "CANCELLING"}
LONG = "import time, tqdm; [time.sleep(0.5) for _ in tqdm.trange(16, desc='train', delay=2)]"  # as a stage does


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


def test_every_cron_deployment_yields_scheduled_runs_and_missed_ones_are_not_made_up_for(tmp_path: Path) -> None:
    with prefect_server(tmp_path) as server:
        wait_until_up(server, "the Prefect server", f"{server.api}/health")
        with temporary_settings({PREFECT_API_URL: server.api}):
            deploy(tmp_path, REPOSITORY, {**os.environ, **settings(tmp_path, server.url)})
            deployments = {row["id"] for row in ask(server.api, "deployments/filter", {})}
            assert len(deployments) == 6
            eventually(lambda: {row["deployment_id"] for row in runs_in(server.api, "SCHEDULED")} == deployments)
            yesterday = {
                "start_time": (datetime.now(UTC) - timedelta(hours=25)).isoformat(),
                "max_runs": 1,
                "min_runs": 1,
            }
            for deployment in deployments:
                ask(server.api, f"deployments/{deployment}/schedule", yesterday)
            asked = ask(server.api, f"deployments/{min(deployments)}/create_flow_run", {})[
                "id"
            ]  # by a person, just now
            time.sleep(1.0)
            assert skip_missed() >= 5  # of the daily ones, and the weekly one's on a Saturday
            left = {run["id"] for run in runs_in(server.api, "SCHEDULED")}
            assert asked in left
            assert {run["state"]["name"] for run in runs_in(server.api, "CANCELLED")} == {"Missed"}
            now = datetime.now(UTC).isoformat()
            waiting = [run for run in runs_in(server.api, "SCHEDULED") if run["id"] != asked]
            assert all(run["next_scheduled_start_time"] > now for run in waiting)


def test_what_people_have_paused_stays_so_and_the_tasks_of_the_dead_count_as_crashed(tmp_path: Path) -> None:
    with prefect_server(tmp_path) as server, temporary_settings({PREFECT_API_URL: server.api}):
        wait_until_up(server, "the Prefect server", f"{server.api}/health")
        environment = {**os.environ, **settings(tmp_path, server.url)}
        deploy(tmp_path, REPOSITORY, environment)
        with get_client(sync_client=True) as client:
            first, second, *_ = client.read_deployments()
            client.update_deployment_schedule(first.id, first.schedules[0].id, active=False)
            client.pause_deployment(second.id)
            client.update_work_pool(POOL, WorkPoolUpdate(is_paused=True))
            run = client.create_flow_run_from_deployment(first.id)
            task: TaskRun = client.create_task_run(Task(start), run.id, "key", state=Running())
            client.set_flow_run_state(run.id, Crashed(), force=True)  # as a worker marks it
            deploy(tmp_path, REPOSITORY, environment)
            assert client.read_work_pool(POOL).is_paused
            found = {each.id: each for each in client.read_deployments()}
            assert {id for id, each in found.items() if not each.schedules[0].active} >= {first.id}
            assert {id for id, each in found.items() if each.paused} == {second.id}
            assert mark_crashed(tag="mucode") == 0
            assert client.read_task_run(task.id).state_name == "Crashed"


@contextmanager
def served(root: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """`make ui` over a repository, and the addresses of Prefect's API and of MLflow."""
    port, mlflow = free_port(), free_port()
    ports = ["--prefect-port", str(port), "--mlflow-port", str(mlflow)]
    command = tied([sys.executable, "-m", "flows.ui", *ports], signal.SIGTERM)
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"Prefect: http://127.0.0.1:{port}\n"
            yield process, f"http://127.0.0.1:{port}/api", f"http://127.0.0.1:{mlflow}"
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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A served repository whose labelling takes ten minutes, and whose verifier training is due every minute."""
    root = make_toy(tmp_path_factory.mktemp("site") / "toy", slow="sleep 601", deployed=True)
    (root / "long.py").write_text(LONG)
    with (root / "dvc.yaml").open("a") as stages:
        stages.write("  train_verifier: {cmd: python long.py && cat data/a > data/v, deps: [data/a], outs: [data/v]}\n")
    due_every_minute(root, "verifier_training")
    with served(root) as (_, api, _):
        yield root, api


def test_a_worker_runs_what_cron_has_scheduled_to_the_end_and_shows_how_far_it_is(site: tuple[Path, str]) -> None:
    root, api = site
    ended = eventually(lambda: runs_in(api, "COMPLETED", "FAILED", "CRASHED"))
    assert [(run["auto_scheduled"], run["state"]["type"]) for run in ended] == [(True, "COMPLETED")]
    assert (root / "data/v").read_text() == "hello\n"
    (progress,) = ask(api, "artifacts/filter", {"artifacts": {"type": {"any_": ["progress"]}}})
    assert (progress["key"], float(progress["data"])) == ("progress-train-verifier", 100.0)
    assert progress["task_run_id"] is not None


def test_a_value_that_the_form_does_not_offer_is_refused_by_the_server(site: tuple[Path, str]) -> None:
    wrongs: list[dict[str, Any]] = [{"method": "stra"}, {"iterations": 0}, {"seeds": []}]
    for wrong in wrongs:
        with pytest.raises(urllib.error.HTTPError, match="409"):
            start(site[1], "retrain/weekly", {"variation": wrong})


def test_a_run_is_stopped_when_its_hours_are_over(site: tuple[Path, str]) -> None:
    _, api = site
    run = start(api, "retrain/weekly", {"hours": 0.01})
    failed = eventually(lambda: [each for each in runs_in(api, "FAILED", "COMPLETED", "CRASHED") if each["id"] == run])
    assert failed[0]["state"]["message"].startswith("the run's hours are over before label@base-0 has ended: run again")
    assert labelling() == []


def test_a_cancelled_run_ends_with_its_stage_and_the_next_one_begins(site: tuple[Path, str]) -> None:
    _, api = site
    run = start(api, "retrain/weekly")
    eventually(labelling)
    before = {each["id"] for each in runs_in(api, "COMPLETED")}
    ask(api, f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})  # as the UI does
    eventually(lambda: run in {each["id"] for each in runs_in(api, "CANCELLED")})
    eventually(lambda: not labelling())
    of_the_run = {"flow_runs": {"id": {"any_": [run]}}}
    eventually(lambda: {task["state"]["type"] for task in ask(api, "task_runs/filter", of_the_run)}.isdisjoint(AT_WORK))
    eventually(lambda: {each["id"] for each in runs_in(api, "COMPLETED")} - before)  # it has got run.lock


def labelling() -> list[Path]:
    return [stage for stage in Path("/proc").glob("[0-9]*/cmdline") if _says(stage, b"sleep\x00601")]


def _says(command: Path, words: bytes) -> bool:
    try:
        return words in command.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_run_at_work_goes_with_the_servers_and_counts_as_crashed(
    toy: Callable[..., Path], end: signal.Signals
) -> None:
    root = toy(slow="sleep 600", deployed=True)
    with served(root) as (process, api, _):
        start(api, "retrain/weekly")
        eventually(lambda: "sleep 600" in str(tree(process.pid).values()))
        processes = tree(process.pid)
        process.send_signal(end)
        process.wait(timeout=60)
        assert [name for pid, name in processes.items() if not is_gone(pid, 60)] == []
    with served(root) as (_, api, _):
        assert eventually(lambda: runs_in(api, "CRASHED", "CANCELLED"))
        assert runs_in(api, "RUNNING", "PENDING") == []

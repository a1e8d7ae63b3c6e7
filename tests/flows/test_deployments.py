"""prefect.yaml against the pinned versions: some pairs of versions deploy happily and never schedule a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from flows.server import prefect_server, settings, wait_until_up

REPOSITORY = Path(__file__).parent.parent.parent


def ask(api: str, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{api}/{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        rows: list[dict[str, Any]] = json.load(response)
    return rows


@pytest.mark.slow
def test_every_cron_deployment_yields_scheduled_runs(tmp_path: Path) -> None:
    with prefect_server(tmp_path) as server:
        wait_until_up(server, "the Prefect server", f"{server.api}/health")
        environment = {**os.environ, **settings(tmp_path, server.url)}
        for command in (
            ["work-pool", "create", "mucode", "--type", "process"],
            ["work-pool", "set-concurrency-limit", "mucode", "1"],
            ["--no-prompt", "deploy", "--all"],
        ):
            prefect = [sys.executable, "-m", "prefect", *command]
            subprocess.run(prefect, cwd=REPOSITORY, env=environment, check=True, capture_output=True, timeout=120)
        deployments = {row["id"] for row in ask(server.api, "deployments/filter", {})}
        assert len(deployments) == 6
        scheduled: set[str] = set()
        deadline = time.monotonic() + 120
        while scheduled != deployments and time.monotonic() < deadline:
            time.sleep(1)
            states = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
            scheduled = {row["deployment_id"] for row in ask(server.api, "flow_runs/filter", states)}
        assert scheduled == deployments

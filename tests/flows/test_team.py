"""The team's profile against real servers: PostgreSQL under Prefect and MLflow, users and passwords, artifacts on S3."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from flows.server import free_port
from flows.ui import read_settings
from mucode.processes import tied
from mucode.types import MucodeError
from tests.flows.conftest import REPOSITORY, make_toy
from tests.flows.services import postgresql, s3

PASSWORD = "a-long-enough-password"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}
LOG_A_RUN = """
from pathlib import Path
from mucode.tracking import log_stage, send_records
log_stage("label", "base-0", {}, {"rewards": 3.0}, {}, 1.0, artifacts=[Path("params.yaml")])
"""


def test_settings_are_lines_of_a_name_and_a_value(tmp_path: Path) -> None:
    file = tmp_path / "team.env"
    file.write_text('# a comment\n\nA=1\nB=x=y\nC="x y"\nD=\'"\'\nE="\n')
    assert read_settings(file) == {"A": "1", "B": "x=y", "C": "x y", "D": '"', "E": '"'}
    file.write_text("A=1\nexport B\n")
    with pytest.raises(MucodeError, match=r"team\.env:2 is no NAME=VALUE line"):
        read_settings(file)
    with pytest.raises(MucodeError, match=r"missing\.env cannot be read"):
        read_settings(tmp_path / "missing.env")


def test_the_example_names_what_the_servers_read() -> None:
    import mlflow.environment_variables as known
    import prefect.settings

    example = read_settings(REPOSITORY / "mlflow/team.env.example")
    server_options = {"MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_FLASK_SERVER_SECRET_KEY"}
    botocores = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ENDPOINT_URL"}
    for name in example:
        assert name in server_options | botocores or hasattr(known, name) or hasattr(prefect.settings, name), name
    assert not hasattr(prefect.settings, "PREFECT_SERVER_DATABASE_URL")  # as a slip would look


def test_the_compose_file_runs_the_versions_of_the_lock_and_opens_no_port_to_others() -> None:
    services = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]
    locked = dict(re.findall(r"^([a-z-]+)==(\S+)$", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE))
    assert services["prefect"]["image"] == f"prefecthq/prefect:{locked['prefect']}-python3.11"
    assert f"mlflow[auth]=={locked['mlflow']}" in services["mlflow"]["build"]["dockerfile_inline"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def team(tmp_path: Path, credentials: None) -> Iterator[dict[str, str]]:
    """The settings of a team's servers, which run."""
    pytest.importorskip("flask_wtf", reason="MLflow's authentication is not installed: pip install -e '.[team]'")
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed: pip install -e '.[team]'")
    with postgresql("prefect", "mlflow", "users") as at, s3("mucode-artifacts") as url:
        users = (REPOSITORY / "mlflow/basic_auth.ini.example").read_text()
        ours = re.sub("^database_uri = .*$", f"database_uri = postgresql://{at}/users", users, flags=re.MULTILINE)
        (tmp_path / "basic_auth.ini").write_text(ours)
        yield {
            **read_settings(REPOSITORY / "mlflow/team.env.example"),
            **CREDENTIALS,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{at}/prefect",
            "MLFLOW_BACKEND_STORE_URI": f"postgresql://{at}/mlflow",
            "MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "basic_auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
            "MLFLOW_TRACKING_PASSWORD": PASSWORD,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "secret",
            "MLFLOW_S3_ENDPOINT_URL": url,
        }


def free_ports() -> list[str]:
    return ["--prefect-port", str(free_port()), "--mlflow-port", str(free_port())]


@pytest.mark.slow
def test_a_team_s_runs_are_kept_in_postgresql_and_s3_and_open_to_nobody_else(
    toy: Callable[..., Path], team: dict[str, str], tmp_path: Path
) -> None:
    import boto3

    (tmp_path / "team.env").write_text("".join(f"{name}={value}\n" for name, value in team.items()))
    root = toy(deployed=True)
    command = [sys.executable, "-m", "flows.ui", "--team", str(tmp_path / "team.env"), *free_ports()]
    mlflow = command[-1]
    with subprocess.Popen(tied(command, signal.SIGTERM), cwd=root, stdout=subprocess.PIPE, text=True) as ui:
        assert ui.stdout is not None
        try:
            assert ui.stdout.readline().startswith("Prefect: ")
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(f"http://127.0.0.1:{mlflow}/api/2.0/mlflow/experiments/search?max_results=1")
            environment = {**os.environ, **team, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{mlflow}"}
            subprocess.run([sys.executable, "-c", LOG_A_RUN], cwd=root, env=environment, check=True, timeout=120)
            other = make_toy(tmp_path / "other", deployed=True)
            refused = subprocess.run(
                [*command[:5], *free_ports()], cwd=other, capture_output=True, text=True, check=False
            )
            assert refused.returncode == 1
            assert "toy serves this Prefect database already: stop `make ui` there" in refused.stderr
        finally:
            ui.send_signal(signal.SIGINT)
            assert ui.wait(timeout=60) == 0
    assert not any((root / ".mucode/untracked").glob("*.json"))
    stored = boto3.client("s3", endpoint_url=team["MLFLOW_S3_ENDPOINT_URL"]).list_objects_v2(Bucket="mucode-artifacts")
    assert [entry["Key"].rpartition("/")[2] for entry in stored["Contents"]] == ["params.yaml"]
    assert rows(team["MLFLOW_BACKEND_STORE_URI"], "select name from experiments where name = 'mucode'") == [("mucode",)]
    deployed = rows(team["MLFLOW_BACKEND_STORE_URI"].replace("/mlflow", "/prefect"), "select name from deployment")
    assert ("weekly",) in deployed
    assert not (root / "mlflow.db").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("credentials")
def test_what_is_pushed_to_a_remote_on_s3_comes_back(toy: Callable[..., Path]) -> None:
    pytest.importorskip("dvc_s3", reason="dvc-s3 is not installed: pip install -e '.[team]'")
    workspace = toy()

    def dvc(*arguments: str) -> None:
        command = [sys.executable, "-m", "dvc", *arguments]
        done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    with s3("mucode-dvc") as url:
        dvc("remote", "add", "--default", "team", "s3://mucode-dvc/cache")
        dvc("remote", "modify", "--local", "team", "endpointurl", url)
        dvc("repro", "prepare")
        dvc("push", "prepare")
        (workspace / "data/a").unlink()
        shutil.rmtree(workspace / ".dvc/cache")
        dvc("pull", "prepare")
    assert (workspace / "data/a").read_text() == "hello\n"


def rows(uri: str, query: str) -> list[tuple[str, ...]]:
    import psycopg2

    connection = psycopg2.connect(uri)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
    finally:
        connection.close()

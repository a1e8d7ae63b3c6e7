"""`make ui`: Prefect with a worker, MLflow and the reports of a workspace, on loopback, until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from flows.commands import QUIET
from flows.deploy import deploy, require_alone, worker
from flows.graph import require_git
from flows.remotes import inherit, on_one_disk
from flows.reports import REPORT, REPORTS_URL, reports_server
from flows.server import Server, is_taken, kept_port, prefect_server, settings, wait_until_up
from mucode.lineage.git import without_credentials
from mucode.processes import has_ended, held, spawn, stop
from mucode.tracking import tracking_uri
from mucode.types import MucodeError
from mucode.workspace import DEFAULT, is_at_work, make_workspace, place_of


def main() -> int:
    """Serve until Ctrl-C or until one of the processes ends."""
    options = _options()
    try:
        if options.team:
            os.environ.update(read_settings(options.team))
        workspace = brought_up_to_date(options.size, Path.cwd(), options.folder)
        if options.folder is None:  # else it has remotes of its own, or none
            inherit(workspace, Path.cwd())
        refusal = f"the UIs of {workspace} are open already: use those, or stop them first"
        with held(workspace / ".mucode/ui.lock", refusal):
            serve(workspace, Path.cwd(), options.prefect_port, options.mlflow_port)
    except MucodeError as error:
        sys.stderr.write(f"mucode: {error}\n")
        return 1
    except OSError as error:
        reason = error.strerror or error
        sys.stderr.write(f"mucode: {error.filename or 'the system'}: {reason}; mend that and run again\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nall have stopped\n")
    return 0


def brought_up_to_date(size: str, root: Path, folder: Path | None) -> Path:
    """The workspace to show; one that a run is at work in stays as that run has found it.

    Raises:
        MucodeError: as `make_workspace`.
    """
    workspace = place_of(size, root, folder)
    return workspace if is_at_work(workspace) else make_workspace(size, root, folder)


def serve(workspace: Path, root: Path, prefect_port: int, mlflow_port: int) -> None:
    """Start the servers at once and then the worker, say where they are, and wait.

    Raises:
        MucodeError: there is no git, a port is taken, a deployment is refused, or one of the processes ended.
    """
    require_git(workspace)
    ours = {"PREFECT_PORT": prefect_port, "MLFLOW_PORT": mlflow_port}
    if tracking_uri(workspace).startswith("http"):
        del ours["MLFLOW_PORT"]  # a server that runs already
    for name, port in ours.items():
        if is_taken(port):
            raise MucodeError(f"port {port} is taken: end what listens there, or `make ui {name}=...` names another")
    with (
        prefect_server(workspace, prefect_port, shared=True) as prefect,
        mlflow_server(workspace, mlflow_port) as mlflow,
        reports_server(workspace, kept_port(workspace / ".mucode/reports.port")) as reports,
    ):
        os.environ.update(settings(workspace, prefect.url))
        wait_until_up(prefect, "Prefect", f"{prefect.api}/health")
        require_alone(workspace)
        _put_right()
        deploy(workspace, root, dict(os.environ))
        wait_until_up(mlflow, "MLflow", f"{without_credentials(mlflow.url)}/health")
        with worker(workspace, _environment_of_runs(mlflow.url, reports)) as runs:
            sys.stdout.write(f"Prefect: {prefect.url}\nMLflow:  {without_credentials(mlflow.url)}\n")
            sys.stdout.write(f"report:  {reports}/{REPORT.as_posix()}\n{on_one_disk(workspace)}Ctrl-C stops all.\n")
            sys.stdout.flush()
            _wait_for_an_end([prefect, mlflow, runs])


def _put_right() -> None:
    """Before a worker takes runs: those of a dead one have crashed, and what was due meanwhile is not made up for."""
    from flows.recovery import mark_crashed, skip_missed

    mark_crashed(tag="mucode")
    skip_missed()


def _environment_of_runs(mlflow: str, reports: str) -> dict[str, str]:
    """A run writes to the workspace's own database as any other does; to one of the team's only through the server."""
    through = {"MLFLOW_TRACKING_URI": mlflow} if "MLFLOW_BACKEND_STORE_URI" in os.environ else {}
    return {**os.environ, **QUIET, **through, REPORTS_URL: reports}


def _wait_for_an_end(servers: Sequence[Server]) -> None:
    while all(server.alive() for server in servers):
        time.sleep(0.5)
    ended = next(server for server in servers if not server.alive())
    raise MucodeError(f"{without_credentials(ended.url)} has ended: the end of {ended.log} says why")


@contextlib.contextmanager
def mlflow_server(workspace: Path, port: int) -> Iterator[Server]:
    """An MLflow server over the workspace's database, or over what a team's settings name, starting.

    It runs its web server as a child and passes a SIGTERM on to it, so SIGTERM is what it is to get when we are gone.
    """
    log = workspace / ".mucode/logs/mlflow-server.log"
    store = tracking_uri(workspace)
    if store.startswith("http"):  # MLFLOW_TRACKING_URI names a server that runs already
        yield Server(store, lambda: True, log)
        return
    listen = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    env = {**os.environ, **QUIET, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    env.pop("MLFLOW_TRACKING_URI", None)
    env.setdefault("MLFLOW_BACKEND_STORE_URI", store)
    env.setdefault("MLFLOW_ARTIFACTS_DESTINATION", str(workspace / "mlartifacts"))
    guard = ["--app-name", "basic-auth"] if "MLFLOW_AUTH_CONFIG_PATH" in env else []
    command = [sys.executable, "-m", "mlflow", "server", *listen, *guard]
    process = spawn(command, cwd=workspace, env=env, log=log, with_signal=signal.SIGTERM)
    try:
        yield Server(f"http://127.0.0.1:{port}", lambda: not has_ended(process), log)
    finally:
        stop(process)


def read_settings(file: Path) -> dict[str, str]:
    """NAME=VALUE lines, as systemd's EnvironmentFile reads them: without the quotes around a value.

    Raises:
        MucodeError: no such file, or a line of another form, by its number.
    """
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        raise MucodeError(f"{file} cannot be read ({error.strerror}): copy mlflow/team.env.example there") from error
    read = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.isidentifier():
            raise MucodeError(f"{file}:{number} is no NAME=VALUE line: correct it, or make it a comment with #")
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        read[name] = value[1:-1] if quoted else value
    return read


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.ui", description=__doc__)
    parser.add_argument("--size", default=DEFAULT, help="the workspace to show (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="a workspace elsewhere")
    parser.add_argument("--team", type=Path, help="a file of settings like mlflow/team.env.example")
    parser.add_argument("--prefect-port", type=int, default=4200)
    parser.add_argument("--mlflow-port", type=int, default=5000)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

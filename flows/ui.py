"""`make ui`: the Prefect and the MLflow server of a workspace, on loopback, until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from flows.commands import QUIET
from flows.server import Server, is_taken, prefect_server, wait_until_up
from mucode.processes import has_ended, spawn, stop
from mucode.tracking import tracking_uri
from mucode.types import MucodeError
from mucode.workspace import DEFAULT, make_workspace


def main() -> int:
    """Serve until Ctrl-C or until one of the servers ends."""
    options = _options()
    try:
        workspace = make_workspace(options.size, Path.cwd(), options.folder)
        serve(workspace, options.prefect_port, options.mlflow_port)
    except MucodeError as error:
        sys.stderr.write(f"mucode: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nboth servers have stopped\n")
    return 0


def serve(workspace: Path, prefect_port: int, mlflow_port: int) -> None:
    """Start both at once, say where they are, and wait.

    Raises:
        MucodeError: a port is taken, or one of the servers ended.
    """
    for name, port in (("PREFECT_PORT", prefect_port), ("MLFLOW_PORT", mlflow_port)):
        if is_taken(port):
            raise MucodeError(f"port {port} is taken: end what listens there, or `make ui {name}=...` names another")
    with prefect_server(workspace, prefect_port) as prefect, mlflow_server(workspace, mlflow_port) as mlflow:
        wait_until_up(prefect, "Prefect", f"{prefect.api}/health")
        wait_until_up(mlflow, "MLflow", f"{mlflow.url}/health")
        sys.stdout.write(f"Prefect: {prefect.url}\nMLflow:  {mlflow.url}\nCtrl-C stops both.\n")
        sys.stdout.flush()
        while prefect.alive() and mlflow.alive():
            time.sleep(0.5)
        ended = mlflow if prefect.alive() else prefect
        raise MucodeError(f"the server at {ended.url} has ended: the end of {ended.log} says why")


@contextlib.contextmanager
def mlflow_server(workspace: Path, port: int) -> Iterator[Server]:
    """An MLflow server over the workspace's database, starting.

    It runs its web server as a child and passes a SIGTERM on to it, so SIGTERM is what it is to get when we are gone.
    """
    log = workspace / ".mucode/logs/mlflow-server.log"
    store = tracking_uri(workspace)
    if store.startswith("http"):  # MLFLOW_TRACKING_URI names a server that runs already
        yield Server(store, lambda: True, log)
        return
    where = ["--backend-store-uri", store, "--artifacts-destination", str(workspace / "mlartifacts")]
    listen = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    env = {**os.environ, **QUIET, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    env.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-m", "mlflow", "server", *where, *listen]
    process = spawn(command, cwd=workspace, env=env, log=log, with_signal=signal.SIGTERM)
    try:
        yield Server(f"http://127.0.0.1:{port}", lambda: not has_ended(process), log)
    finally:
        stop(process)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mucode ui", description=__doc__)
    parser.add_argument("--size", default=DEFAULT, help="the workspace to show (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="a workspace elsewhere")
    parser.add_argument("--prefect-port", type=int, default=4200)
    parser.add_argument("--mlflow-port", type=int, default=5000)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

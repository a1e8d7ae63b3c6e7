"""Where MLflow's runs and models live, and how it is reached without asking anybody else."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mucode.lineage.git import without_credentials
from mucode.types import MucodeError

EXPERIMENT = "mucode"
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # its own seven take minutes, and what is not sent is kept anyway
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class TrackingUnavailable(MucodeError):
    """MLflow does not answer, or not as it should."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: what may go well in a minute


def tracking_uri(workspace: Path) -> str:
    """MLFLOW_TRACKING_URI if it is set, else the workspace's own database."""
    return os.environ.get("MLFLOW_TRACKING_URI") or own_database(workspace)


def own_database(workspace: Path) -> str:
    """The address of the database that lies in the workspace and is nobody else's."""
    return f"sqlite:///{workspace.resolve() / 'mlflow.db'}"


@contextlib.contextmanager
def mlflow_at(workspace: Path) -> Iterator[Any]:
    """A client of the workspace's tracking server and registry, which mlflow's own functions use as well meanwhile.

    Raises:
        TrackingUnavailable: anything in the block that mlflow could not do.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import mlflow
    from mlflow.exceptions import MlflowException

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # they tell the making of a database line by line
    uri, before = tracking_uri(workspace), os.environ.get("MLFLOW_TRACKING_URI")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module=r"mlflow\.")  # about its own types
            mlflow.set_tracking_uri(uri)  # for mlflow.pyfunc, which takes no client; it writes the environment, too
            yield mlflow.MlflowClient(uri, registry_uri=uri)
    except (MlflowException, OSError) as error:
        reason = without_credentials(" ".join(str(error).split()))[:300]
        way_out = "see that it runs, or unset MLFLOW_TRACKING_URI"
        at = without_credentials(uri)
        raise TrackingUnavailable(f"MLflow at {at} cannot be used ({reason}): {way_out}") from error
    finally:
        mlflow.set_tracking_uri(None)
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before


def experiment_id(client: Any, workspace: Path) -> str:
    """The one experiment, made if need be; artifacts of a database of our own lie beside it, in mlartifacts/."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        own = tracking_uri(workspace).startswith("sqlite:")
        location = (workspace.resolve() / "mlartifacts").as_uri() if own else None
        with contextlib.suppress(MlflowException):  # another process made it at the same moment
            client.create_experiment(EXPERIMENT, artifact_location=location)
        found = client.get_experiment_by_name(EXPERIMENT)
    identifier: str = found.experiment_id
    return identifier

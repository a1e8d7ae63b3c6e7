"""Where MLflow's runs and models live, and how it is reached without asking anybody else."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mucode.lineage.git import without_credentials
from mucode.types import MucodeError, Unavailable

EXPERIMENT = "mucode"
ARTIFACTS = "mlartifacts"
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"  # MLflow reads it at every request
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # its own seven take minutes, and what is not sent is kept anyway
    _TIMEOUT: "20",
}
_TRANSFER = "3600"  # seconds for a request that carries weights: a server answers when its S3 has them


class TrackingUnavailable(Unavailable):
    """MLflow does not answer, or not as it should."""


def tracking_uri(workspace: Path) -> str:
    """MLFLOW_TRACKING_URI if it is set, else the workspace's own database."""
    return os.environ.get("MLFLOW_TRACKING_URI") or own_database(workspace)


def own_database(workspace: Path) -> str:
    """The address of the database that lies in the workspace and is nobody else's."""
    return f"sqlite:///{workspace.resolve() / 'mlflow.db'}"


def is_there(workspace: Path) -> bool:
    """Whether there is a database to look into, which MLflow would else make; a server is asked for it later."""
    file = _file_of(tracking_uri(workspace))
    return file is None or file.exists()


def require_there(workspace: Path) -> None:
    """Refuse to look where there is nothing.

    Raises:
        MucodeError: there is no database.
    """
    if not is_there(workspace):
        file = _file_of(tracking_uri(workspace))
        raise MucodeError(f"there is no registry {file}: run where mlflow.db lies, or set MLFLOW_TRACKING_URI")


@contextlib.contextmanager
def mlflow_at(workspace: Path) -> Iterator[Any]:
    """A client of the workspace's tracking server and registry, which mlflow's own functions use as well meanwhile.

    Raises:
        MucodeError: there is no room or no right to write, or the workspace's own database was made elsewhere.
        TrackingUnavailable: anything else in the block that mlflow could not do.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import mlflow
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # they tell the making of a database line by line
    uri, before = tracking_uri(workspace), os.environ.get("MLFLOW_TRACKING_URI")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module=r"mlflow\.")  # about its own types
            mlflow.set_tracking_uri(uri)  # for mlflow.pyfunc, which takes no client; it writes the environment, too
            client = mlflow.MlflowClient(uri, registry_uri=uri)
            if uri == own_database(workspace):
                _require_made_here(client, workspace)
            yield client
    except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:  # ImportError: a database's driver
        raise _refusal(error, without_credentials(uri), named=bool(before)) from error
    finally:
        mlflow.set_tracking_uri(None)
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before


@contextlib.contextmanager
def transfer() -> Iterator[None]:
    """Inside `mlflow_at`: requests that carry weights get their time, unless the environment has set one for all."""
    short = os.environ[_TIMEOUT]
    if short == _QUIET[_TIMEOUT]:
        os.environ[_TIMEOUT] = _TRANSFER
    try:
        yield
    finally:
        os.environ[_TIMEOUT] = short


def experiment_id(client: Any, workspace: Path) -> str:
    """The one experiment, made if need be; artifacts of a database that is a file lie beside it, in mlartifacts/.

    Raises:
        MucodeError: somebody deleted it.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        file = _file_of(tracking_uri(workspace))  # a team's is used from several workspaces
        location = (file.parent.resolve() / ARTIFACTS).as_uri() if file else None
        with contextlib.suppress(MlflowException):  # another process made it at the same moment
            client.create_experiment(EXPERIMENT, artifact_location=location)
        found = client.get_experiment_by_name(EXPERIMENT)
    identifier: str = found.experiment_id
    if found.lifecycle_stage == "deleted":
        way_out = f"`mlflow experiments restore -x {identifier}` with MLFLOW_TRACKING_URI set to it brings it back"
        at = without_credentials(tracking_uri(workspace))
        raise MucodeError(f"the experiment {EXPERIMENT} of the MLflow at {at} was deleted: {way_out}")
    return identifier


def _file_of(uri: str) -> Path | None:
    """The file that a database is; None: MLflow is a server, or its database has one."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def _require_made_here(client: Any, workspace: Path) -> None:
    """Refuse a database that came along with a moved or copied workspace: MLflow keeps whole paths of artifacts, so that
    those of before would not be found, and new ones would be written there."""
    found = client.get_experiment_by_name(EXPERIMENT)
    artifacts = Path(unquote(urlsplit(found.artifact_location).path)) if found else Path()
    if artifacts.name != ARTIFACTS or artifacts.resolve() == (workspace / ARTIFACTS).resolve():
        return
    raise MucodeError(
        f"{workspace.resolve() / 'mlflow.db'} was made in {artifacts.parent} and names its files there: move the workspace "
        f"back, or leave a link to it there; in a copy, remove mlflow.db and {ARTIFACTS}/ to begin anew"
    )


def _refusal(error: Exception, address: str, *, named: bool) -> MucodeError:
    """What is said of a failure; `named`: whether MLFLOW_TRACKING_URI names the address."""
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        place = error.filename2 or error.filename or address
        return MucodeError(f"{place}: {error.strerror}; make room or give rights there and run again")
    reason = without_credentials(" ".join(str(getattr(error, "orig", None) or error).split()))[:300]
    way_out = "see that it runs, or unset MLFLOW_TRACKING_URI" if named else "mend that, or move it away"
    return TrackingUnavailable(f"MLflow at {address} cannot be used ({reason}): {way_out}")

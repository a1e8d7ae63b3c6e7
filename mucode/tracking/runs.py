"""A run in MLflow for each stage instance that trains or evaluates.

What a stage has to say is first kept as a file and then sent, so that a server that is down, or a kill, loses nothing:
the next stage or `mucode register` sends what is left, each record once. Which dvc.lock holds a stage's outs is known
when its run has ended: `mucode register` and `mucode track` note it, and it stays, however late the record is sent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mucode.arithmetic import arithmetic
from mucode.lineage import code_of, lock_of
from mucode.records import digests, written_whole
from mucode.section import Section
from mucode.tracking.server import experiment_id, is_there, mlflow_at
from mucode.types import MucodeError

UNTRACKED = Path(".mucode/untracked")
REFUSED = "refused"  # its folder for records that no MLflow will ever take
LATER = "MUCODE_TRACK_LATER"  # set by who sends the records itself, to spare each stage the import of mlflow (2 s)
_INVALID = "INVALID_PARAMETER_VALUE"  # MLflow's code for what it will not take however often it is asked
_NO_SUCH_RUN = ("RESOURCE_DOES_NOT_EXIST", _INVALID)  # the latter: that is no id

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """What one run of a stage instance leaves in MLflow. Times are milliseconds since 1970."""

    stage: str
    key: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    datasets: Mapping[str, str]  # name -> digest
    started: int
    ended: int
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)  # metric -> its values, step by step from 1
    texts: Mapping[str, str] = field(default_factory=dict)  # file name -> content, kept as artifacts
    code: Mapping[str, str] = field(default_factory=dict)  # tags: commit and versions; records sent late keep theirs
    lock: Mapping[str, str] | None = None  # tags: the dvc.lock of its run, {} if none has its outs; None: not known yet

    @property
    def id(self) -> str:
        return f"{self.ended:013}-{self.stage}-{self.key}"


def log_stage(
    stage: str,
    key: str,
    params: Mapping[str, object],
    metrics: Mapping[str, float],
    datasets: Mapping[str, str],
    seconds: float,
    *,
    curves: Mapping[str, Sequence[float]] | None = None,
    artifacts: Sequence[Path] = (),
    workspace: Path = Path(),
) -> None:
    """Log one finished stage instance. Its work is done: a server that is down or a full disk is a warning, no error.

    Args:
        stage: its name in dvc.yaml.
        key: the instance, "mucode-0-1".
        params: the numbers it ran with; sections are flattened to "section.name".
        metrics: what it measured.
        datasets: name -> digest of what it read.
        seconds: wall time; a metric here and in no DVC out.
        curves: metrics with a value for each step.
        artifacts: small text files to keep with the run.
    """
    ended = time.time_ns() // 1_000_000
    texts = {path.name: path.read_text(encoding="utf-8") for path in artifacts}
    started = ended - round(seconds * 1000)
    measured = {**metrics, "seconds": seconds}
    try:
        code = {**code_of(workspace), **arithmetic()}
        record = Record(stage, key, _flat(params), measured, dict(datasets), started, ended, curves or {}, texts, code)
        keep_record(record, workspace)
    except MucodeError as error:
        logger.warning("%s; %s@%s is done and goes on, but MLflow will have no run of it", error, stage, key)
        return
    if os.environ.get(LATER):
        return
    try:
        _send_kept(workspace)
    except MucodeError as error:
        logger.warning("%s; the record of %s@%s is kept in %s and sent next time", error, stage, key, UNTRACKED)


def track(
    stage: str, key: str, section: Section, metrics: object, read: Sequence[Path], started: float, **facts: str
) -> None:
    """Log a stage that has done its work; what is a series among `metrics` becomes a curve.

    Args:
        stage, key: name of the stage and of its instance.
        section: the parameters it went by.
        metrics: a dataclass or a mapping, of numbers and tuples of numbers.
        read: the files that it read, logged with their digests.
        started: `time.monotonic()` when it began.
        facts: what is the machine's, not params.yaml's.
    """
    values = dataclasses.asdict(metrics) if dataclasses.is_dataclass(metrics) else dict(metrics)  # type: ignore
    numbers = {name: float(value) for name, value in values.items() if isinstance(value, (int, float))}
    curves = {name: value for name, value in values.items() if isinstance(value, tuple)}
    seconds = time.monotonic() - started
    log_stage(stage, key, section.model_dump() | facts, numbers, digests(read), seconds, curves=curves)


def keep_record(record: Record, workspace: Path) -> None:
    """Write a record where `send_records` finds it."""
    with written_whole(workspace / UNTRACKED / f"{record.id}.json") as partial:
        partial.write_text(json.dumps(dataclasses.asdict(record)), encoding="utf-8")


def send_records(workspace: Path) -> int:
    """At the end of a run: send every kept record to MLflow, oldest first, and forget those that arrived.

    One that cannot be read, or that MLflow refuses for what it says, is set aside with a warning and holds up no other.

    Returns:
        How many were sent.

    Raises:
        TrackingUnavailable: MLflow does not answer; the records stay.
    """
    settle_locks(workspace)
    return _send_kept(workspace)


def settle_locks(workspace: Path) -> None:
    """Note in the kept records which dvc.lock they belong to: the present one, if it is not another run's already.

    It holds the outs of each stage instance's newest record; what an older one tells of has been made anew since.
    """
    with _kept(workspace) as paths:
        records = list(_read(paths).values())
        newest = {(record.stage, record.key): record for record in records}
        lock = lock_of(workspace)
        for record in records if lock else ():
            if record.lock is None:
                belongs = record is newest[record.stage, record.key]
                keep_record(dataclasses.replace(record, lock=lock if belongs else {}), workspace)


def _send_kept(workspace: Path) -> int:
    with _kept(workspace) as paths:
        records = _read(paths)
        if not records:
            return 0
        with mlflow_at(workspace) as client:
            experiment = experiment_id(client, workspace)
            return sum(_has_arrived(record, path, client, experiment) for path, record in records.items())


def _has_arrived(record: Record, path: Path, client: Any, experiment: str) -> bool:
    """Send a record and forget it; or set it aside, if MLflow refuses what it says."""
    from mlflow.exceptions import MlflowException

    try:
        _send(record, client, experiment)
    except MlflowException as error:
        if error.error_code != _INVALID:
            raise
        _set_aside(path, f"is refused by MLflow ({_short(error)})")
        return False
    path.unlink()
    return True


@contextlib.contextmanager
def _kept(workspace: Path) -> Iterator[list[Path]]:
    """The kept records, oldest first, for one process at a time: else two could send the same one."""
    folder = workspace / UNTRACKED
    if not any(folder.glob("*.json")):
        yield []
        return
    with (folder / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield sorted(folder.glob("*.json"))


def _read(paths: Sequence[Path]) -> dict[Path, Record]:
    """The records that can be read. Those that cannot, such as a newer version's with more fields, are set aside."""
    records: dict[Path, Record] = {}
    for path in paths:
        try:
            records[path] = Record(**json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError) as error:
            _set_aside(path, f"cannot be read ({_short(error)})")
    return records


def _set_aside(path: Path, why: str) -> None:
    """Move a record to where nothing sends it, and say which one it is: its name tells its stage."""
    folder = path.parent / REFUSED
    folder.mkdir(exist_ok=True)
    path.replace(folder / path.name)
    way_out = f"mend it and move it back to {path.parent}, or remove it; `mucode track` sends it"
    logger.warning("the record %s %s and was moved to %s: %s", path.name, why, folder, way_out)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def tags_of(run_id: str, workspace: Path) -> dict[str, str] | None:
    """A run's tags; among them the commit of its code and the digest of its dvc.lock, see `mucode.lineage`.

    Returns:
        None if MLflow has no such run, or there is no MLflow yet.

    Raises:
        TrackingUnavailable: MLflow does not answer.
    """
    if not is_there(workspace):
        return None
    with mlflow_at(workspace) as client:
        from mlflow.exceptions import MlflowException

        try:
            return dict(client.get_run(run_id).data.tags)
        except MlflowException as error:
            if error.error_code not in _NO_SUCH_RUN:
                raise
            return None


def _send(record: Record, client: Any, experiment: str) -> None:
    from mlflow.exceptions import MlflowException

    run = _run_of(record, client, experiment)
    if run.info.status == "FINISHED":  # it arrived before a kill
        return
    try:
        _log_numbers(record, client, run.info.run_id)
        for name, text in record.texts.items():
            client.log_text(run.info.run_id, text, name)
    except MlflowException as error:
        if error.error_code == _INVALID:  # it would look as if it were at work for ever
            client.set_terminated(run.info.run_id, "FAILED", record.ended)
        raise
    client.set_terminated(run.info.run_id, end_time=record.ended)


def _run_of(record: Record, client: Any, experiment: str) -> Any:
    """The record's run: a kill may have left one half-written."""
    found = client.search_runs([experiment], f"tags.`mucode.record` = '{record.id}'", max_results=1)
    name = f"{record.stage}@{record.key}"
    tags = {"mucode.record": record.id, "stage": record.stage, "key": record.key, **record.code, **(record.lock or {})}
    return found[0] if found else client.create_run(experiment, start_time=record.started, tags=tags, run_name=name)


def _log_numbers(record: Record, client: Any, run_id: str) -> None:
    """All in two requests: a database takes about fifty a second."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    metrics = [Metric(name, float(value), record.ended, 0) for name, value in record.metrics.items()]
    for name, values in record.curves.items():
        metrics += [Metric(name, float(value), record.ended, step) for step, value in enumerate(values, start=1)]
    client.log_batch(run_id, metrics=metrics, params=[Param(name, value) for name, value in record.params.items()])
    inputs = [
        DatasetInput(
            Dataset(
                name=name, digest=digest[:32], source_type="dvc", source=json.dumps({"path": name, "digest": digest})
            ),
            tags=[InputTag("mlflow.data.context", record.stage)],
        )
        for name, digest in record.datasets.items()
    ]
    if inputs:
        client.log_inputs(run_id, inputs)


def _flat(params: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat

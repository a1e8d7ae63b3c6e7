"""What somebody edits while a stage runs: DVC looks at what a stage reads once more when the stage has ended, and takes that
for what made its outs, so that the edit would never take effect.

What DVC finds before is held against what it records; if that says anything else, it is taken out of dvc.lock and of DVC's
cache of runs, and any next run, also `dvc repro` by hand, runs the stage anew. DVC remembers digests by size and time of
change, so that nothing is hashed for this that it would not hash anyway.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Reads = Mapping[str, Any]  # path -> what DVC would record of it: a digest, or the parameters that the stage reads


def reads_of(workspace: Path, name: str) -> Reads | None:
    """What a stage would read now; None where DVC cannot tell, and so will not run it either."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage.serialize import to_single_stage_lockfile

    no_stage, full_disk = KeyError, (OSError, sqlite3.Error)
    with _quiet(), contextlib.suppress(DvcException, no_stage, *full_disk), Repo(str(workspace)) as repo:
        stage = repo.stage.load_one(str(workspace / "dvc.yaml"), name)
        stage.save_deps()
        return _reads(to_single_stage_lockfile(stage))
    return None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What DVC says of a stage it says when it runs it."""
    logger = logging.getLogger("dvc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def differing(before: Reads | None, now: Reads | None) -> list[str]:
    """The files and folders that are not what they were; what is not known counts as the same."""
    if before is None or now is None:
        return []
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def take_out(workspace: Path, stage: str, before: Reads | None) -> list[str]:
    """Take out what DVC has just recorded of a stage, if that has read something else.

    Returns:
        The files and folders by which it differs.
    """
    from dvc.utils.serialize import load_yaml  # another parser takes 1e-05 for a text

    changed = differing(before, _reads(load_yaml(str(workspace / "dvc.lock"))["stages"][stage]))
    if changed:
        _forget(workspace, stage)
    return changed


def sentence(stage: str, changed: list[str]) -> str:
    """What the run's page says of it."""
    return (
        f"{', '.join(changed)} changed while {stage} ran, so what it made counts for nothing: run again, which runs it "
        "anew, and edit or pull in another clone while a run is at work"
    )


def _reads(entry: Mapping[str, Any]) -> Reads:
    read: Reads = _plain({**{dep["path"]: dep for dep in entry.get("deps", [])}, **entry.get("params", {})})
    return read


def _forget(workspace: Path, name: str) -> None:
    """Take the stage out of dvc.lock, and out of the runs by which DVC would give the same outs once more."""
    from dvc.repo import Repo
    from dvc.stage.cache import _get_cache_hash
    from dvc.utils.serialize import modify_yaml

    with modify_yaml(str(workspace / "dvc.lock")) as lock:
        entry = _plain(lock["stages"].pop(name))
    key, value = _get_cache_hash(copy.deepcopy(entry), key=True), _get_cache_hash(entry)
    with Repo(str(workspace)) as repo:
        run = Path(repo.stage_cache.cache_dir, key[:2], key, value)
    run.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # other runs of the same are in it
        run.parent.rmdir()  # of a folder without runs DVC makes no sense


def _plain(value: Any) -> Any:
    """A value of YAML as JSON keeps it."""
    return json.loads(json.dumps(value, default=str))

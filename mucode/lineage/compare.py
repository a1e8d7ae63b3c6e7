"""What lies in a workspace, held against the dvc.lock of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import yaml

from mucode.lineage.locked import md5_of, outs_of
from mucode.types import MucodeError
from mucode.yaml_files import load_yaml

MISSING = "missing"


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One thing that is not as recorded; `recorded` and `found` are digests or what dvc.lock says."""

    what: str
    recorded: str
    found: str


def stages_of(lock: bytes, name: str) -> dict[str, Any]:
    """The stages of a dvc.lock.

    Raises:
        MucodeError: it is none.
    """
    try:
        stages = load_yaml(lock)["stages"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise MucodeError(f"{name} is no dvc.lock: restore it, or name another run") from error
    return dict(stages)


def differing_files(recorded: Mapping[str, Any], workspace: Path) -> list[Difference]:
    """The outs whose content on disk, hashed here and now, is not the recorded one."""
    found = ((path, md5, md5_of(workspace / path)) for path, md5 in outs_of(recorded).items())
    return sorted(Difference(path, md5, on_disk or MISSING) for path, md5, on_disk in found if md5 != on_disk)


def differing_entries(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    """What the two locks say differently about a stage's command, parameters, dependencies and outs.

    A dependency on a folder of other stages' outs says nothing that these do not, and holds what stages that are gone left.
    """
    before, after = dict(_entries(recorded)), dict(_entries(found))
    names = sorted(before.keys() | after.keys())
    return [
        Difference(name, before.get(name, MISSING), after.get(name, MISSING))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _entries(stages: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    folders = {folder.as_posix() for out in outs_of(stages) for folder in PurePath(out).parents}
    for name, stage in stages.items():
        yield f"{name}: command", str(stage["cmd"])
        for kind in ("deps", "outs"):
            entries = (entry for entry in stage.get(kind, []) if entry["path"] not in folders)
            yield from ((f"{name}: {kind} {entry['path']}", str(entry.get("md5"))) for entry in entries)
        for file, values in stage.get("params", {}).items():
            yield from ((f"{name}: {file} {key}", str(value)) for key, value in values.items())

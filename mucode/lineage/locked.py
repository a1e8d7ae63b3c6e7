"""What dvc.lock says the files are."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mucode.shards import EDITORS
from mucode.types import MucodeError

IGNORED = (
    ".*.writing",
    "__pycache__",
    "*.pyc",
    ".gitignore",
    *EDITORS,
)  # as .dvcignore tells DVC: what a killed stage leaves, ...


def outs_of(stages: Mapping[str, Any]) -> dict[str, str]:
    """path -> DVC's md5 (a folder's ends in ".dir"), of the outs of a dvc.lock's stages."""
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}


def other_parameters(stage: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[str]:
    """Of the parameters that a dvc.lock's stage ran with, those that are otherwise now; dotted names."""
    ran = ((name, value) for values in stage.get("params", {}).values() for name, value in values.items())
    return [name for name, value in ran if not _equal(value, _value(parameters, name))]


def _value(parameters: Mapping[str, Any], name: str) -> Any:
    value: Any = parameters
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _equal(ran: Any, now: Any) -> bool:
    """Whether two values are the same to DVC, whose YAML reads 1e-05 as a number; the parser in C reads a text."""
    if isinstance(ran, str) and isinstance(now, float):
        with contextlib.suppress(ValueError):
            return float(ran) == now
    if isinstance(ran, Mapping) and isinstance(now, Mapping):
        return ran.keys() == now.keys() and all(_equal(ran[key], now[key]) for key in ran)
    if isinstance(ran, list) and isinstance(now, list):
        return len(ran) == len(now) and all(map(_equal, ran, now))
    return bool(ran == now)


def md5_of(path: Path) -> str | None:
    """What DVC's md5 of this file or folder is; None where there is none."""
    if path.is_dir():
        return folder_md5(path)
    return _file_md5(path) if path.is_file() else None


def folder_md5(folder: Path, known: Mapping[str, str] | None = None) -> str:
    """What DVC's md5 of this folder is: the md5 of the sorted list of its files with theirs; those that DVC ignores
    don't count. `known`: md5s that files had, by their place in the folder.

    Raises:
        MucodeError: there is no such folder.
    """
    if not folder.is_dir():
        raise MucodeError(f"{folder} is missing: run `dvc repro` or `dvc pull`")
    inside = [path for path in folder.rglob("*") if path.is_file()]
    files = [path for path in inside if not any(map(_ignored, path.relative_to(folder).parts))]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    entries = [{"md5": (known or {}).get(name) or _file_md5(path), "relpath": name} for name, path in names.items()]
    listing = json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True)
    return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _ignored(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in IGNORED)


def _file_md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

"""What dvc.lock says the files are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mucode.config import load_yaml
from mucode.types import MucodeError

HALF_WRITTEN = ".*.writing"  # what a killed stage leaves; DVC is told by .dvcignore


def locked_hashes(lock: Path) -> dict[str, str]:
    """path -> DVC's md5 (a folder's ends in ".dir"), of every out that dvc.lock records.

    Raises:
        MucodeError: there is no dvc.lock.
    """
    if not lock.exists():
        raise MucodeError(f"{lock} is missing: run the graph first, with `make quickstart` or `dvc repro`")
    return outs_of(load_yaml(lock.read_text())["stages"])


def outs_of(stages: Mapping[str, Any]) -> dict[str, str]:
    """path -> DVC's md5, of the outs of a dvc.lock's stages."""
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}


def md5_of(path: Path) -> str | None:
    """What DVC's md5 of this file or folder is; None where there is none."""
    if path.is_dir():
        return folder_md5(path)
    return _file_md5(path) if path.is_file() else None


def folder_md5(folder: Path) -> str:
    """What DVC's md5 of this folder is: the md5 of the sorted list of its files with theirs; half-written ones don't count.

    Raises:
        MucodeError: there is no such folder.
    """
    if not folder.is_dir():
        raise MucodeError(f"{folder} is missing: run `dvc repro` or `dvc pull`")
    inside = [path for path in folder.rglob("*") if path.is_file()]
    files = [path for path in inside if not any(fnmatch(part, HALF_WRITTEN) for part in path.relative_to(folder).parts)]
    entries = [{"md5": _file_md5(path), "relpath": path.relative_to(folder).as_posix()} for path in files]
    listing = json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True)
    return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _file_md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

"""The file of collected problems held against the version that DVC's pointer names."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mucode.types import MucodeError
from mucode.workspace import COLLECTED, POINTER
from mucode.yaml_files import read_yaml


def require_version(workspace: Path) -> None:
    """Hold that a workspace has the collected problems that came with its commit, and perhaps some more.

    The file only ever grows, so it begins with the very bytes that the pointer was made of. Training or collecting
    without them would record a run that lacks them, and the next `dvc add` would drop them from version control.

    Raises:
        MucodeError: it has not: they are on a DVC remote still, or in the cache.
    """
    file, pointer = workspace / COLLECTED, workspace / POINTER
    for out in read_yaml(pointer).get("outs", []) if pointer.exists() else []:
        begins = file.read_bytes()[: out["size"]] if file.exists() else b""
        if hashlib.md5(begins, usedforsecurity=False).hexdigest() != out["md5"]:
            raise MucodeError(
                f"{file} is not what {pointer.name} points at: run `dvc pull {POINTER}` in {workspace.resolve()} "
                "(`dvc checkout` where no remote is set), then run again; rows that were corrected or taken out on "
                f"purpose become the version by `dvc add {COLLECTED}`"
            )

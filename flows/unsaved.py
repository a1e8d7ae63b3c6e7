"""Work that a stage has done and DVC could not save, for want of disk space: kept, and taken over by the next run.

Left to itself, DVC would delete it and run the stage again. What is taken over is exactly what the stage left: whatever it
read and wrote is noted by content when saving fails, and has to be the same when it is saved.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from flows.commands import Finished, dvc, run_visibly
from mucode.shards import digest

FOLDER = Path(".mucode/unsaved")
ROOM = 1 << 16  # bytes that a note may need, taken before the stage runs: after that the disk may be full


def reserve(workspace: Path, stage: str) -> None:
    """Take room for a note; without any there will be nothing to take over."""
    path = _note(workspace, stage)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b" " * ROOM)


def forget(workspace: Path, stage: str) -> None:
    _note(workspace, stage).unlink(missing_ok=True)


def only_unsaved(finished: Finished) -> bool:
    """Whether the stage itself ended well and DVC failed after it."""
    ran = any(line.startswith("Running stage") for line in finished.lines)
    return finished.returncode > 0 and ran and not any("failed to run: " in line for line in finished.lines)


def note(workspace: Path, stage: str) -> None:
    """Note by content what the stage has read and written, in the room that was reserved."""
    path = _note(workspace, stage)
    content = json.dumps(_contents(workspace, stage)).encode()
    if path.exists() and len(content) <= ROOM:
        with path.open("r+b") as file:
            file.write(content)


def take_over(workspace: Path, stage: str, log: Path) -> Finished | None:
    """Have DVC save what an earlier run left; None if that is not what it was, so that DVC runs the stage again.

    Where DVC cannot save it this time either, the note stays for the next run.
    """
    noted = _noted(_note(workspace, stage))
    if noted is None or noted != _contents(workspace, stage):
        return None
    return run_visibly(dvc("commit", "--force", stage), workspace, log)


def _noted(path: Path) -> Any:
    """What a note says; None where there is none yet, or one that was cut short."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _contents(workspace: Path, name: str) -> dict[str, str]:
    """The stage's command, and a digest of each file and folder that it names; the whole of params.yaml among them."""
    from dvc.repo import Repo

    with Repo(str(workspace)) as repo:
        [stage] = [each for each in repo.index.stages if getattr(each, "name", "") == name]
        paths = sorted({Path(each.fs_path) for each in [*stage.deps, *stage.outs]})
        return {"cmd": str(stage.cmd), **{str(path): digest(path) if path.exists() else "" for path in paths}}


def _note(workspace: Path, stage: str) -> Path:
    return workspace / FOLDER / f"{stage}.json"

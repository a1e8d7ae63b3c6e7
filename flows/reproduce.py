"""`make reproduce RUN=...`: a run made again from what was recorded of it, beside the user's tree, and compared.

RUN is a run branch, a tag, a commit, or the id of a run in MLflow. The commit is checked out into a worktree of its own.
What the default DVC remote has is pulled, the rest, or with REBUILD=1 all of it, is made anew by `dvc repro`. Then every
file is hashed and held against the recorded dvc.lock. Exit status 0: nothing differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from flows.commands import Finished, dvc, run_visibly
from flows.graph import closure
from flows.recovery import mend
from flows.remotes import CACHE, DvcRemotes, idle_advice
from flows.stage import culprit, log_of
from flows.worktree import FOLDER, check_out, leave, remove
from mucode.lineage import Git, repository_of
from mucode.lineage.compare import Difference, differing_entries, differing_files, stages_of
from mucode.lineage.find import Recorded, recorded_at, recorded_with
from mucode.lineage.git import without_credentials
from mucode.lineage.locked import outs_of
from mucode.processes import held
from mucode.tracking import tags_of, tracking_uri
from mucode.types import MucodeError
from mucode.workspace import DEFAULT, folder_of

INTERRUPTED = 130  # 128 + SIGINT, as shells count

ROUNDING = (
    "samples and weights are made anew to the byte only by the same packages on the same kind of processor: compare the "
    "tags `processor` and `version.*` of the run in MLflow"
)


def main() -> int:
    """Reproduce a run; 0 if it came out the same."""
    options = _options()
    root = Path.cwd().resolve()
    try:
        git = repository_of(root)
        if git is None:
            raise MucodeError(
                f"{root} is no clone of the repository, so no commit can be checked out: clone it with git"
            )
        with held(root / ".mucode/reproduce.lock", "another `make reproduce` is at work here: wait for it"):
            recorded = find(options.run, git, root if options.size == DEFAULT else folder_of(options.size, root))
            return reproduce(recorded, git, rebuild=options.rebuild, keep=options.keep)
    except MucodeError as error:
        sys.stderr.write(f"mucode: {error}\n")
        return 1
    except OSError as error:
        reason = error.strerror or error
        sys.stderr.write(f"mucode: {error.filename or 'the system'}: {reason}; mend that and run again\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("mucode: stopped; what is finished is kept, run again to continue\n")
        return INTERRUPTED


def find(run: str, git: Git, workspace: Path) -> Recorded:
    """The commit of a run.

    Args:
        run: what git knows, or the id of an MLflow run.
        workspace: whose MLflow is asked.

    Raises:
        MucodeError: neither git nor MLflow knows it, or its dvc.lock is in no commit.
    """
    if (recorded := recorded_at(git, run)) is not None:
        return recorded
    tags = tags_of(run, workspace)
    if tags is None:
        asked = without_credentials(tracking_uri(workspace))
        raise MucodeError(
            f"no branch, tag or commit here and no run in MLflow at {asked} is called "
            f"{run!r}: correct the name, fetch the branch, or say whose MLflow knows the run: MLFLOW_TRACKING_URI names a "
            "server, without it SIZE=... a workspace"
        )
    if "dvc_lock_sha256" not in tags:
        raise MucodeError(f"run {run} says no dvc.lock that it belongs to: name a run that `mucode register` made")
    recorded = recorded_with(git, tags.get("git_commit"), tags["dvc_lock_sha256"])
    if recorded is None:
        raise MucodeError(
            f"no commit here holds the dvc.lock of run {run} (sha256 {tags['dvc_lock_sha256'][:12]}): fetch the run branch, "
            "or in the workspace where it ran commit dvc.lock with `mucode branch`"
        )
    return recorded


def reproduce(recorded: Recorded, git: Git, *, rebuild: bool, keep: bool) -> int:
    """Check out, pull or make anew, compare; 0 if nothing differs."""
    locked, source = recorded.stages(git), git.root / recorded.place
    remotes = DvcRemotes.of(source if (source / ".dvc").is_dir() else git.root)
    pulls = remotes.default is not None and not rebuild
    folder = git.root / FOLDER / f"{recorded.commit[:12]}{'' if pulls else '-anew'}"
    workspace = check_out(recorded, git, folder, locked=pulls)
    remotes.hand_over(workspace)
    if pulls:
        _dvc("pull", ["--force"], workspace)  # what it does not have is made below
    _fetch_inputs(workspace, remotes.default)
    made = _dvc("repro", [], workspace)
    if made.returncode != 0:
        raise MucodeError(f"dvc repro in {workspace}: {culprit(made)}; run again to continue")
    now, names = stages_of((workspace / "dvc.lock").read_bytes(), str(workspace / "dvc.lock")), closure(workspace)
    stages = _those_of(names, locked)
    found = differing_files(stages, workspace) + differing_entries(stages, _those_of(names, now))
    way = f"pulled from the DVC remote {remotes.default}, the rest made anew" if pulls else "made anew"
    _say(f"\n{recorded.commit[:12]}, {recorded.place}: {way}\n")
    _say(_note(git, folder, left_out=len(locked) - len(stages)))
    _say(table(found, len(outs_of(stages))))
    if keep or found:
        leave(folder)
        _say(f"its files: {workspace}\n")
    else:
        remove(folder, git)
    return 1 if found else 0


def table(found: list[Difference], outs: int) -> str:
    """What differs, a line each; digests are shortened."""
    if not found:
        return f"all {outs} outs and every entry of dvc.lock are as recorded\n"
    rows = [("", "recorded", "found"), *((one.what, one.recorded[:40], one.found[:40]) for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, f"{len(found)} differences", *([ROUNDING] if any(map(_of_a_model, found)) else []), ""])


def _of_a_model(difference: Difference) -> bool:
    return difference.what.startswith(("data/rollouts/", "data/verifiers/", "data/generators/"))


def _those_of(names: Collection[str], stages: Mapping[str, Any]) -> dict[str, Any]:
    """The stages that there are; DVC keeps those that are gone, as of a study that was larger once, in dvc.lock."""
    return {name: stage for name, stage in stages.items() if name in names}


def _fetch_inputs(workspace: Path, default: str | None) -> None:
    """What no stage makes, the collected problems, also where all else is made anew: of the default remote (None: there is
    none), or of this repository's cache.

    Raises:
        MucodeError: neither has it.
    """
    for pointer in sorted((workspace / "data").rglob("*.dvc")):
        path = pointer.with_suffix("").relative_to(workspace)
        for remote in (default, CACHE):
            if remote is not None and not (workspace / path).exists():
                _dvc("pull", ["--remote", remote, f"{path}.dvc"], workspace)
        if not (workspace / path).exists():
            raise MucodeError(
                f"{path} is neither on a DVC remote nor cached here: `dvc push` it where it was collected"
            )


def _dvc(command: str, arguments: list[str], workspace: Path) -> Finished:
    mend(workspace)
    line = dvc(command, *arguments)
    return run_visibly(line, workspace, log_of(workspace, f"dvc-{command}"), left_out=idle_advice(workspace))


def _note(git: Git, folder: Path, left_out: int) -> str:
    name = "requirements.lock"
    here, there = ((root / name).read_text(encoding="utf-8") for root in (git.root, folder))
    packages = "" if here == there else f"note: the packages of that commit's {name} are not the installed ones\n"
    gone = (
        f"note: {left_out} stages of that dvc.lock are not in its dvc.yaml any more, and left out\n" if left_out else ""
    )
    return packages + gone


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make reproduce", description=__doc__)
    parser.add_argument("run", help="a run branch, a tag, a commit, or the id of a run in MLflow")
    parser.add_argument("--size", default=DEFAULT, help="whose MLflow knows it, or varied-... (default: %(default)s)")
    parser.add_argument("--rebuild", action="store_true", help="make everything anew, whatever the remote has")
    parser.add_argument("--keep", action="store_true", help="keep the worktree even if nothing differs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

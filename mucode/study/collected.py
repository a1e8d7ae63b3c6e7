"""What a piece leaves in git: its parameters and lock file, every search's choices, and an account of how it came about.
A piece that takes hours may be kept before its end: what has run of it is there, and what has not is named.

Weights, rollouts and samples stay with DVC. The choices are enough to make every table anew, intervals and paired
comparisons included.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from mucode.config import Config, load_config
from mucode.layout import Layout
from mucode.lineage.compare import stages_of
from mucode.records import SearchChoice, SearchSample, folder_written_whole, read_rows, write_json, write_rows
from mucode.report.sources import Folders, Material, Origin, Searches, read_material
from mucode.study.account import Account, account_of
from mucode.study.finished import done_stages, finished
from mucode.study.imitated import imitated
from mucode.study.meter import Spent, runs, together
from mucode.study.pieces import PIECES
from mucode.types import MucodeError
from mucode.yaml_files import load_yaml

SHARED = (
    "prepare",
    "base_model",
    "roll_out@base-",
    "train_verifier@base-",
    "fine_tune@",
)  # what pieces have in common, if both have it
PARAMS, LOCK, ACCOUNT, SPENT = "params.yaml", "dvc.lock", "account.json", "spent.json"
CLOSED = "closed"  # a file with a sentence why nothing more of the piece can run: what was kept of it stays as it is
FIRST = "first"  # the folder of the first turns' samples, without their text


@dataclass(frozen=True, slots=True)
class Collected:
    """A piece, read back."""

    name: str
    material: (
        Material  # without rollouts and trainings, of samples the first turns' alone: the account has what needs them
    )
    account: Account
    spent: Spent
    lock: Mapping[str, Any]  # dvc.lock's stages
    closed: str = ""  # why nothing more of it can run

    @property
    def to_come(self) -> tuple[str, ...]:
        """The groups of its plan ("mucode-1") whose searches on the test sets have not run yet."""
        plan = self.material.config.plan["benchmarks"]
        return tuple(group for group in plan if Origin.of(group) not in self.material.test)


def collect(workspace: Path, out: Path) -> tuple[str, ...]:
    """Keep the small files of what has run of a piece in the folder `out`, all that there are or none.

    Nothing changes if `out` holds the same already. What earlier runs have cost stays, wherever they ran.

    Returns:
        The groups whose searches on the test sets are kept; if there are none, nothing is written.

    Raises:
        MucodeError: a file of what has run is missing, or `out` is closed or holds searches that the workspace has no
            more, or other ones of.
    """
    if reason := why_closed(out):
        raise MucodeError(f"{out} is closed ({reason}): to begin the piece anew, move the folder away")
    lock = _read_lock(workspace / LOCK)
    whole = load_config(workspace / PARAMS)
    config = finished(whole, done_stages(workspace, lock.stages))
    groups = tuple(config.plan["benchmarks"])
    if lost := [
        group for group in whole.plan["benchmarks"] if (out / f"{group}.parquet").exists() and group not in groups
    ]:
        raise MucodeError(
            f"{out} holds searches of {', '.join(lost)} that {workspace} has no more, or of other code or parameters: "
            "finish the piece with `make study`, or move the folder away to begin anew"
        )
    _require_own(out, workspace, lock.stages)
    if not groups or _holds(out, workspace / PARAMS, lock.text, groups):
        return groups
    layout = Layout(workspace)
    folders = Folders(
        layout.problems,
        **{name: layout.outs(name) for name in ("datasets", "gates", "evaluations", "benchmarks")},
        **{name: layout.outs(name) for name in ("rollouts", "verifiers", "generators")},
    )
    material = read_material(folders, config)
    account = account_of(material, imitated(layout.outs("demonstrations"), config))
    cost = (_json(out / SPENT) if (out / SPENT).exists() else {}) | {n: c.as_json() for n, c in runs(workspace).items()}
    with folder_written_whole(out) as partial:
        shutil.copyfile(workspace / PARAMS, partial / PARAMS)
        (partial / LOCK).write_text(lock.text)
        for group in groups:
            shutil.copyfile(layout.benchmark(group) / "choices.parquet", partial / f"{group}.parquet")
            samples = material.test[Origin.of(group)].samples
            write_rows(partial / FIRST / f"{group}.parquet", first_turns(samples), SearchSample)
        write_json(partial / ACCOUNT, account.as_json())
        write_json(partial / SPENT, cost)
    return groups


def read_collected(folder: Path) -> Collected:
    """Read what `collect` kept; the searches that have no file yet are to come.

    Raises:
        MucodeError: its parameters, lock file or account are missing or not valid.
    """
    config = load_config(folder / PARAMS)
    groups = [group for group in config.plan["benchmarks"] if (folder / f"{group}.parquet").exists()]
    try:
        test = {Origin.of(group): _searches(folder, group) for group in groups}
        material = Material(config, {}, (), {}, {}, test, ())
        account, cost = Account.from_json(_json(folder / ACCOUNT)), [Spent(**c) for c in _json(folder / SPENT).values()]
    except (TypeError, KeyError, ValueError, FileNotFoundError) as error:
        raise MucodeError(
            f"{folder} was collected by another version ({error}): `make results` collects it anew where its workspace "
            "is; elsewhere use that version"
        ) from error
    lock = load_yaml((folder / LOCK).read_text()).get("stages", {})
    return Collected(folder.name, material, account, together(cost), lock, why_closed(folder))


def why_closed(folder: Path) -> str:
    """Why nothing more of the piece kept there can run, in the words of the person who closed it; "" if it is open."""
    return " ".join((folder / CLOSED).read_text(encoding="utf-8").split()) if (folder / CLOSED).exists() else ""


def is_current(folder: Path) -> bool:
    """Whether this version can read what was collected."""
    try:
        read_collected(folder)
    except MucodeError:
        return False
    return True


def _searches(folder: Path, group: str) -> Searches:
    choices, first = folder / f"{group}.parquet", folder / FIRST / f"{group}.parquet"
    if not first.exists():
        raise FileNotFoundError(f"no {first.relative_to(folder)}")
    return Searches(tuple(read_rows(first, SearchSample)), tuple(read_rows(choices, SearchChoice)))


def read_study(folder: Path) -> list[Collected]:
    """All pieces collected below a folder, in the study's order.

    Raises:
        MucodeError: there is none, or they are not of one model, or what they should share is not the same.
    """
    found = [read_collected(folder / piece.name) for piece in PIECES if (folder / piece.name / PARAMS).exists()]
    if not found:
        raise MucodeError(f"{folder} holds nothing of a piece: `make study` makes them")
    first, *others = found
    for other in others:
        require_model(folder, first, other.material.config)
    for one, other in combinations(found, 2):
        _require_shared(one, other)
    return found


def require_model(folder: Path, first: Collected, config: Config) -> None:
    """Refuse a piece of another model than the first that was collected.

    Raises:
        MucodeError: it has another one.
    """
    if config.model != first.material.config.model:
        raise MucodeError(
            f"this piece is of {config.model.setting}, {folder / first.name} of {first.material.config.model.setting}: "
            "run it with that model (MUCODE_STUDY_MODEL names a local one, and is unset for the hub's)"
        )


def first_turns(samples: Sequence[SearchSample]) -> list[SearchSample]:
    """What a selector looks at in the first turn, and the reward: the samples without their text."""
    return [
        replace(row, program=None if row.program is None else "")
        for row in samples
        if row.turn == 1 and row.candidate >= 0
    ]


def _require_own(out: Path, workspace: Path, stages: Mapping[str, Any]) -> None:
    """Searches that were kept are replaced by no others: these may be all that is left of hours."""
    if not (out / LOCK).exists():
        return
    for stage, kept in stages_of((out / LOCK).read_bytes(), str(out / LOCK)).items():
        file = out / f"{stage.removeprefix('benchmark@')}.parquet"
        if file.exists() and stage in stages and _outs(kept) != _outs(stages[stage]):
            raise MucodeError(
                f"{workspace} has another {stage} than the one that {file} was kept of: to keep the new one, remove that "
                f"file; to keep the old ones and run the piece no more, write a sentence why into {out / CLOSED}"
            )


def _require_shared(one: Collected, other: Collected) -> None:
    """Methods are to differ by their generators alone: rollouts and verifier of a seed are the same in all pieces, and so
    is what a method has learned from them."""
    same_loss = one.material.config.verifier.loss == other.material.config.verifier.loss
    for stage in sorted(one.lock.keys() & other.lock.keys()):
        shared = stage.startswith(SHARED) and (same_loss or not stage.startswith(("train_verifier@", "fine_tune@")))
        if shared and _outs(one.lock[stage]) != _outs(other.lock[stage]):
            raise MucodeError(
                f"{other.name} has another {stage} than {one.name}, so the two cannot be compared: run both again with "
                "the same code, parameters and DVC cache"
            )


def _outs(stage: Mapping[str, Any]) -> dict[str, str]:
    return {out["path"]: out["md5"] for out in stage.get("outs", ())}


def _holds(out: Path, params: Path, lock: str, groups: Sequence[str]) -> bool:
    kept = [out / PARAMS, out / LOCK, *(out / place / f"{g}.parquet" for g in groups for place in ("", FIRST))]
    if not all(path.exists() for path in kept) or not is_current(out):
        return False
    return (out / PARAMS).read_bytes() == params.read_bytes() and (out / LOCK).read_text() == lock


@dataclass(frozen=True, slots=True)
class _Lock:
    """A dvc.lock, read once."""

    text: str
    stages: Mapping[str, Any]


def _read_lock(path: Path) -> _Lock:
    if not path.exists():
        raise MucodeError(f"{path} is missing: run the piece with `make study` first")
    text = path.read_text()
    try:
        return _Lock(text, stages_of(text.encode(), str(path)))
    except MucodeError as error:
        raise MucodeError(f"{path} is being written, or is damaged: give the command again") from error


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise MucodeError(f"{path} is missing: collect the piece anew with `make study`")
    values: dict[str, Any] = json.loads(path.read_bytes())
    return values

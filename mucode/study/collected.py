"""What a piece leaves in git: its parameters and lock file, every search's choices, and an account of how it came about.

Weights, rollouts and samples stay with DVC. The choices are enough to make every table anew, intervals and paired
comparisons included.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mucode.config import load_config
from mucode.layout import Layout
from mucode.records import SearchChoice, folder_written_whole, read_rows, write_json
from mucode.report.sources import Folders, Material, Origin, Searches, read_material
from mucode.study.account import Account, account_of
from mucode.study.meter import Spent, spent
from mucode.study.pieces import PIECES
from mucode.types import MucodeError

PARAMS, LOCK, ACCOUNT, SPENT = "params.yaml", "dvc.lock", "account.json", "spent.json"


@dataclass(frozen=True, slots=True)
class Collected:
    """A finished piece, read back."""

    name: str
    material: Material  # without rollouts, trainings and samples: what needs them is in the account
    account: Account
    spent: Spent


def collect(workspace: Path, out: Path) -> None:
    """Keep a finished piece's small files in the folder `out`, whole or not at all.

    Raises:
        MucodeError: the piece is not finished: one of its files is missing.
    """
    config = load_config(workspace / PARAMS)
    layout = Layout(workspace)
    folders = Folders(
        layout.problems,
        **{name: layout.outs(name) for name in ("datasets", "gates", "evaluations", "benchmarks")},
        **{name: layout.outs(name) for name in ("rollouts", "verifiers", "generators")},
    )
    material = read_material(folders, config)
    if not (workspace / LOCK).exists():
        raise MucodeError(f"{workspace / LOCK} is missing: run the piece with `make study` first")
    with folder_written_whole(out) as partial:
        for name in (PARAMS, LOCK):
            shutil.copyfile(workspace / name, partial / name)
        for group in config.plan["benchmarks"]:
            shutil.copyfile(layout.benchmark(group) / "choices.parquet", partial / f"{group}.parquet")
        write_json(partial / ACCOUNT, account_of(material).as_json())
        write_json(partial / SPENT, spent(workspace).as_json())


def read_collected(folder: Path) -> Collected:
    """Read what `collect` kept.

    Raises:
        MucodeError: a file is missing, or its parameters are not valid.
    """
    config = load_config(folder / PARAMS)
    test = {
        Origin.of(group): Searches((), tuple(read_rows(folder / f"{group}.parquet", SearchChoice)))
        for group in config.plan["benchmarks"]
    }
    material = Material(config, {}, (), {}, {}, test, ())
    account, cost = (_json(folder / name) for name in (ACCOUNT, SPENT))
    return Collected(folder.name, material, Account.from_json(account), Spent(**cost))


def read_study(folder: Path) -> list[Collected]:
    """All pieces collected below a folder, in the study's order.

    Raises:
        MucodeError: there is none, or they are not of one model.
    """
    found = [read_collected(folder / piece.name) for piece in PIECES if (folder / piece.name / PARAMS).exists()]
    if not found:
        raise MucodeError(f"{folder} holds no finished piece: `make study` makes them")
    first, *others = found
    for other in others:
        if other.material.config.model != first.material.config.model:
            raise MucodeError(
                f"{folder / other.name} is of {other.material.config.model.setting}, {first.name} of "
                f"{first.material.config.model.setting}: remove one of the two and run it with the other's model"
            )
    return found


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise MucodeError(f"{path} is missing: collect the piece anew with `make study`")
    values: dict[str, Any] = json.loads(path.read_text())
    return values

"""What lies in data/, held against dvc.lock.

A run that stops between two stages leaves results of the pair before it: whole files in their places, about other weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mucode.lineage.compare import stages_of
from mucode.lineage.locked import md5_of, other_parameters, outs_of
from mucode.types import MucodeError
from mucode.yaml_files import read_yaml


@dataclass(frozen=True, slots=True)
class Recorded:
    """A workspace's dvc.lock, and its parameters as they are now."""

    workspace: Path
    hashes: Mapping[str, str]  # path -> DVC md5, of every out
    stages: Mapping[str, Mapping[str, Any]]  # the same paths -> the stage that writes there
    params: Mapping[str, Any]  # of params.yaml

    def has(self, out: str) -> bool:
        """Whether what lies there is the recorded out."""
        return out in self.hashes and md5_of(self.workspace / out) == self.hashes[out]

    def require(self, out: str) -> None:
        """Refuse an out that is not the recorded one.

        Raises:
            MucodeError: it is not, by name.
        """
        if not self.has(out):
            raise MucodeError(f"{self.workspace / out} is not the one that dvc.lock records: run `dvc repro`")

    def require_current(self, out: str, known: Mapping[str, str]) -> None:
        """Refuse an out whose stage read other data than there are now.

        Args:
            out: "data/benchmarks/mucode-0".
            known: path -> DVC md5 now, of what a stage may have read besides whole outs: a part of one, a folder of several.

        Raises:
            MucodeError: it did, by name.
        """
        now = {**self.hashes, **known}
        for dep in self._stage(out).get("deps", []):
            if now.get(dep["path"], dep["md5"]) != dep["md5"]:
                self._refuse(out, dep["path"])

    def require_parameters(self, out: str) -> None:
        """Refuse an out that was made with other parameters than there are now.

        Raises:
            MucodeError: it was, by name.
        """
        if others := other_parameters(self._stage(out), self.params):
            self._refuse(out, f"params.yaml's {others[0]}")

    def _stage(self, out: str) -> Mapping[str, Any]:
        if out not in self.stages:
            raise MucodeError(f"dvc.lock records no {self.workspace / out}: run `dvc repro`")
        return self.stages[out]

    def _refuse(self, out: str, read: str) -> NoReturn:
        raise MucodeError(f"{self.workspace / out} was made with another {read} than there is now: run `dvc repro`")


def read_recorded(workspace: Path) -> Recorded:
    """A workspace's dvc.lock.

    Raises:
        MucodeError: there is none, or what lies there is none, as after a merge that stopped at a conflict.
    """
    lock = workspace / "dvc.lock"
    if not lock.exists():
        raise MucodeError(f"{lock} is missing: run the graph first, with `make quickstart` or `dvc repro`")
    stages = stages_of(lock.read_bytes(), str(lock))
    by_out = {out["path"]: stage for stage in stages.values() for out in stage.get("outs", [])}
    return Recorded(workspace, outs_of(stages), by_out, read_yaml(workspace / "params.yaml"))

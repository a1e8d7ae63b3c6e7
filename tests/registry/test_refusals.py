"""An unfinished or changed graph is not registered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mucode.parameters import with_plan
from mucode.records import SearchChoice, write_rows
from mucode.registry import register
from mucode.types import MucodeError
from tests.registry.workspace import PAIR, weights, write_lock, write_workspace


def spoil_weights(folder: Path) -> None:
    (folder / "data/selected/mucode-0/generator/weights.txt").write_text("changed")


def spoil_base(folder: Path) -> None:
    weights(folder / "data/selected/mucode-0/verifier", "v1", base="decaf")
    write_lock(folder)


def spoil_lock(folder: Path) -> None:
    lock = folder / "dvc.lock"
    lock.write_text(f"<<<<<<< HEAD\n{lock.read_text()}=======\n{lock.read_text()}>>>>>>> run\n")


def spoil_timeout(folder: Path) -> None:
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("timeout: 5.0", "timeout: 6.0"))


def train_nothing(folder: Path) -> None:
    params = folder / "params.yaml"
    params.write_text(with_plan(params.read_text().replace("methods: [mucode]", "methods: [instruct]"), params))


def stopped_before(out: str, read: str) -> Callable[[Path], None]:
    """What a run leaves that made a new `read` and stopped before the stage that writes `out`."""

    def spoil(folder: Path) -> None:
        lock = folder / "dvc.lock"
        values = yaml.safe_load(lock.read_text())
        (stage,) = (each for each in values["stages"].values() if out in [entry["path"] for entry in each["outs"]])
        (dep,) = (entry for entry in stage["deps"] if entry["path"] == read)
        dep["md5"] = "f" * 32
        lock.write_text(yaml.safe_dump(values))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "dvc.lock").unlink(), "dvc.lock is missing"),
        (spoil_lock, "dvc.lock is no dvc.lock: restore it"),
        (lambda folder: (folder / "data/reports/results.json").unlink(), "results.json is missing"),
        (spoil_weights, "is not the data/generators/mucode-0/1 that dvc.lock records"),
        (spoil_base, "different bases"),
        (
            lambda folder: write_rows(folder / "data/benchmarks/mucode-0/choices.parquet", [], SearchChoice),
            "data/benchmarks/mucode-0 is not the one that dvc.lock records",
        ),
        (
            stopped_before("data/evaluations/mucode-0/1", PAIR["verifier"]),
            "evaluations/mucode-0/1 was made with another data/verifiers/base-0 than there is now",
        ),
        (
            stopped_before("data/selected/mucode-0", "data/evaluations/mucode-0"),
            "selected/mucode-0 was made with another data/evaluations/mucode-0 than",
        ),
        (
            stopped_before("data/benchmarks/mucode-0", "data/selected/mucode-0/generator"),
            "benchmarks/mucode-0 was made with another data/selected/mucode-0/generator",
        ),
        (stopped_before("data/reports", "data/benchmarks"), "reports was made with another data/benchmarks"),
        (train_nothing, "no method of study.methods trains"),
        (spoil_timeout, "was made with another params.yaml's execution than there is now"),
    ],
)
def test_an_unfinished_or_changed_graph_is_refused_before_anything_is_registered(
    spoil: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    write_workspace(tmp_path, generator="g1", verifier="v1", validation=[1.0])
    spoil(tmp_path)
    with pytest.raises(MucodeError, match=sentence):
        register(tmp_path)
    assert not (tmp_path / "mlflow.db").exists()
    assert not (tmp_path / ".mucode").exists()

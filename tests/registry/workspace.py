"""A workspace whose graph has run, and what the registry holds after it."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mucode.config import load_config
from mucode.lineage.locked import folder_md5, md5_of
from mucode.records import SearchChoice, write_json, write_rows
from mucode.registry import register
from mucode.registry.trail import Entry, entries
from mucode.tracking import open_registry
from mucode.tracking.models import NAMES, Kind
from mucode.tracking.server import mlflow_at
from mucode.types import Answer, Problem, Test
from tests.conftest import make_problem

PROBLEM = make_problem("double")
RIGHT, WRONG = "def double(x):\n    return 2 * x\n", "def double(x):\n    return x\n"
ROOT = Path(__file__).resolve().parents[2]
PAIR = {"generator": "data/generators/mucode-0/1", "verifier": "data/verifiers/base-0"}


def choices(benchmark: str, rewards: Sequence[float], selectors: Sequence[str] = ("lv", "pt+lv")) -> list[SearchChoice]:
    return [
        SearchChoice(benchmark, f"starter/{number}", 0, selector, 4, 1, "s", 0, True, reward, True)
        for selector in selectors
        for number, reward in enumerate(rewards)
    ]


def weights(folder: Path, content: str, base: str = "c0ffee") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.txt").write_text(content)
    write_json(folder / "trained.json", {"base_sha256": base})


def write_workspace(
    folder: Path,
    *,
    generator: str,
    verifier: str,
    validation: Sequence[float],
    test: Sequence[float] = (1.0, 0.0),
    blind: Sequence[float] = (),
) -> None:
    """What the graph leaves for `register`, with stand-ins for weights."""
    selected = folder / "data/selected/mucode-0"
    weights(selected / "generator", generator)
    weights(selected / "verifier", verifier)
    finish_workspace(folder, validation, test, blind)


def crown_two(folder: Path) -> None:
    """Register a pair that solves nothing and one that solves all: 1/1 was champion, 2/2 is."""
    for name, solved in (("1", 0), ("2", 12)):
        rewards = [1.0] * solved + [0.0] * (12 - solved)
        write_workspace(folder, generator=f"g{name}", verifier=f"v{name}", validation=rewards)
        register(folder)


def finish_workspace(
    folder: Path, validation: Sequence[float], test: Sequence[float], blind: Sequence[float] = ()
) -> None:
    """The rest, about whatever weights are in place; `blind`: what came of searches without public tests."""
    (folder / "mlflow").mkdir(parents=True, exist_ok=True)
    for name in ("promotion.yaml", "model_card.md"):
        shutil.copy(ROOT / "mlflow" / name, folder / "mlflow" / name)
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    write_problems(folder, max(len(validation), len(test), len(blind)))
    selected = folder / "data/selected/mucode-0"
    write_json(selected / "selection.json", {**PAIR, "accuracies": {"1": 0.5}})
    write_rows(
        folder / "data/evaluations/mucode-0/1/choices.parquet", choices("starter/validation", validation), SearchChoice
    )
    tests = choices("starter/test", test) + choices("starter/test/no-public-tests", blind, ["random", "lv"])
    write_rows(folder / "data/benchmarks/mucode-0/choices.parquet", tests, SearchChoice)
    row = {"method": "mucode", "seed": 0, "benchmark": "starter/test", "selector": "pt+lv", "n": 4, "turns": 2}
    found = {
        "metric": "bon",
        "accuracy": 0.5,
        "ci_low": 0.1,
        "ci_high": 0.9,
        "problems": 2,
        "searches": 1,
        "headline": True,
    }
    write_json(
        folder / "data/reports/results.json", [row | found, row | found | {"method": "instruct", "ci_high": 0.77}]
    )
    write_json(folder / "data/gates/base-0.json", {"passed": True})
    write_lock(folder)


def write_problems(folder: Path, number: int, harder: int | None = None) -> None:
    """Problems starter/0, starter/1, ...; one of them may have another private test than usual."""
    problems = [dataclasses.replace(PROBLEM, id=f"starter/{n}") for n in range(number)]
    tests = [(Test(f"assert double(2) == {5 if n == harder else 4}"),) for n in range(number)]
    answers = [Answer(problem.id, private, RIGHT) for problem, private in zip(problems, tests, strict=True)]
    write_rows(folder / "data/problems.parquet", problems, Problem)
    write_rows(folder / "data/answers.parquet", answers, Answer)


def write_lock(folder: Path) -> None:
    """dvc.lock as `dvc repro` leaves it: every stage has read and written what lies there now."""
    selected = {f"data/selected/mucode-0/{kind}": path for kind, path in PAIR.items()}
    elsewhere = {path: folder_md5(folder / copy) for copy, path in selected.items()}
    elsewhere |= {"data/datasets/base-0.parquet": "d" * 32}
    read_and_written: dict[str, tuple[list[str], list[str]]] = {
        "prepare": ([], ["data/problems.parquet", "data/answers.parquet"]),
        "train": ([], list(elsewhere)),
        "validate@base-0": ([], ["data/gates/base-0.json"]),
        "evaluate@mucode-0-1": (list(PAIR.values()), ["data/evaluations/mucode-0/1"]),
        "select@mucode-0": (["data/evaluations/mucode-0"], ["data/selected/mucode-0"]),
        "benchmark@mucode-0": (list(selected), ["data/benchmarks/mucode-0"]),
        "report": (["data/benchmarks"], ["data/reports"]),
    }

    def entries_of(paths: Sequence[str]) -> list[dict[str, str | None]]:
        return [{"path": path, "hash": "md5", "md5": elsewhere.get(path) or md5_of(folder / path)} for path in paths]

    execution = load_config(folder / "params.yaml").execution.model_dump()
    stages = {
        name: {"deps": entries_of(deps), "params": {"params.yaml": {"execution": execution}}, "outs": entries_of(outs)}
        for name, (deps, outs) in read_and_written.items()
    }
    (folder / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))


def champions(folder: Path) -> dict[str, int | None]:
    with open_registry(folder) as registry:
        kinds: tuple[Kind, Kind] = ("generator", "verifier")
        found = {kind: registry.aliased(kind, "champion") for kind in kinds}
    return {kind: version.number if version else None for kind, version in found.items()}


def set_champion(folder: Path, generator: int, verifier: int) -> None:
    """What a person does in MLflow's UI."""
    with mlflow_at(folder) as client:
        client.set_registered_model_alias("mucode-generator", "champion", str(generator))
        client.set_registered_model_alias("mucode-verifier", "champion", str(verifier))


def remove_champion(folder: Path) -> None:
    """What a person does in MLflow's UI to take the champion out of service."""
    with mlflow_at(folder) as client:
        for name in NAMES.values():
            client.delete_registered_model_alias(name, "champion")


def delete(folder: Path, kind: Kind, number: int) -> None:
    """What a person does in MLflow's UI."""
    with mlflow_at(folder) as client:
        client.delete_model_version(NAMES[kind], str(number))


def trail(folder: Path) -> list[Entry]:
    with open_registry(folder) as registry:
        return entries(registry)


def policy_digest(folder: Path) -> str:
    return hashlib.sha256((folder / "mlflow/promotion.yaml").read_bytes()).hexdigest()


def versions(folder: Path, kind: Kind = "generator") -> list[Any]:
    with mlflow_at(folder) as client:
        found = client.search_model_versions(f"name = '{NAMES[kind]}'")
    return sorted(found, key=lambda version: int(version.version))

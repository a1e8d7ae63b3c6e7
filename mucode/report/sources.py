"""What the report reads: every file of the study's plan, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mucode.config import BenchmarkSet, Config
from mucode.records import Experience, SearchChoice, SearchSample, Step, read_rows
from mucode.selection import best_pair
from mucode.types import MucodeError, Problem

BASE = "base"  # the plan's name for what precedes any method
BEFORE = "instruct"  # the method's name for it


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the stages' files lie."""

    problems: Path
    datasets: Path
    gates: Path
    evaluations: Path
    benchmarks: Path
    rollouts: Path
    verifiers: Path
    generators: Path | None  # None: the report says nothing about fine-tuning losses


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Whose work it is: a method's (`instruct`: before training) under one seed."""

    method: str
    seed: int

    @classmethod
    def of(cls, group: str) -> Origin:
        """From a plan's group, "mucode-0" or "base-0"."""
        method, seed = group.rsplit("-", 1)
        return cls(BEFORE if method == BASE else method, int(seed))


@dataclass(frozen=True)  # without slots, so that what is asked for again and again is sorted out once
class Searches:
    """Best-of-N searches of one generator with one verifier."""

    samples: tuple[SearchSample, ...]
    choices: tuple[SearchChoice, ...]

    def of(self, benchmark: str) -> Searches:
        return self._sets.get(benchmark, Searches((), ()))

    def by(self, selector: str, n: int) -> Sequence[SearchChoice]:
        """The choices of one way to search."""
        return self._policies.get((selector, n), ())

    @cached_property
    def _sets(self) -> dict[str, Searches]:
        names = dict.fromkeys([*(row.benchmark for row in self.samples), *(row.benchmark for row in self.choices)])
        return {
            name: Searches(
                tuple(row for row in self.samples if row.benchmark == name),
                tuple(row for row in self.choices if row.benchmark == name),
            )
            for name in names
        }

    @cached_property
    def _policies(self) -> dict[tuple[str, int], list[SearchChoice]]:
        policies: dict[tuple[str, int], list[SearchChoice]] = {}
        for row in self.choices:
            policies.setdefault((row.selector, row.n), []).append(row)
        return policies


@dataclass(frozen=True, slots=True)
class Round:
    """One round of rollouts, D_i: its steps with their labels, and what the gate saw."""

    key: str
    origin: Origin
    iteration: int  # i of D_i; its generator is pi_{i-1}
    steps: tuple[Step, ...]
    experiences: tuple[Experience, ...]
    gate: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Training:
    """A training's own account: training.json."""

    kind: str  # "verifier" | "generator"
    key: str
    losses: tuple[float, ...]  # of each epoch, the mean over its optimizer steps
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Material:
    """All that the report is made from."""

    config: Config
    problems: Mapping[str, Problem]
    rounds: tuple[Round, ...]
    validation: Mapping[Origin, Mapping[int, Searches]]  # by iteration; 0 is before training
    chosen: Mapping[Origin, int]  # the iteration that did best on validation
    test: Mapping[Origin, Searches]
    trainings: tuple[Training, ...]

    @property
    def benchmarks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(benchmark.name for benchmark in self.config.test_sets))

    def conditions(self, benchmark: str) -> BenchmarkSet:
        return next(each for each in self.config.problems.benchmarks if each.name == benchmark)

    def turns(self, method: str) -> int:
        """T of a method's rollouts and searches."""
        own, most = self.config.methods[method].turns, self.config.search.turns
        return min(own, most) if own else most

    def tests(self, method: str) -> list[tuple[int, Searches]]:
        """(seed, searches on the test sets); a method that trains nothing reads the base model's."""
        owner = method if self.config.methods[method].trains else BEFORE
        return [
            (origin.seed, found) for origin, found in sorted(self.test.items(), key=_origin) if origin.method == owner
        ]

    def seed_cell(self, cell: str) -> tuple[str, ...]:
        """A table's cell about the seed where there are several to tell apart; else none."""
        return (cell,) if len(self.config.study.seeds) > 1 else ()

    @property
    def trained(self) -> tuple[str, ...]:
        """The methods that train a generator."""
        return tuple(name for name in self.methods if self.config.methods[name].trains)

    @property
    def methods(self) -> tuple[str, ...]:
        """`instruct` first, then the study's methods."""
        return (BEFORE, *(name for name in self.config.study.methods if name != BEFORE))


def _origin(item: tuple[Origin, Searches]) -> Origin:
    return item[0]


def read_material(folders: Folders, config: Config) -> Material:
    """Read the files that the study's plan names; others in the same folders are left alone.

    Raises:
        MucodeError: a file is missing or of other columns.
    """
    plan = config.plan
    validation: dict[Origin, dict[int, Searches]] = {}
    for item in plan["evaluations"].values():
        group, iteration = item["out"].split("/")
        validation.setdefault(Origin.of(group), {})[int(iteration)] = _searches(folders.evaluations / item["out"])
    return Material(
        config=config,
        problems={problem.id: problem for problem in read_rows(folders.problems, Problem)},
        rounds=tuple(_round(folders, key, item) for key, item in plan["rollouts"].items()),
        validation=validation,
        chosen={
            Origin.of(g): int(best_pair(folders.evaluations / g, item["iterations"])[0].generator.name)
            for g, item in plan["selections"].items()
        },
        test={Origin.of(group): _searches(folders.benchmarks / group) for group in plan["benchmarks"]},
        trainings=tuple(_trainings(folders, plan)),
    )


def _searches(folder: Path) -> Searches:
    samples = read_rows(folder / "samples.parquet", SearchSample)
    return Searches(tuple(samples), tuple(read_rows(folder / "choices.parquet", SearchChoice)))


def _round(folders: Folders, key: str, item: Mapping[str, Any]) -> Round:
    iteration = item["iteration"]
    group = key if key.startswith(f"{BASE}-") else key.rsplit("-", 1)[0]
    experiences = read_rows(folders.datasets / f"{key}.parquet", Experience)
    return Round(
        key=key,
        origin=Origin.of(group),
        iteration=iteration,
        steps=tuple(read_rows(folders.rollouts / f"{key}.parquet", Step)),
        experiences=tuple(row for row in experiences if row.iteration == iteration),
        gate=_read_json(folders.gates / f"{key}.json"),
    )


def _trainings(folders: Folders, plan: Mapping[str, Mapping[str, Any]]) -> list[Training]:
    """Where a training left its account; the model folders of earlier versions have none."""
    named = [("verifier", key, folders.verifiers / item["out"]) for key, item in plan["verifiers"].items()]
    if folders.generators is not None:
        named += [("generator", key, folders.generators / item["out"]) for key, item in plan["generators"].items()]
    return [_training(kind, key, f / "training.json") for kind, key, f in named if (f / "training.json").exists()]


def _training(kind: str, key: str, path: Path) -> Training:
    account = _read_json(path)
    numbers = {name: value for name, value in account.items() if isinstance(value, int | float)}
    return Training(kind, key, tuple(account.get("losses", ())), numbers)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise MucodeError(f"{path} is missing: `dvc repro` makes it, `dvc pull` fetches it")
    values = json.loads(path.read_bytes())
    if not isinstance(values, dict):
        raise MucodeError(f"{path} holds no object: remove it and run `dvc repro`")
    return values

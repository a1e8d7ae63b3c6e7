"""A selected pair as it lies in data/: its files, what dvc.lock says they are, how they did, and its model cards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from mucode.config import Config
from mucode.layout import Layout
from mucode.lineage import lineage
from mucode.lineage.locked import folder_md5
from mucode.metrics import Bootstrap, estimate
from mucode.registry.card import measure, model_card
from mucode.registry.promotion import VALIDATION, Measured
from mucode.registry.recorded import Recorded, read_recorded
from mucode.registry.rewards import measured, problem_digests
from mucode.tracking.models import Kind, ModelFiles
from mucode.types import MucodeError


@dataclass(frozen=True, slots=True)
class SelectedPair:
    """The pair that a method and seed ended with."""

    workspace: Path
    group: str  # "mucode-0"
    generator: str  # where the two were trained: "data/generators/mucode-0/1"
    verifier: str
    hashes: Mapping[str, str]  # path -> DVC md5, of every out in dvc.lock
    base_sha256: str
    measured: Measured
    results: tuple[Mapping[str, Any], ...]  # the rows of results.json about this pair

    @property
    def generator_md5(self) -> str:
        return self.hashes[self.generator]

    @property
    def verifier_md5(self) -> str:
        return self.hashes[self.verifier]

    @property
    def method(self) -> str:
        return self.group.rpartition("-")[0]

    @property
    def seed(self) -> int:
        return int(self.group.rpartition("-")[2])

    @property
    def validation_accuracy(self) -> float:
        return fmean(fmean(rewards) for rewards in self.measured.sets[VALIDATION].values())

    def params(self, config: Config) -> dict[str, str]:
        """The numbers it was made with, flat."""
        numbers = {
            "model": config.model.setting,
            **{f"{self.method}.{k}": v for k, v in config.methods[self.method].model_dump().items()},
            **{f"rollout.{k}": v for k, v in config.rollout.model_dump().items()},
            **{f"verifier.{k}": v for k, v in config.verifier.model_dump().items()},
            **{f"fine_tune.{k}": v for k, v in config.fine_tune.model_dump().items()},
            **{f"search.{k}": v for k, v in config.search.model_dump().items()},
        }
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in numbers.items()}

    def metrics(self, config: Config) -> dict[str, float]:
        """The accuracies with their intervals, named for MLflow ("+" is not allowed there)."""
        bootstrap = Bootstrap(config.report.confidence, config.report.resamples)
        named: dict[str, float] = {f"{VALIDATION}/bon": self.validation_accuracy}
        if (found := estimate(self.measured.sets[VALIDATION], bootstrap)) is not None:
            named |= {f"{VALIDATION}/bon/low": found.low, f"{VALIDATION}/bon/high": found.high}
        for row in self.results:
            name = f"{row['benchmark']}/{measure(row)}".replace("+", " ").replace("@", " ")
            named |= {name: row["accuracy"], f"{name}/low": row["ci_low"], f"{name}/high": row["ci_high"]}
        return named

    def generator_files(self, config: Config) -> ModelFiles:
        sampling = config.rollout.sampling
        serving = {
            "show_public_tests": config.rollout.show_public_tests,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_new_tokens": sampling.max_new_tokens,
        }
        return self._files("generator", serving, config)

    def verifier_files(self, config: Config) -> ModelFiles:
        return self._files("verifier", {}, config)

    def _files(self, kind: Kind, serving: Mapping[str, Any], config: Config) -> ModelFiles:
        folder = Layout(self.workspace).selected(self.group) / kind
        tags = self._tags(kind, config)
        card = model_card(
            self.workspace, kind, {**tags, "iteration": Path(self.generator).name}, self.results, self.params(config)
        )
        return ModelFiles(kind, folder, serving, tags, card)

    def _tags(self, kind: Kind, config: Config) -> dict[str, str]:
        dataset = self._dataset(kind, config)
        tags = {
            "dvc_md5": self.generator_md5 if kind == "generator" else self.verifier_md5,
            "trained_as": self.generator if kind == "generator" else self.verifier,
            "partner_md5": self.verifier_md5 if kind == "generator" else self.generator_md5,
            "method": self.method,
            "seed": str(self.seed),
            "base_setting": config.model.setting,
            "base_sha256": self.base_sha256,
            "dataset": dataset,
            "dataset_md5": self.hashes[dataset],
            "problems_md5": self.hashes["data/problems.parquet"],
            **lineage(self.workspace),
        }
        # a random base tries the machinery out and says nothing about the method
        return tags | ({"claims": "nothing"} if config.model.setting.startswith("random:") else {})

    def _dataset(self, kind: Kind, config: Config) -> str:
        """The dataset that the model was trained on, from the plan."""
        return f"data/datasets/{_dataset_key(self.generator if kind == 'generator' else self.verifier, config)}.parquet"


def best_on_validation(pairs: Sequence[SelectedPair]) -> SelectedPair:
    """A tie goes to the earlier group."""
    return max(pairs, key=lambda pair: pair.validation_accuracy)


def selected_pairs(workspace: Path, config: Config) -> list[SelectedPair]:
    """Every group's selected pair.

    Raises:
        MucodeError: no method trains, or the graph has not run to its end, or a file is not the one that dvc.lock records,
            or was made of others than those.
    """
    if not config.plan["selections"]:
        raise MucodeError("no method of study.methods trains, so there is no pair to register: name one that does")
    recorded = read_recorded(workspace)
    results = _read_json(Layout(workspace).reports / "results.json")
    problems = problem_digests(recorded)
    return [_selected(recorded, group, config, results, problems) for group in config.plan["selections"]]


def _selected(
    recorded: Recorded, group: str, config: Config, results: list[dict[str, Any]], problems: Mapping[str, str]
) -> SelectedPair:
    workspace, folder = recorded.workspace, Layout(recorded.workspace).selected(group)
    selection = _read_json(folder / "selection.json")
    for kind in ("generator", "verifier"):
        trained = selection[kind]
        if recorded.hashes.get(trained) != folder_md5(folder / kind):
            raise MucodeError(f"{folder / kind} is not the {trained} that dvc.lock records: run `dvc repro`")
    _require_results_of(recorded, group, selection)
    return SelectedPair(
        workspace=workspace,
        group=group,
        generator=selection["generator"],
        verifier=selection["verifier"],
        hashes=recorded.hashes,
        base_sha256=_base_sha256(folder),
        measured=measured(
            workspace,
            group,
            Path(selection["generator"]).name,
            config,
            _gates(recorded, selection["generator"], selection["verifier"], config),
            problems,
        ),
        results=tuple(row for row in results if f"{row['method']}-{row['seed']}" == group and row["headline"]),
    )


def _require_results_of(recorded: Recorded, group: str, selection: Mapping[str, str]) -> None:
    """Refuse a selection or results that are of other weights than the selected ones."""
    out = Layout()
    selected, benchmarks = out.selected(group), out.outs("benchmarks")
    evaluation = out.evaluation(group, Path(selection["generator"]).name)
    known = {
        **{(selected / kind).as_posix(): recorded.hashes[selection[kind]] for kind in ("generator", "verifier")},
        **{path.as_posix(): folder_md5(recorded.workspace / path) for path in (evaluation.parent, benchmarks)},
    }
    searches = evaluation, out.benchmark(group)
    for made in (*searches, out.reports):
        recorded.require(made.as_posix())
    for made in (*searches, selected, out.reports):
        recorded.require_current(made.as_posix(), known)
    for made in searches:
        recorded.require_parameters(made.as_posix())


def _dataset_key(trained: str, config: Config) -> str:
    """The plan's key of the dataset that "data/generators/mucode-0/1" or a verifier was trained on."""
    kind, _, out = trained.removeprefix("data/").partition("/")
    keys = [str(item["dataset"]) for item in config.plan[kind].values() if item["out"] == out]
    if not keys:
        raise MucodeError(f"params.yaml's plan has no {trained}: run `dvc repro` for the plan as it is now")
    return keys[0]


def _gates(recorded: Recorded, generator: str, verifier: str, config: Config) -> dict[str, bool]:
    """Of each iteration's labels that either learned from: whether its gate's file says so and is the recorded one."""
    keys = set()
    for trained in (generator, verifier):
        key = _dataset_key(trained, config)
        while key in config.plan["datasets"]:
            keys.add(key)
            key = config.plan["datasets"][key]["previous"]
    return {key: _is_green(recorded, f"data/gates/{key}.json") for key in sorted(keys)}


def _is_green(recorded: Recorded, gate: str) -> bool:
    return recorded.has(gate) and _read_json(recorded.workspace / gate)["passed"] is True


def _base_sha256(folder: Path) -> str:
    digests = {_read_json(folder / kind / "trained.json")["base_sha256"] for kind in ("generator", "verifier")}
    if len(digests) > 1:
        raise MucodeError(f"{folder}: generator and verifier were trained on different bases: run `dvc repro`")
    digest: str = digests.pop()
    return digest


def _read_json(path: Path) -> Any:
    if not path.exists():
        raise MucodeError(f"{path} is missing: run `dvc repro` or `dvc pull`")
    return json.loads(path.read_bytes())

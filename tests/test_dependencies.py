"""DVC runs a stage again when what it depends on has changed: dvc.yaml must name all of it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import grimp
import pytest

from mucode import settings, stages
from mucode.cli import STAGES
from mucode.yaml_files import load_yaml

ROOT = Path(__file__).parent.parent
# What a stage runs through without its result depending on it, and the nouns, whose change shows in what uses them.
NEUTRAL = {
    "mucode",
    "mucode.arithmetic",
    "mucode.config",  # params.yaml's values are dependencies themselves
    "mucode.generator",  # only hands on its engines
    "mucode.journal",
    "mucode.plan",
    "mucode.processes",
    "mucode.records",
    "mucode.section",
    "mucode.shards",
    "mucode.training.settings",
    "mucode.types",
    "mucode.yaml_files",
}
TOLD_MLFLOW = {"mucode.tracking", "mucode.lineage"}  # what no out holds, and what they alone import
BESIDE_EXPERT = {"mucode.dataset", "mucode.environment"}  # they need candidates_by_problem and limited only
HEAVY = {  # stages that would be too dear to repeat for code that they import and do not call
    "base_model": {"mucode.programs", "mucode.prompts", "mucode.seeds"},  # the scripted player's, not its script's
    "train_verifier": BESIDE_EXPERT,
    "fine_tune": BESIDE_EXPERT,
    "evaluate": {"mucode.training.batch"},  # padding, which moves a score by no more than rounding
    "benchmark": {"mucode.training.batch"},
}


@cache
def graph() -> grimp.ImportGraph:
    found = grimp.build_graph("mucode", cache_dir=None)
    for package in TOLD_MLFLOW:
        for module in {package, *found.find_descendants(package)}:
            found.remove_module(module)
    return found


def functions() -> dict[str, ast.FunctionDef]:
    """The stages, and what they make their settings with: of both, a stage depends on what it runs through alone."""
    trees = [ast.parse(Path(str(module.__file__)).read_text()) for module in (stages, settings)]
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}


def imported_by(name: str) -> set[str]:
    """Modules that a stage imports, those of the functions beside it, and of `settings`, that it calls included."""
    found: set[str] = set()
    for node in ast.walk(functions()[name]):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & graph().modules
            found |= inner or {node.module} & graph().modules
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions():
            found |= imported_by(node.func.id)
    return found


def used_by(name: str) -> set[str]:
    direct = imported_by(name)
    return direct.union(*(graph().find_upstream_modules(module) for module in direct))


def covered(module: str, dependencies: list[str]) -> bool:
    path = module.replace(".", "/")
    return any(f"{path}.py" == each or f"{path}/".startswith(f"{each}/") for each in dependencies)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_code_that_makes_its_result(stage: str) -> None:
    definition = load_yaml((ROOT / "dvc.yaml").read_text())["stages"][stage]
    dependencies = definition.get("do", definition)["deps"]
    free = NEUTRAL | HEAVY.get(stage, set())
    if stage in {"evaluate", "benchmark"}:
        free |= {module for module in graph().modules if module.startswith("mucode.metrics")}  # for MLflow only
    assert sorted(module for module in used_by(stage) - free if not covered(module, dependencies)) == []


def params_of(stage: str) -> set[str]:
    definition = load_yaml((ROOT / "dvc.yaml").read_text())["stages"][stage]
    return set(definition.get("do", definition)["params"])


def attributes(function: str, variable: str) -> set[str]:
    """What a function, and those beside it and of `settings` that it calls, read of variables of this name."""
    found: set[str] = set()
    for node in ast.walk(functions()[function]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == variable:
            found.add(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions():
            found |= attributes(node.func.id, variable)
    return found


def test_evaluate_depends_on_all_that_it_reads_of_the_search_section_and_on_nothing_else_of_it() -> None:
    read = attributes("evaluate", "section")
    named = {"sampling": {"temperature", "top_p", "max_new_tokens"}}
    wanted = {f"search.{each}" for name in read for each in named.get(name, {name})}
    assert {each for each in params_of("evaluate") if each.startswith("search")} == wanted


def test_a_stage_that_searches_on_the_test_sets_depends_on_their_conditions() -> None:
    readers = {name for name in STAGES if "test_sets" in attributes(name, "config")}
    assert readers == {"benchmark"}
    assert {"problems.benchmarks", "search"} <= params_of("benchmark")


@pytest.mark.parametrize("stage", STAGES)
def test_every_parameter_that_a_stage_depends_on_is_in_params_yaml(stage: str) -> None:
    definition = load_yaml((ROOT / "dvc.yaml").read_text())["stages"][stage]
    params = load_yaml((ROOT / "params.yaml").read_text())
    for name in definition.get("do", definition).get("params", []):
        place = params
        for part in name.split("."):
            if part == "${item":  # methods.${item.method}
                break
            assert part in place, name
            place = place[part]

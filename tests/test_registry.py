"""Registration and promotion: a pair is registered once, promoted whole, and only when the policy says so."""

from __future__ import annotations

import dataclasses
import getpass
import hashlib
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from mucode.config import load_config
from mucode.lineage.locked import folder_md5, md5_of
from mucode.processes import held
from mucode.records import SearchChoice, write_json, write_rows
from mucode.registry import RegistrationReport, register
from mucode.registry.promote import ALREADY, promote, rollback
from mucode.registry.promotion import Measured, Policy, decide, load_policy
from mucode.registry.selected import SelectedPair, best_on_validation, selected_pairs
from mucode.registry.trail import Entry, What, entries, new_entry, record, reigns, removal_of
from mucode.tracking import load_registered_generator, load_registered_verifier, open_registry
from mucode.tracking.models import NAMES, Kind, Registry, Version
from mucode.tracking.server import EXPERIMENT, mlflow_at
from mucode.types import Answer, Candidate, Demonstration, MucodeError, Problem, Sampling, State, Test
from tests.conftest import make_problem
from tests.training.tiny_model import tiny_base, tiny_settings

PROBLEM = make_problem("double")
RIGHT, WRONG = "def double(x):\n    return 2 * x\n", "def double(x):\n    return x\n"
ROOT = Path(__file__).resolve().parents[1]
POLICY = Policy(
    gates="green",
    first="promote",
    benchmark="validation",
    difference=0.0,
    lower_bound=-1.0,
    regression=0.1,
    confidence=0.9,
    resamples=200,
)


def measured(
    validation: Sequence[float], test: Sequence[float] = (1.0, 0.0), settings: str = "N=4", green: bool = True
) -> Measured:
    sets = {"validation": validation, "starter/test": test}
    outcomes = {s: {f"p{i}": (r,) for i, r in enumerate(rewards)} for s, rewards in sets.items()}
    return Measured("pt+lv", settings, outcomes, {"base-0": True, "mucode-0-2": green})


# --- the policy ---


@pytest.mark.parametrize(("first", "promoted"), [("promote", True), ("hold", False)])
def test_the_policy_says_what_happens_while_there_is_no_champion(first: str, promoted: bool) -> None:
    decision = decide(POLICY.model_copy(update={"first": first}), measured([1.0]), None)
    assert decision.promote is promoted


def test_a_challenger_that_is_no_worse_becomes_champion() -> None:
    assert decide(POLICY, measured([1.0, 1.0, 0.0]), measured([1.0, 0.0, 0.0])).promote
    assert decide(POLICY, measured([1.0, 0.0]), measured([1.0, 0.0])).promote


def test_a_worse_challenger_is_held_and_the_reason_gives_the_difference() -> None:
    decision = decide(POLICY, measured([1.0, 0.0, 0.0, 0.0]), measured([1.0, 1.0, 0.0, 0.0]))
    assert not decision.promote
    assert "-0.250" in decision.reason


def test_a_gain_that_may_be_chance_is_held_when_the_policy_asks_for_proof() -> None:
    proof = POLICY.model_copy(update={"lower_bound": 0.0})
    narrow = decide(proof, measured([1.0, 1.0, 0.0, 0.0]), measured([0.0, 1.0, 0.0, 1.0]))
    assert not narrow.promote
    assert decide(proof, measured([1.0] * 30), measured([0.0] * 30)).promote


def test_a_loss_on_a_test_set_holds_a_challenger_that_wins_on_validation() -> None:
    decision = decide(POLICY, measured([1.0, 1.0], test=[0.0, 0.0]), measured([1.0, 0.0], test=[1.0, 0.0]))
    assert not decision.promote
    assert "starter/test" in decision.reason


def test_a_set_that_only_the_champion_was_measured_on_holds_the_challenger() -> None:
    champion = measured([0.0, 0.0])
    narrower = dataclasses.replace(measured([1.0, 1.0]), sets={"validation": measured([1.0, 1.0]).sets["validation"]})
    decision = decide(POLICY, narrower, champion)
    assert not decision.promote
    assert "not measured on starter/test" in decision.reason
    assert decide(POLICY, measured([1.0, 1.0]), dataclasses.replace(champion, sets=narrower.sets)).promote


@pytest.mark.parametrize("champion", [None, measured([0.0])])
def test_a_gate_that_is_not_green_holds_the_best_challenger_and_the_first(champion: Measured | None) -> None:
    red = measured([1.0], green=False)
    decision = decide(POLICY, red, champion)
    assert not decision.promote
    assert "mucode-0-2" in decision.reason
    assert not decide(POLICY, dataclasses.replace(red, gates={}), champion).promote
    assert decide(POLICY.model_copy(update={"gates": "any"}), red, champion).promote
    assert decide(POLICY, measured([1.0]), champion).promote


@pytest.mark.parametrize(
    "champion",
    [
        measured([0.0, 0.0], settings="N=8"),
        dataclasses.replace(measured([0.0, 0.0]), selector="lv"),
        measured([0.0, 0.0, 0.0]),
        Measured("pt+lv", "N=4", {"starter/test": {}}),
        dataclasses.replace(measured([0.0, 0.0]), problems={"validation": "of other tests"}),
        dataclasses.replace(measured([0.0, 0.0]), problems={"starter/test": "of other tests"}),
    ],
)
def test_pairs_that_were_not_measured_alike_are_not_compared(champion: Measured) -> None:
    assert not decide(POLICY, measured([1.0, 1.0]), champion).promote


def test_what_was_measured_survives_its_file() -> None:
    stored = Measured.from_json(measured([1.0, 0.5]).as_json())
    assert stored.as_json() == measured([1.0, 0.5]).as_json()
    assert decide(POLICY, measured([1.0, 0.5]), stored).promote


def test_the_policy_of_the_repository_is_valid_and_a_misspelt_key_is_named(tmp_path: Path) -> None:
    committed = ROOT / "mlflow/promotion.yaml"
    assert load_policy(committed).first == "promote"
    path = tmp_path / "promotion.yaml"
    path.write_text(committed.read_text().replace("regression:", "regresion:").replace("0.0 ", "0   "))
    with pytest.raises(MucodeError, match="regres"):
        load_policy(path)


@pytest.mark.parametrize(("more", "promoted"), [(-4, False), (0, False), (3, False), (4, True)])
def test_the_policy_of_the_repository_asks_for_a_gain_that_is_no_chance(more: int, promoted: bool) -> None:
    policy = load_policy(ROOT / "mlflow/promotion.yaml")
    challenger, champion = measured([1.0] * (4 + more) + [0.0] * (8 - more)), measured([1.0] * 4 + [0.0] * 8)
    assert decide(policy, challenger, champion).promote is promoted


@pytest.mark.slow
def test_our_md5_of_a_folder_is_the_one_that_dvc_records(tmp_path: Path) -> None:
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".dvcignore").write_text((ROOT / ".dvcignore").read_text())
    for name in ("b.txt", "a.txt", "inner/z.txt", "inner.txt", ".a.txt.writing", "inner/.z.writing/half"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(name)
    subprocess.run([*dvc, "add", "-q", "out"], cwd=tmp_path, check=True)
    recorded = yaml.safe_load((tmp_path / "out.dvc").read_text())["outs"][0]["md5"]
    assert folder_md5(tmp_path / "out") == recorded


# --- the audit trail ---


def decided(*steps: tuple[What, int]) -> list[Entry]:
    """A trail about pairs 1/1, 2/2, ...; each step says what became of which."""
    made: list[Entry] = []
    for number, (what, pair) in enumerate(steps):
        before = made[-1].pair if made else None
        made.append(Entry(f"{number:03}", "ada", what, (pair, pair), before, "why", "run", ""))
    return made


@pytest.mark.parametrize(
    ("steps", "champions"),
    [
        ([], []),
        ([("promoted", 1), ("held", 2), ("promoted", 3)], [1, 3]),
        ([("promoted", 1), ("promoted", 2), ("rolled back", 1)], [1]),
        ([("promoted", 1), ("found", 2), ("promoted", 3), ("rolled back", 2), ("rolled back", 1)], [1]),
        ([("promoted", 1), ("promoted", 2), ("rolled back", 1), ("promoted", 3)], [1, 3]),
        ([("rolled back", 1)], [1]),
    ],
)
def test_the_trail_says_who_was_champion_before(steps: list[tuple[What, int]], champions: list[int]) -> None:
    assert reigns(decided(*steps)) == [(number, number) for number in champions]


def test_a_pair_that_was_rolled_back_counts_as_such_until_it_is_champion_again() -> None:
    undone = decided(("promoted", 1), ("promoted", 2), ("rolled back", 1))
    assert removal_of(undone, (2, 2)) == undone[-1]
    assert removal_of(undone, (1, 1)) is None
    assert removal_of([*undone, *decided(("found", 2))], (2, 2)) is None


def test_a_pair_that_was_replaced_by_hand_counts_as_such_until_it_is_champion_again() -> None:
    replaced = decided(("promoted", 1), ("promoted", 2), ("found", 1))
    assert removal_of(replaced, (2, 2)) == replaced[-1]
    assert removal_of(replaced, (1, 1)) is None
    again = decided(("promoted", 1), ("promoted", 2), ("found", 1), ("rolled back", 2))
    assert removal_of(again, (2, 2)) is None
    assert removal_of(decided(("promoted", 1), ("promoted", 2)), (1, 1)) is None  # the policy's word, no person's


def test_an_entry_survives_its_text() -> None:
    for entry in (new_entry("held", (2, 1), (1, 1), "why", "run"), new_entry("promoted", (1, 1), None, "first", "run")):
        assert Entry.from_json(json.dumps(dataclasses.asdict(entry))) == entry
        assert "@" in entry.who


# --- a workspace whose graph has run ---


PAIR = {"generator": "data/generators/mucode-0/1", "verifier": "data/verifiers/base-0"}


def choices(benchmark: str, rewards: Sequence[float]) -> list[SearchChoice]:
    return [
        SearchChoice(benchmark, f"starter/{number}", 0, selector, 4, 1, "s", 0, True, reward, True)
        for selector in ("lv", "pt+lv")
        for number, reward in enumerate(rewards)
    ]


def weights(folder: Path, content: str, base: str = "c0ffee") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.txt").write_text(content)
    write_json(folder / "trained.json", {"base_sha256": base})


def write_workspace(
    folder: Path, *, generator: str, verifier: str, validation: Sequence[float], test: Sequence[float] = (1.0, 0.0)
) -> None:
    """What the graph leaves for `register`, with stand-ins for weights."""
    selected = folder / "data/selected/mucode-0"
    weights(selected / "generator", generator)
    weights(selected / "verifier", verifier)
    finish_workspace(folder, validation, test)


def finish_workspace(folder: Path, validation: Sequence[float], test: Sequence[float]) -> None:
    """The rest, about whatever weights are in place."""
    (folder / "mlflow").mkdir(parents=True, exist_ok=True)
    for name in ("promotion.yaml", "model_card.md"):
        shutil.copy(ROOT / "mlflow" / name, folder / "mlflow" / name)
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    write_problems(folder, max(len(validation), len(test)))
    selected = folder / "data/selected/mucode-0"
    write_json(selected / "selection.json", {**PAIR, "accuracies": {"1": 0.5}})
    write_rows(
        folder / "data/evaluations/mucode-0/1/choices.parquet", choices("starter/validation", validation), SearchChoice
    )
    write_rows(folder / "data/benchmarks/mucode-0/choices.parquet", choices("starter/test", test), SearchChoice)
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


def trail(folder: Path) -> list[Entry]:
    with open_registry(folder) as registry:
        return entries(registry)


def policy_digest(folder: Path) -> str:
    return hashlib.sha256((folder / "mlflow/promotion.yaml").read_bytes()).hexdigest()


def versions(folder: Path, kind: Kind = "generator") -> list[Any]:
    with mlflow_at(folder) as client:
        found = client.search_model_versions(f"name = '{NAMES[kind]}'")
    return sorted(found, key=lambda version: int(version.version))


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables: making them takes seconds, copying them none."""
    folder = tmp_path_factory.mktemp("database")
    with mlflow_at(folder) as client:
        client.search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def workspace(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return tmp_path


@pytest.mark.slow
def test_the_first_pair_is_registered_with_what_it_is_made_of_and_becomes_champion(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0])
    report = register(workspace)
    assert report.promoted
    assert report.champion == (1, 1)
    assert champions(workspace) == {"generator": 1, "verifier": 1}
    (version,) = versions(workspace)
    assert version.tags["dvc_md5"] == folder_md5(workspace / "data/selected/mucode-0/generator")
    assert version.tags["base_sha256"] == "c0ffee"
    assert version.tags["dataset_md5"] == "d" * 32
    assert "claims" not in version.tags
    (entry,) = trail(workspace)
    assert (entry.what, entry.pair, entry.before) == ("promoted", (1, 1), None)
    assert (entry.run, entry.policy_sha256) == (version.run_id, policy_digest(workspace))
    config = load_config(ROOT / "params.yaml")
    turns = f"`rollout.turns`: {config.rollout.turns}"
    for part in (config.model.setting, "starter/test", "10.0% to 90.0%", "mucode-generator", turns):
        assert part in version.description
    assert "77.0%" not in version.description  # of another method
    with mlflow_at(workspace) as client:
        run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["validation/bon"] == 0.5
    assert run.data.metrics["validation/bon/low"] < 0.5 < run.data.metrics["validation/bon/high"]
    assert run.data.tags["dvc_lock_sha256"] == version.tags["dvc_lock_sha256"]
    assert version.tags["dvc_lock_sha256"] == hashlib.sha256((workspace / "dvc.lock").read_bytes()).hexdigest()
    assert run.data.metrics["starter/test/best of 4 pt lv/low"] == 0.1


@pytest.mark.slow
def test_registering_again_changes_nothing(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0])
    register(workspace)
    first = [(v.version, v.tags) for v in versions(workspace)]
    report = register(workspace)
    assert not report.pairs[0].new
    assert not report.promoted
    assert report.champion == (1, 1)
    assert [(v.version, v.tags) for v in versions(workspace)] == first


@pytest.mark.slow
def test_weights_that_were_searched_with_anew_are_judged_by_the_new_searches(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0])
    register(workspace)
    (first,) = versions(workspace)
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 1.0])
    register(workspace)
    (again,) = versions(workspace)
    assert (again.version, again.run_id) == (first.version, first.run_id)
    assert again.tags["outcomes.1"] != first.tags["outcomes.1"]


def test_the_challenger_is_the_best_pair_on_validation_and_the_earlier_one_of_two_alike() -> None:
    pairs = [
        SelectedPair(Path(), f"mucode-{seed}", "", "", {}, "", measured(rewards), ())
        for seed, rewards in enumerate(([0.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0]))
    ]
    assert best_on_validation(pairs).group == "mucode-1"
    assert best_on_validation(pairs[2:]).group == "mucode-2"


@pytest.mark.slow
def test_a_better_pair_takes_the_place_of_the_champion_and_a_worse_one_does_not(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0, 0.0, 0.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v1", validation=[0.0, 0.0, 0.0, 0.0])
    report = register(workspace)
    assert (report.promoted, report.champion) == (False, (1, 1))
    with open_registry(workspace) as registry:
        challenger = registry.aliased("generator", "challenger")
    assert challenger is not None
    assert challenger.number == 2
    write_workspace(workspace, generator="g3", verifier="v3", validation=[1.0, 1.0, 1.0, 1.0])
    report = register(workspace)
    assert (report.promoted, report.champion) == (True, (3, 2))  # the second verifier: v1 was not registered twice
    assert champions(workspace) == {"generator": 3, "verifier": 2}


@pytest.mark.slow
def test_a_promotion_that_a_kill_interrupted_is_completed(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 1.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[0.0, 0.0])
    register(workspace)
    with open_registry(workspace) as registry:  # as a kill between the two aliases leaves them
        run = registry.version("generator", 2).tags["outcomes.2"]
        entry = new_entry("promoted", (2, 2), (1, 1), "it did better", run)
        registry.note("promoting", json.dumps(dataclasses.asdict(entry)))
        registry.set_alias("champion", registry.version("verifier", 2))
    monkeypatch.chdir(workspace)
    assert promote(dry_run=True) == ALREADY  # as it will be
    assert rollback(dry_run=True) == (1, 1)
    assert champions(workspace) == {"generator": 1, "verifier": 2}
    report = register(workspace)
    assert report.champion == (2, 2)
    assert champions(workspace) == {"generator": 2, "verifier": 2}
    assert [entry.what for entry in trail(workspace)] == ["promoted", "held", "promoted"]
    with open_registry(workspace) as registry:
        assert registry.noted("promoting") is None


@pytest.mark.slow
def test_a_registration_killed_between_the_two_champions_is_completed_by_the_next(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0, 0.0, 0.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[1.0, 1.0, 1.0, 1.0])
    moved = Registry.set_alias

    def killed_at_the_second(registry: Registry, alias: str, version: Version) -> None:
        if (alias, version.kind) == ("champion", "generator"):
            raise KeyboardInterrupt
        moved(registry, alias, version)

    monkeypatch.setattr(Registry, "set_alias", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        register(workspace)
    monkeypatch.setattr(Registry, "set_alias", moved)
    assert champions(workspace) == {"generator": 1, "verifier": 2}
    assert register(workspace).champion == (2, 2)
    assert champions(workspace) == {"generator": 2, "verifier": 2}
    assert [entry.what for entry in trail(workspace)][:2] == ["promoted", "promoted"]


def overtaken_by_hand(folder: Path, entry: Entry) -> None:
    set_champion(folder, 3, 3)


def overtaken_by_a_deletion(folder: Path, entry: Entry) -> None:
    with mlflow_at(folder) as client:
        for name in NAMES.values():
            client.delete_model_version(name, "2")


def overtaken_at_its_end(folder: Path, entry: Entry) -> None:
    """The kill came after the entry; then somebody set the aliases back."""
    with open_registry(folder) as registry:
        record(registry, entry)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overtake", "champion"), [(overtaken_by_hand, 3), (overtaken_by_a_deletion, 1), (overtaken_at_its_end, 1)]
)
def test_a_promotion_that_people_have_overtaken_is_not_completed(
    workspace: Path, overtake: Callable[[Path, Entry], None], champion: int
) -> None:
    for name, validation in (("1", [1.0, 1.0]), ("2", [0.0, 0.0]), ("3", [0.0, 0.0])):
        write_workspace(workspace, generator=f"g{name}", verifier=f"v{name}", validation=validation)
        register(workspace)
    with open_registry(workspace) as registry:  # as a kill leaves it
        run = registry.version("generator", 2).tags["outcomes.2"]
        entry = new_entry("promoted", (2, 2), (1, 1), "it did better", run)
        registry.note("promoting", json.dumps(dataclasses.asdict(entry)))
    overtake(workspace, entry)
    report = register(workspace)
    assert report.champion == (champion, champion)
    with open_registry(workspace) as registry:
        assert registry.noted("promoting") is None


@pytest.mark.slow
def test_a_challenger_held_twice_for_one_reason_has_one_entry_in_the_audit_trail(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 1.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v1", validation=[0.0, 0.0])
    for _ in range(2):
        register(workspace)
    assert [(entry.what, entry.pair) for entry in trail(workspace)] == [("promoted", (1, 1)), ("held", (2, 1))]


@pytest.mark.slow
def test_champions_set_by_hand_that_form_no_pair_are_left_alone(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 1.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[0.0, 0.0])
    register(workspace)
    with open_registry(workspace) as registry:
        registry.set_alias("champion", registry.version("generator", 2))
    report = register(workspace)
    assert not report.promoted
    assert "by hand" in report.reason
    assert champions(workspace) == {"generator": 2, "verifier": 1}
    monkeypatch.chdir(workspace)
    with pytest.raises(MucodeError, match="no champion pair to roll back"):
        rollback()


@pytest.mark.slow
def test_a_pair_promoted_by_hand_is_the_champion_that_challengers_are_held_against(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0] * 12)
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[0.0] * 12)
    register(workspace)
    set_champion(workspace, 2, 2)  # as MLflow's UI does
    write_workspace(workspace, generator="g3", verifier="v3", validation=[1.0] * 6 + [0.0] * 6)
    report = register(workspace)
    assert (report.promoted, report.champion) == (True, (3, 3))
    found = trail(workspace)[-2]
    assert (found.what, found.pair, found.before, found.who) == ("found", (2, 2), (1, 1), "somebody, by hand")
    monkeypatch.chdir(workspace)
    assert rollback() == (2, 2)
    assert rollback() == (1, 1)
    with pytest.raises(MucodeError, match="no champion before"):
        rollback()


@pytest.mark.slow
def test_the_next_registration_does_not_take_back_what_a_person_put_in_the_champion_s_place(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[0.0] * 12)
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[1.0] * 12)
    assert register(workspace).champion == (2, 2)
    set_champion(workspace, 1, 1)
    monkeypatch.chdir(workspace)
    dry = promote(dry_run=True)
    assert dry is not None
    assert "somebody replaced it by hand" in dry.reason
    assert len(trail(workspace)) == 2
    report = register(workspace)  # of the same graph
    assert (report.promoted, report.champion) == (False, (1, 1))
    assert "somebody replaced it by hand" in report.reason
    write_workspace(workspace, generator="g3", verifier="v3", validation=[1.0] * 12)
    assert register(workspace).champion == (3, 3)  # another pair may take the place


# --- the commands ---


@pytest.mark.slow
def test_to_look_into_an_empty_registry_leaves_it_empty(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    with pytest.raises(MucodeError, match="no challenger pair"):
        promote(dry_run=True)
    with pytest.raises(MucodeError, match="no champion pair"):
        rollback(dry_run=True)
    promote(history=True)
    with mlflow_at(workspace) as client:
        assert list(client.search_registered_models()) == []
        assert client.get_experiment_by_name(EXPERIMENT) is None


@pytest.mark.slow
def test_the_models_are_found_among_many_others(workspace: Path) -> None:
    with mlflow_at(workspace) as client:
        for number in range(101):  # one more than a list of them holds
            client.create_registered_model(f"another-{number:03}")
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0])
    register(workspace)
    assert register(workspace).champion == (1, 1)


@pytest.mark.slow
def test_what_the_policy_held_can_be_promoted_once_the_policy_allows_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 1.0, 1.0, 1.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[0.0, 1.0, 1.0, 1.0])
    register(workspace)
    monkeypatch.chdir(workspace)
    with pytest.raises(MucodeError, match=r"not promoted: on validation it is -0\.250"):
        promote()
    policy = workspace / "mlflow/promotion.yaml"
    loose = policy.read_text().replace("difference: 0.01", "difference: -1.0").replace("bound: 0.0", "bound: -1.0")
    policy.write_text(loose)
    before = trail(workspace), champions(workspace)
    with caplog.at_level(logging.INFO, logger="mucode"):
        dry = promote(dry_run=True)
    assert dry is not None
    assert dry.promote
    assert "dry run: challenger mucode-generator 2 with mucode-verifier 2 becomes champion" in caplog.text
    assert (trail(workspace), champions(workspace)) == before
    promote()
    assert champions(workspace) == {"generator": 2, "verifier": 2}
    assert promote() == ALREADY
    assert [entry.what for entry in trail(workspace)] == ["promoted", "held", "promoted"]


@pytest.mark.slow
def test_a_rollback_holds_against_the_next_registration_and_everybody_can_read_why(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[0.0] * 12)
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[1.0] * 12)
    register(workspace)
    monkeypatch.chdir(workspace)
    assert rollback(dry_run=True) == (1, 1)
    assert champions(workspace) == {"generator": 2, "verifier": 2}
    assert rollback(reason="it writes endless loops") == (1, 1)
    assert champions(workspace) == {"generator": 1, "verifier": 1}
    report = register(workspace)  # the next scheduled run
    assert not report.promoted
    assert "it writes endless loops" in report.reason
    assert champions(workspace) == {"generator": 1, "verifier": 1}
    with caplog.at_level(logging.INFO, logger="mucode"):
        promote(history=True)
    said = [line for line in caplog.messages if "rolled back" in line]
    assert len(said) == 1
    assert getpass.getuser() in said[0]
    assert "it writes endless loops" in said[0]
    set_champion(workspace, 2, 2)  # a person's word stands over it
    assert not register(workspace).promoted
    assert champions(workspace) == {"generator": 2, "verifier": 2}


@pytest.mark.slow
def test_labels_whose_gate_is_not_the_recorded_one_make_no_champion(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0])
    write_json(workspace / "data/gates/base-0.json", {"passed": True, "by": "hand"})
    report = register(workspace)
    assert not report.promoted
    assert "gates" in report.reason
    assert report.champion is None


def set_random(folder: Path) -> None:
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace(load_config(params).model.setting, "random:tiny"))


@pytest.mark.slow
def test_a_random_base_is_registered_with_the_claim_of_nothing(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0])
    set_random(workspace)
    assert register(workspace).promoted  # where it is alone
    for kind in ("generator", "verifier"):
        (version,) = versions(workspace, kind)
        assert version.tags["claims"] == "nothing"
        assert "claims nothing" in version.description


@pytest.mark.slow
def test_a_pair_of_a_random_base_is_no_champion_of_a_team(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    team = workspace / "team.db"
    (workspace / "mlflow.db").rename(team)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{team}")
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0])
    set_random(workspace)
    report = register(workspace)
    assert (report.promoted, report.champion) == (False, None)
    assert "random model" in report.reason
    write_workspace(workspace, generator="g2", verifier="v2", validation=[0.0])
    assert register(workspace).champion == (2, 2)  # which claims something


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def pair(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a generator and a verifier that were really trained, on a tiny random base."""
    from mucode.generator.fine_tune import fine_tune
    from mucode.verifier.train import VerifierSettings, train_verifier

    folder = tmp_path_factory.mktemp("pair")
    demonstrations = [Demonstration(PROBLEM.id, (), RIGHT)]
    fine_tune(demonstrations, [PROBLEM], base, tiny_settings(), 0, folder / "generator", show_public_tests=True)
    candidates = [Candidate(PROBLEM.id, RIGHT, 1.0), Candidate(PROBLEM.id, WRONG, 0.0)]
    settings = VerifierSettings(
        training=tiny_settings(),
        loss="bradley_terry",
        head_learning_rate=1e-2,
        score_penalty=1e-3,
        pairs_per_problem=4,
        score_batch_size=8,
        score_dtype="float32",
        show_public_tests=True,
    )
    train_verifier(candidates, [PROBLEM], base, settings, 0, folder / "verifier")
    return folder


@pytest.fixture
def trained(workspace: Path, pair: Path) -> Path:
    """A workspace with that pair registered."""
    shutil.copytree(pair, workspace / "data/selected/mucode-0")
    finish_workspace(workspace, [1.0], [1.0])
    register(workspace)
    return workspace


@pytest.mark.slow
def test_a_registered_verifier_gives_the_very_scores_of_the_trained_one(trained: Path, base: Path) -> None:
    from mucode.verifier.model import load_verifier

    question = [PROBLEM, PROBLEM], [RIGHT, WRONG]
    scores = load_verifier(base, trained / "data/selected/mucode-0/verifier").score(*question)
    shutil.rmtree(trained / "data")
    assert load_registered_verifier("champion", base, trained).score(*question) == scores
    assert load_registered_verifier("1", base, trained).score(*question) == scores


@pytest.mark.slow
def test_a_registered_generator_gives_the_very_replies_of_the_trained_one(trained: Path, base: Path) -> None:
    from mucode.generator.engines import load_generator

    draw = [State(PROBLEM)] * 4, [1, 2, 3, 4], Sampling(1.0, 1.0, 12)
    folder = trained / "data/selected/mucode-0/generator"
    replies = load_generator(base, folder, show_public_tests=True).generate(*draw)
    shutil.rmtree(trained / "data")
    assert load_registered_generator("champion", base, trained).generate(*draw) == replies


@pytest.mark.slow
def test_another_base_than_the_one_trained_on_is_refused(
    trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tiny_base(tmp_path_factory.mktemp("other"), seed=1)
    with pytest.raises(MucodeError, match="use the base it was trained on"):
        load_registered_verifier("champion", other, trained)
    (other / "script.json").write_text("{}")  # not even the scripted double is let through
    with pytest.raises(MucodeError, match="use the base it was trained on"):
        load_registered_generator("champion", other, trained)


@pytest.mark.slow
def test_anyone_with_mlflow_alone_can_ask_a_registered_model(
    trained: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mucode.verifier.model import load_verifier

    attempts = [{"text": PROBLEM.text, "public_tests": [t.code for t in PROBLEM.public_tests], "program": RIGHT}]
    with mlflow_at(trained):
        import mlflow

        monkeypatch.setenv("MUCODE_BASE", str(base))
        answer = mlflow.pyfunc.load_model("models:/mucode-verifier@champion").predict(attempts)
    direct = load_verifier(base, trained / "data/selected/mucode-0/verifier").score([PROBLEM], [RIGHT])
    assert answer == direct


def spoil_weights(folder: Path) -> None:
    (folder / "data/selected/mucode-0/generator/weights.txt").write_text("changed")


def spoil_base(folder: Path) -> None:
    weights(folder / "data/selected/mucode-0/verifier", "v1", base="decaf")
    write_lock(folder)


def spoil_timeout(folder: Path) -> None:
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("timeout: 5.0", "timeout: 6.0"))


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


@pytest.mark.parametrize(
    ("section", "change", "alike"),
    [
        ("search", {"searches": 2}, False),
        ("search", {"temperature": 0.1}, False),
        ("execution", {"timeout": 9.0}, False),
        ("generation", {"engine": "vllm"}, False),
        ("rollout", {"show_public_tests": False}, False),
        ("rollout", {"temperature": 0.1}, True),
        ("generation", {"log_probabilities": True}, True),
        ("search", {"other_candidates": (2,), "independent": True, "greedy": True}, True),
        ("search", {"benchmarks": ("starter/test",), "selectors": ("pt+lv", "oracle")}, True),
    ],
)
def test_pairs_are_compared_if_all_that_their_rewards_depend_on_is_alike(
    section: str, change: dict[str, object], alike: bool, tmp_path: Path
) -> None:
    write_workspace(tmp_path, generator="g1", verifier="v1", validation=[1.0, 0.0])
    config = load_config(tmp_path / "params.yaml")
    changed = config.model_copy(update={section: getattr(config, section).model_copy(update=change)})
    (before,), (after,) = selected_pairs(tmp_path, config), selected_pairs(tmp_path, changed)
    assert decide(POLICY, after.measured, before.measured).promote is alike


@pytest.mark.parametrize(("harder", "alike"), [(1, False), (2, True)])  # problem 2 is in no set
def test_pairs_are_compared_if_the_problems_of_the_sets_are_the_same_to_their_private_tests(
    harder: int, alike: bool, tmp_path: Path
) -> None:
    write_workspace(tmp_path, generator="g1", verifier="v1", validation=[1.0, 0.0])
    config = load_config(tmp_path / "params.yaml")
    (before,) = selected_pairs(tmp_path, config)
    write_problems(tmp_path, 3, harder)
    write_lock(tmp_path)
    (after,) = selected_pairs(tmp_path, config)
    assert decide(POLICY, after.measured, before.measured).promote is alike


@pytest.mark.parametrize("command", [register, promote, rollback])
def test_one_process_at_a_time_changes_the_registry(
    command: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_workspace(tmp_path, generator="g1", verifier="v1", validation=[1.0])
    with held(Path(".mucode/registry.lock"), ""), pytest.raises(MucodeError, match="at work here: wait for it"):
        command()
    assert not Path("mlflow.db").exists()


def test_a_registration_report_is_what_its_file_says(tmp_path: Path) -> None:
    report = RegistrationReport((), "mucode-0", False, "why", None)
    write_json(tmp_path / "report.json", dataclasses.asdict(report))
    assert RegistrationReport(**{**json.loads((tmp_path / "report.json").read_text()), "pairs": ()}) == report

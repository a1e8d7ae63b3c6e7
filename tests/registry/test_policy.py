"""The policy: a pair is promoted only when it says so, against pairs that were measured alike."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mucode.config import load_config
from mucode.records import SearchChoice, read_rows, write_rows
from mucode.registry.card import model_card
from mucode.registry.promotion import Measured, decide, load_policy
from mucode.registry.selected import SelectedPair, best_on_validation, selected_pairs
from mucode.types import MucodeError
from tests.conftest import ANOTHER_LOCALE
from tests.registry.measured import POLICY, measured
from tests.registry.workspace import ROOT, write_lock, write_problems, write_workspace

TAGS_OF_A_CARD = ("base_setting", "base_sha256", "method", "seed", "iteration", "dvc_md5", "partner_md5", "dataset",
                  "dataset_md5", "problems_md5", "dvc_lock_sha256")  # fmt: skip


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


def test_validation_is_no_test_set_where_the_policy_names_one() -> None:
    policy = POLICY.model_copy(update={"benchmark": "starter/test"})
    challenger, champion = measured([0.0, 0.0], test=[1.0, 1.0]), measured([1.0, 1.0], test=[1.0, 0.0])
    assert decide(policy, challenger, champion).promote
    assert not decide(policy, champion, challenger).promote


def test_a_set_that_only_the_champion_was_measured_on_holds_the_challenger() -> None:
    champion = measured([0.0, 0.0])
    narrower = dataclasses.replace(measured([1.0, 1.0]), sets={"validation": measured([1.0, 1.0]).sets["validation"]})
    decision = decide(POLICY, narrower, champion)
    assert not decision.promote
    assert "not measured on starter/test" in decision.reason
    assert decide(POLICY, measured([1.0, 1.0]), dataclasses.replace(champion, sets=narrower.sets)).promote


@pytest.mark.parametrize(("before", "promoted"), [(0.0, True), (1.0, False)])
def test_a_set_without_public_tests_is_judged_by_the_best_selector_that_is_left_there(
    before: float, promoted: bool, tmp_path: Path
) -> None:
    write_workspace(tmp_path, generator="g1", verifier="v1", validation=[0.0, 0.0], blind=[before, before])
    config = load_config(tmp_path / "params.yaml")
    (champion,) = selected_pairs(tmp_path, config)
    write_workspace(tmp_path, generator="g2", verifier="v2", validation=[1.0, 1.0], blind=[0.0, 0.0])
    (challenger,) = selected_pairs(tmp_path, config)
    decision = decide(POLICY, challenger.measured, champion.measured)
    assert (decision.promote, "loses on starter/test/no-public-tests" in decision.reason) == (promoted, not promoted)


def test_a_set_that_was_judged_by_another_selector_is_not_compared(tmp_path: Path) -> None:
    write_workspace(tmp_path, generator="g1", verifier="v1", validation=[0.0, 0.0], blind=[0.0, 0.0])
    config = load_config(tmp_path / "params.yaml")
    (champion,) = selected_pairs(tmp_path, config)
    searches = tmp_path / "data/benchmarks/mucode-0/choices.parquet"
    write_rows(searches, [row for row in read_rows(searches, SearchChoice) if row.selector != "lv"], SearchChoice)
    write_lock(tmp_path)
    (challenger,) = selected_pairs(tmp_path, config)
    decision = decide(POLICY, challenger.measured, champion.measured)
    assert "not measured on starter/test/no-public-tests as the champion was" in decision.reason


def test_a_set_that_nothing_is_known_of_since_the_champion_was_registered_holds_nobody() -> None:
    champion = measured([0.0, 0.0])
    empty = dataclasses.replace(champion, sets={**champion.sets, "starter/test/no-public-tests": {}})
    assert decide(POLICY, measured([1.0, 1.0]), empty).promote


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
    with pytest.raises(
        MucodeError, match=r"promotion\.yaml: regresion is no parameter: .*; README\.md beside it explains"
    ):
        load_policy(path)


@pytest.mark.parametrize(("more", "promoted"), [(-4, False), (0, False), (3, False), (4, True)])
def test_the_policy_of_the_repository_asks_for_a_gain_that_is_no_chance(more: int, promoted: bool) -> None:
    policy = load_policy(ROOT / "mlflow/promotion.yaml")
    challenger, champion = measured([1.0] * (4 + more) + [0.0] * (8 - more)), measured([1.0] * 4 + [0.0] * 8)
    assert decide(policy, challenger, champion).promote is promoted


@pytest.mark.parametrize(("sets", "names", "kept"), [(1, 9, ("lr-8", "set-0")), (1, 400, ("set-0",)), (200, 400, ())])
def test_a_card_is_short_enough_for_any_database(sets: int, names: int, kept: tuple[str, ...], tmp_path: Path) -> None:
    write_workspace(tmp_path, generator="g1", verifier="v1", validation=[1.0])
    row = {"metric": "bon", "selector": "pt+lv", "n": 4, "accuracy": 0.5, "ci_low": 0.1, "ci_high": 0.9, "problems": 2}
    tags = dict.fromkeys(TAGS_OF_A_CARD, "x")
    results = [{**row, "benchmark": f"set-{number}"} for number in range(sets)]
    card = model_card(tmp_path, "generator", tags, results, {f"lr-{number}": "0.001" for number in range(names)})
    assert len(card) <= 5000
    assert "no guarantee that a program is right" in card
    assert [part for part in ("lr-8", "set-0") if part in card] == list(kept)


def test_the_card_s_template_is_utf_8_whatever_the_locale_says() -> None:
    code = (
        "from pathlib import Path\n"
        "from mucode.registry.card import model_card\n"
        f"card = model_card(Path(), 'generator', dict.fromkeys({TAGS_OF_A_CARD!r}, 'x'), [], {{}})\n"
        "assert 'of a \\u00b5Code pair' in card"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **ANOTHER_LOCALE}, check=True)


def test_the_challenger_is_the_best_pair_on_validation_and_the_earlier_one_of_two_alike() -> None:
    pairs = [
        SelectedPair(Path(), f"mucode-{seed}", "", "", {}, "", measured(rewards), ())
        for seed, rewards in enumerate(([0.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0]))
    ]
    assert best_on_validation(pairs).group == "mucode-1"
    assert best_on_validation(pairs[2:]).group == "mucode-2"


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


@pytest.mark.parametrize(("own_turns", "alike"), [(1, False), (2, True), (3, True)])  # search.turns is 2
def test_pairs_are_compared_if_their_searches_went_over_as_many_turns(
    own_turns: int, alike: bool, tmp_path: Path
) -> None:
    write_workspace(tmp_path, generator="g1", verifier="v1", validation=[1.0, 0.0])
    config = load_config(tmp_path / "params.yaml")
    searched = {"mucode-0": {**config.plan["benchmarks"]["mucode-0"], "turns": own_turns}}
    other = config.model_copy(update={"plan": {**config.plan, "benchmarks": searched}})
    (before,), (after,) = selected_pairs(tmp_path, config), selected_pairs(tmp_path, other)
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

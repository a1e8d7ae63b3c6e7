from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from mucode.config import WITHOUT_TESTS, load_config, parse_config
from mucode.policies import UNTESTED
from mucode.types import MucodeError
from mucode.yaml_files import load_yaml

ROOT = Path(__file__).parent.parent
PARAMS = ROOT / "params.yaml"


def values() -> dict[str, Any]:
    loaded = load_yaml(PARAMS.read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_the_committed_parameters_are_valid() -> None:
    assert load_config(PARAMS).rollout.turns == 2


def test_a_misspelt_key_is_named() -> None:
    changed = values()
    changed["rollout"]["tursn"] = changed["rollout"].pop("turns")
    with pytest.raises(MucodeError, match=r"params\.yaml: rollout\.tursn is no parameter"):
        parse_config(changed, Path("params.yaml"))


def test_a_missing_key_is_named_because_there_are_no_defaults() -> None:
    changed = values()
    del changed["search"]["candidates"]
    with pytest.raises(MucodeError, match=r"search\.candidates is missing"):
        parse_config(changed, Path("params.yaml"))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("rollout", "turns", 0),
        ("rollout", "temperature", -0.1),
        ("search", "selectors", ["best"]),
        ("fine_tune", "learning_rate", "fast"),
        ("execution", "timeout", 0),
        ("execution", "timeout", float("inf")),
        ("verifier", "loss", "hinge"),
        ("study", "seeds", [0, 2**32]),
    ],
)
def test_a_value_out_of_bounds_is_named(section: str, key: str, value: object) -> None:
    changed = values()
    changed[section][key] = value
    with pytest.raises(MucodeError, match=rf"{section}\.{key}"):
        parse_config(changed, Path("params.yaml"))


@pytest.mark.parametrize(
    ("section", "value", "needed"),
    [
        ("study", None, "a block of names with values"),
        ("methods", ["mucode"], "a block of names with values"),
        ("problems", {"benchmarks": None}, "a list"),
        ("search", {"selectors": []}, "hold at least one entry"),
    ],
)
def test_a_value_of_another_shape_is_told_in_the_words_of_a_parameter_file(
    section: str, value: Any, needed: str
) -> None:
    changed = values()
    changed[section] = {**changed[section], **value} if isinstance(value, dict) else value
    with pytest.raises(MucodeError, match=rf"params\.yaml: {section}.* = .*: it must (be )?{needed}$"):
        parse_config(changed, Path("params.yaml"))


def test_a_study_of_an_unknown_method_is_refused() -> None:
    changed = values()
    changed["study"]["methods"] = ["mucode", "magic"]
    with pytest.raises(MucodeError, match="'magic'"):
        parse_config(changed, Path("params.yaml"))


def test_a_plan_that_does_not_follow_from_its_study_is_refused() -> None:
    changed = values()
    changed["study"]["iterations"] = 2
    with pytest.raises(MucodeError, match="mucode plan"):
        parse_config(changed, Path("params.yaml"))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        (
            {"selectors": ["pt", "pt+lv"]},
            r"no selector of search\.selectors can choose on starter/test/no-public-tests",
        ),
        ({"selectors": ["pt", "pt+lv", "lv"]}, None),
        ({"selectors": ["pt", "pt+lv"], "greedy": True}, None),
        ({"selectors": ["pt", "pt+lv"], "benchmarks": ["starter/test"]}, None),
    ],
)
def test_a_set_without_public_tests_needs_somebody_to_choose(changes: dict[str, Any], refusal: str | None) -> None:
    changed = values()
    (shown,) = changed["problems"]["benchmarks"]
    changed["problems"]["benchmarks"] = [shown, shown | {"public_tests": False}]
    changed["search"] |= changes
    with pytest.raises(MucodeError, match=refusal) if refusal else contextlib.nullcontext():
        parse_config(changed, Path("params.yaml"))


def test_who_can_choose_without_public_tests_is_said_in_two_places_alike() -> None:
    assert WITHOUT_TESTS == UNTESTED


def test_humaneval_is_not_taken_for_a_set_without_public_tests() -> None:
    changed = values()
    changed["problems"]["benchmarks"][0] |= {"source": "humaneval", "public_tests": False}
    with pytest.raises(MucodeError, match=r"problems\.benchmarks\.0: the prompts of humaneval show tests"):
        parse_config(changed, Path("params.yaml"))


def test_a_folder_without_parameters_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match="is missing: run in the project's folder"):
        load_config(tmp_path / "params.yaml")


def test_a_number_that_yaml_reads_as_text_is_told_how_to_be_written() -> None:
    changed = values()
    changed["fine_tune"]["learning_rate"] = load_yaml("2e-4")
    with pytest.raises(
        MucodeError, match=r"fine_tune\.learning_rate = '2e-4': YAML takes that for text: write 2\.0e-4"
    ):
        parse_config(changed, Path("params.yaml"))

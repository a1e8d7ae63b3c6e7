from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from mucode import stages
from mucode.cli import STAGES
from mucode.config import Study, load_config, parse_config
from mucode.parameters import PLAN_TITLE, with_plan
from mucode.parameters import plan as write_plan
from mucode.plan import Plan
from mucode.plan import expand as expand_with
from mucode.types import MucodeError
from mucode.workspace import parameters, sizes
from mucode.yaml_files import load_yaml

ROOT = Path(__file__).parent.parent


def expand(study: Study) -> Plan:
    """The plan of a study of the methods that params.yaml defines."""
    return expand_with(study, load_config(ROOT / "params.yaml").methods)


def study(**changes: Any) -> Study:
    values = {"methods": ("mucode",), "seeds": (0,), "iterations": 1, "verifier": "each", "final_verifier": False}
    return Study.model_validate(values | changes)


def test_one_iteration_is_algorithm_1_literally() -> None:
    plan = expand(study())
    assert list(plan["rollouts"]) == list(plan["datasets"]) == ["base-0"]
    assert plan["evaluations"]["mucode-0-1"]["verifier"] == "base-0"


TWO_ITERATIONS: Plan = {
    "rollouts": {
        "base-0": {"seed": 0, "iteration": 1, "generator": "base", "previous": "empty", "turns": 0},
        "mucode-0-2": {"seed": 0, "iteration": 2, "generator": "mucode-0/1", "previous": "base-0", "turns": 0},
    },
    "datasets": {"base-0": {"previous": "empty"}, "mucode-0-2": {"previous": "base-0"}},
    "verifiers": {
        "base-0": {"seed": 0, "dataset": "base-0", "out": "base-0"},
        "mucode-0-2": {"seed": 0, "dataset": "mucode-0-2", "out": "mucode-0/2"},
    },
    "generators": {
        "mucode-0-1": {
            "method": "mucode",
            "seed": 0,
            "out": "mucode-0/1",
            "dataset": "base-0",
            "verifier": "base-0",
        },
        "mucode-0-2": {
            "method": "mucode",
            "seed": 0,
            "out": "mucode-0/2",
            "dataset": "mucode-0-2",
            "verifier": "mucode-0/2",
        },
    },
    "evaluations": {
        "base-0": {"seed": 0, "out": "base-0/0", "generator": "base", "verifier": "base-0", "turns": 0},
        "mucode-0-1": {"seed": 0, "out": "mucode-0/1", "generator": "mucode-0/1", "verifier": "base-0", "turns": 0},
        "mucode-0-2": {"seed": 0, "out": "mucode-0/2", "generator": "mucode-0/2", "verifier": "mucode-0/2", "turns": 0},
    },
    "selections": {
        "mucode-0": {"seed": 0, "iterations": 2, "base_verifier": "base-0", "own_verifiers": "mucode-0"},
    },
    "benchmarks": {
        "base-0": {"seed": 0, "generator": "generators/base", "verifier": "verifiers/base-0", "turns": 0},
        "mucode-0": {
            "seed": 0,
            "generator": "selected/mucode-0/generator",
            "verifier": "selected/mucode-0/verifier",
            "turns": 0,
        },
    },
}


def test_two_iterations_are_algorithm_1_literally() -> None:
    assert expand(study(iterations=2)) == TWO_ITERATIONS


def told(plan: Plan) -> list[str]:
    """The iterations of a plan as docs/paper.md tells them: what each generator is made of, and who judges it."""
    trained_on = {item["out"]: item["dataset"] for item in plan["verifiers"].values()}
    lines = ["pi_0 = generators/base"]
    for number, (key, made) in enumerate(plan["generators"].items(), start=1):
        data = made["dataset"]
        assert trained_on[made["verifier"]] == data
        by = plan["rollouts"][data]["generator"].replace("base", "pi_0")
        both = "" if plan["datasets"][data]["previous"] == "empty" else " = both rounds"
        lines.append(f"i = {number} rollouts/{data} by {by} datasets/{data}{both} verifiers/{made['verifier']}")
        lines.append(f"-> generators/{made['out']} judged with verifiers/{plan['evaluations'][key]['verifier']}")
    return lines


def test_the_paper_page_tells_the_plan_of_two_iterations() -> None:
    block = (ROOT / "docs/paper.md").read_text().partition("```\n")[2].partition("\nselect ")[0]
    assert [" ".join(line.split()) for line in block.splitlines()] == told(expand(study(iterations=2)))


def test_a_final_verifier_adds_a_round_and_judges_each_generator_by_one_that_has_seen_its_rollouts() -> None:
    expected = copy.deepcopy(TWO_ITERATIONS)
    last = {"seed": 0, "iteration": 3, "generator": "mucode-0/2", "previous": "mucode-0-2", "turns": 0}
    expected["rollouts"]["mucode-0-3"] = last
    expected["datasets"]["mucode-0-3"] = {"previous": "mucode-0-2"}
    expected["verifiers"]["mucode-0-3"] = {"seed": 0, "dataset": "mucode-0-3", "out": "mucode-0/3"}
    expected["evaluations"]["mucode-0-1"]["verifier"] = "mucode-0/2"
    expected["evaluations"]["mucode-0-2"]["verifier"] = "mucode-0/3"
    assert expand(study(iterations=2, final_verifier=True)) == expected


def test_methods_share_what_precedes_the_first_fine_tuning() -> None:
    plan = expand(study(methods=("mucode", "mucode_ov"), iterations=2))
    assert list(plan["rollouts"]) == ["base-0", "mucode-0-2", "mucode_ov-0-2"]


def test_each_iteration_adds_to_the_data_of_the_one_before() -> None:
    plan = expand(study(iterations=3))
    assert plan["datasets"]["mucode-0-2"]["previous"] == "base-0"
    assert plan["datasets"]["mucode-0-3"]["previous"] == "mucode-0-2"
    assert plan["rollouts"]["mucode-0-3"]["generator"] == "mucode-0/2"


def test_the_final_verifier_has_seen_the_last_generators_rollouts() -> None:
    plan = expand(study(iterations=2, final_verifier=True))
    assert plan["rollouts"]["mucode-0-3"]["generator"] == "mucode-0/2"
    assert plan["evaluations"]["mucode-0-2"]["verifier"] == "mucode-0/3"
    assert plan["evaluations"]["mucode-0-1"]["verifier"] == "mucode-0/2"


@pytest.mark.parametrize("final_verifier", [False, True])
@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_whatever_an_instance_reads_another_makes(iterations: int, final_verifier: bool) -> None:
    plan = expand(
        study(methods=("mucode", "mucode_lv"), seeds=(0, 1), iterations=iterations, final_verifier=final_verifier)
    )
    datasets = {*plan["datasets"], "empty"}
    verifiers = {item["out"] for item in plan["verifiers"].values()}
    generators = {"base", *(item["out"] for item in plan["generators"].values())}
    assert all(item["previous"] in datasets for item in plan["datasets"].values())
    assert set(plan["datasets"]) == set(plan["rollouts"])
    assert all(item["generator"] in generators for item in plan["rollouts"].values())
    assert all(item["dataset"] in datasets and item["verifier"] in verifiers for item in plan["generators"].values())
    assert all(i["generator"] in generators and i["verifier"] in verifiers for i in plan["evaluations"].values())


@pytest.mark.parametrize("size", sizes(ROOT))
def test_every_profile_gives_valid_parameters(size: str) -> None:
    parse_config(load_yaml(parameters(size, ROOT)), Path(size))


def test_making_the_plan_anew_keeps_the_comments_above_it() -> None:
    text = (ROOT / "params.yaml").read_text()
    assert with_plan(text, ROOT / "params.yaml") == text
    assert "# Algorithm 1, line 1" in text


def test_a_plan_that_has_lost_the_line_above_it_is_not_written_twice(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text((ROOT / "params.yaml").read_text().replace(PLAN_TITLE, ""))
    before = params.read_bytes()
    with pytest.raises(
        MucodeError, match=r"params\.yaml: the comment above plan is gone.*: remove what begins with `plan:`"
    ):
        write_plan(params)
    assert params.read_bytes() == before


def test_a_file_with_nothing_above_its_plan_is_told_what_is_missing(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text(f"{PLAN_TITLE}plan: {{}}\n")
    with pytest.raises(MucodeError, match=r"params\.yaml: problems is missing: add it"):
        write_plan(params)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("  timeout: 5.0", "  timeout: -5.0"),
        ("  engine: transformers", "  engine: tensorrt"),
        ("  iterations: 1", "  iterations: -1"),
        ("    imitate: expert", "    imitate: nobody"),
        ("methods: [mucode]", "methods: [magic]"),
        ("\nreport:", "\nrepotr: {}\nreport:"),
    ],
)
def test_no_plan_is_written_for_parameters_that_the_stages_refuse_and_the_sentence_is_theirs(
    right: str, wrong: str, tmp_path: Path
) -> None:
    params, text = tmp_path / "params.yaml", (ROOT / "params.yaml").read_text()
    assert right in text
    params.write_text(text.replace(right, wrong, 1))
    before = params.read_bytes()
    with pytest.raises(MucodeError) as of_the_stages:
        load_config(params)
    with pytest.raises(MucodeError) as refused:
        write_plan(params)
    assert str(refused.value) == str(of_the_stages.value)
    assert params.read_bytes() == before


def test_a_plan_is_written_for_parameters_that_had_none_of_theirs(tmp_path: Path) -> None:
    params, text = tmp_path / "params.yaml", (ROOT / "params.yaml").read_text()
    params.write_text(text.replace("  iterations: 1", "  iterations: 2", 1))
    write_plan(params)
    assert "mucode-0-2" in load_config(params).plan["generators"]


def test_the_command_line_knows_exactly_the_stages_of_dvc_yaml() -> None:
    pipeline = load_yaml((ROOT / "dvc.yaml").read_text())["stages"]
    assert tuple(pipeline) == STAGES
    assert all(callable(getattr(stages, name)) for name in STAGES)


def test_what_a_stage_reads_and_writes_is_on_its_command_line() -> None:
    pipeline = load_yaml((ROOT / "dvc.yaml").read_text())["stages"]
    for name, stage in pipeline.items():
        body = stage.get("do", stage)
        paths = [path for path in (*body["deps"], *body["outs"]) if path.startswith("data/")]
        missing = [path for path in paths if path not in body["cmd"]]
        assert not missing, f"{name}: {missing}"


def test_no_rollout_reads_a_private_test() -> None:
    pipeline = load_yaml((ROOT / "dvc.yaml").read_text())["stages"]
    readers = {name for name, stage in pipeline.items() if "answers" in stage.get("do", stage)["cmd"]}
    assert readers == {"prepare", "base_model", "label", "validate", "evaluate", "benchmark"}
    names = {field.lower() for field in re.findall(r"private\w*", (ROOT / "mucode/rollout.py").read_text())}
    assert names <= {"private"}


def test_the_committed_plan_is_the_one_of_its_study() -> None:
    config = load_config(ROOT / "params.yaml")
    assert config.plan == expand(config.study)


def test_methods_that_train_nothing_add_no_work() -> None:
    assert expand(study(methods=("instruct_single", "instruct", "mucode"))) == expand(study())


def test_a_single_turn_method_rolls_out_and_searches_one_turn_and_shares_the_first_rollouts() -> None:
    plan = expand(study(methods=("star", "multi_star"), iterations=2))
    assert list(plan["rollouts"]) == ["base-0", "star-0-2", "multi_star-0-2"]
    assert [item["turns"] for item in plan["rollouts"].values()] == [0, 1, 0]
    assert (plan["benchmarks"]["star-0"]["turns"], plan["benchmarks"]["multi_star-0"]["turns"]) == (1, 0)


def test_a_verifier_trained_once_serves_every_iteration() -> None:
    plan = expand(study(iterations=3, verifier="once"))
    assert list(plan["verifiers"]) == ["base-0"]
    assert {item["verifier"] for item in plan["generators"].values()} == {"base-0"}
    assert {item["verifier"] for item in plan["evaluations"].values()} == {"base-0"}
    assert plan["selections"]["mucode-0"]["own_verifiers"] == "base-0"


def test_a_final_verifier_cannot_be_trained_where_one_is_trained_only_once() -> None:
    with pytest.raises(ValueError, match="set verifier to each"):
        study(final_verifier=True, verifier="once")

"""What generators were trained on, by hand."""

from __future__ import annotations

from pathlib import Path

from mucode.config import Config
from mucode.records import write_rows
from mucode.study.imitated import Imitated, imitated
from mucode.types import Completion, Demonstration, Status, Turn, Verdict
from tests.report.study import make_config

FAILED = (Turn(Completion("wrong", "wrong"), Verdict(Status.FAILED, 0, 1, "AssertionError")),)


def of_one_generator(states_per_problem: int) -> tuple[Config, str]:
    config = make_config(
        study={"methods": ["mucode"], "iterations": 1}, fine_tune={"states_per_problem": states_per_problem}
    )
    (key,) = config.plan["generators"]
    return config, key


def test_weight_after_a_failure_is_counted_by_weight_and_not_by_rows(tmp_path: Path) -> None:
    config, key = of_one_generator(0)
    rows = [
        Demonstration("a", (), "x", weight=5.0),
        Demonstration("a", FAILED, "x", weight=2.0),
        Demonstration("b", (), "x", weight=1.0),
    ]
    write_rows(tmp_path / f"{key}.parquet", rows, Demonstration)
    assert list(imitated(tmp_path, config)) == [
        Imitated(key, demonstrations=3, problems=2, first_turns=2, programs=2, after_failure=1, weight=0.25)
    ]


def test_only_the_states_that_the_cap_leaves_are_counted(tmp_path: Path) -> None:
    config, key = of_one_generator(1)
    rows = [Demonstration("a", (), "x"), Demonstration("a", FAILED, "x")]
    write_rows(tmp_path / f"{key}.parquet", rows, Demonstration)
    (found,) = imitated(tmp_path, config)
    assert (found.demonstrations, found.first_turns + found.after_failure, found.weight) == (1, 1, found.after_failure)


def test_a_generator_that_had_nothing_to_imitate_has_no_weight(tmp_path: Path) -> None:
    config, key = of_one_generator(0)
    write_rows(tmp_path / f"{key}.parquet", [], Demonstration)
    assert list(imitated(tmp_path, config)) == [Imitated(key, 0, 0, 0, 0, 0, 0.0)]

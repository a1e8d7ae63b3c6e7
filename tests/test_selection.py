from __future__ import annotations

from pathlib import Path

import pytest

from mucode.records import SearchChoice, write_json, write_rows
from mucode.selection import accuracy, best_pair
from mucode.types import MucodeError


def choice(problem: str, reward: float, selector: str = "pt+lv", final: bool = True) -> SearchChoice:
    return SearchChoice("toy/validation", problem, 0, selector, 4, 1, "state", 0, bool(reward), reward, final)


def write_evaluation(folder: Path, rewards: list[float]) -> None:
    write_rows(folder / "choices.parquet", [choice(str(i), r) for i, r in enumerate(rewards)], SearchChoice)
    write_json(folder / "pair.json", {"generator": f"generators/{folder.name}", "verifier": f"verifiers/{folder.name}"})


def test_the_pair_with_the_highest_validation_accuracy_wins(tmp_path: Path) -> None:
    for name, rewards in {"1": [1.0, 0.0], "2": [1.0, 1.0], "3": [0.0, 1.0]}.items():
        write_evaluation(tmp_path / name, rewards)
    pair, accuracies = best_pair(tmp_path, iterations=3)
    assert pair.generator == Path("generators/2")
    assert accuracies == {"1": 0.5, "2": 1.0, "3": 0.5}


def test_a_tie_goes_to_the_earlier_iteration(tmp_path: Path) -> None:
    for name in ("1", "2"):
        write_evaluation(tmp_path / name, [1.0])
    assert best_pair(tmp_path, iterations=2)[0].generator == Path("generators/1")


def test_an_iteration_that_the_study_no_longer_has_does_not_count(tmp_path: Path) -> None:
    for name, reward in (("1", 0.0), ("2", 1.0)):
        write_evaluation(tmp_path / name, [reward])
    assert best_pair(tmp_path, iterations=1)[0].generator == Path("generators/1")


def test_only_the_final_programs_of_the_headline_selector_count() -> None:
    choices = [choice("a", 1.0), choice("b", 0.0), choice("b", 1.0, "random"), choice("b", 1.0, final=False)]
    assert accuracy(choices) == 0.5


def test_the_first_selector_in_params_yamls_order_that_was_run_decides() -> None:
    order = ["pt+lv", "lv", "pt", "random"]
    choices = [choice("a", float(place), selector) for place, selector in enumerate(order)]
    assert [accuracy(choices[place:][::-1]) for place in range(len(order))] == [0.0, 1.0, 2.0, 3.0]


def test_a_search_by_the_oracle_alone_cannot_choose() -> None:
    with pytest.raises(MucodeError, match=r"search\.validation_selectors"):
        accuracy([choice("a", 1.0, "oracle")])

"""The study's profiles keep what the plan promises: one primary comparison, and everything common shared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mucode.config import Config
from mucode.study.budget import Rates, budget_table, failing, piece_config, rows_table, works
from mucode.study.pieces import PIECES, Piece, chosen
from mucode.study.primary import OURS, RIVAL, SEARCHES, detectable, planned_error
from mucode.types import MucodeError
from mucode.workspace import DEFAULT

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def configs() -> dict[str, Config]:
    return {piece.name: piece_config(piece, DEFAULT, ROOT) for piece in PIECES}


def test_every_profile_of_the_study_is_a_piece_and_every_piece_has_one() -> None:
    assert {piece.name for piece in PIECES} == {path.stem for path in (ROOT / "profiles/study").glob("*.yaml")}


def test_pieces_come_in_the_study_s_order_whatever_order_they_are_asked_for_in() -> None:
    assert [piece.name for piece in chosen(["loss", "main"])] == ["main", "loss"]
    assert chosen([]) == list(PIECES)


def test_an_unknown_piece_is_refused_with_those_there_are() -> None:
    with pytest.raises(MucodeError, match="no piece 'mian': choose among main, methods"):
        chosen(["mian"])


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.name)
def test_base_rollouts_and_trainings_are_the_same_in_every_piece(piece: Piece, configs: dict[str, Config]) -> None:
    main, own = configs["main"], configs[piece.name]
    for section in ("problems", "model", "execution", "rollout", "gates", "fine_tune", "methods"):
        assert getattr(own, section) == getattr(main, section), section
    changed = own.verifier.model_dump().items() ^ main.verifier.model_dump().items()
    assert {name for name, _ in changed} == ({"loss"} if piece.name == "loss" else set())


def test_the_main_piece_decides_the_primary_comparison(configs: dict[str, Config]) -> None:
    main = configs["main"]
    assert {OURS.method, RIVAL.method} <= set(main.study.methods)
    assert [each.name for each in main.test_sets] == [OURS.benchmark]
    assert (main.search.candidates, main.search.turns) == (OURS.n, OURS.turns)
    assert OURS.selector in main.search.selectors
    assert len(main.study.seeds) * main.search.searches >= SEARCHES


def test_the_two_primary_policies_differ_by_the_method_alone() -> None:
    assert (OURS.benchmark, OURS.selector, OURS.n, OURS.turns) == (
        RIVAL.benchmark,
        RIVAL.selector,
        RIVAL.n,
        RIVAL.turns,
    )


def test_the_model_is_named_by_the_commit_of_its_weights(configs: dict[str, Config]) -> None:
    assert re.fullmatch(r"hub:Qwen/Qwen2\.5-Coder-0\.5B-Instruct@[0-9a-f]{40}", configs["main"].model.setting)


def test_150_problems_of_which_15_percent_are_discordant_give_a_standard_error_of_3_2_points() -> None:
    assert 100 * planned_error(150) == pytest.approx(3.16, abs=0.01)
    assert detectable(1.0) == pytest.approx(2.80, abs=0.01)


def test_the_primary_comparison_fits_eight_hours(configs: dict[str, Config]) -> None:
    seconds = sum(work.seconds(Rates(170.0, 350.0, 100.0)) for work in works(configs["main"]))
    assert 1 < seconds / 3600 < 8


def test_the_budget_counts_what_pieces_share_once(configs: dict[str, Config]) -> None:
    made = {name: {work.made_of: work.kind for work in works(config)} for name, config in configs.items()}

    def own(name: str, before: str) -> set[str]:
        return {made[name][each] for each in made[name].keys() - made[before].keys()}

    assert own("humaneval", "main") == own("selectors", "main") == {"searches"}
    assert own("feedback", "candidates") == {"searches"}
    for name in ("rft", "loss", "blind"):
        assert own(name, "candidates") == {"trainings", "searches"}
    assert own("verifier", "candidates") == {"rollouts", "trainings", "searches"}


def test_pieces_of_one_method_that_are_compared_have_the_same_seeds(configs: dict[str, Config]) -> None:
    seeds = {name: configs[name].study.seeds for name in ("candidates", "rft", "loss", "verifier", "feedback", "blind")}
    assert set(map(tuple, seeds.values())) == {(2,)}


def test_a_second_iteration_of_the_same_study_costs_more(configs: dict[str, Config]) -> None:
    rates, main = Rates(170.0, 350.0, 100.0), configs["main"]
    fewer = main.model_copy(update={"search": main.search.model_copy(update={"searches": 1})})
    assert sum(w.seconds(rates) for w in works(fewer)) < sum(w.seconds(rates) for w in works(main))


def test_the_table_s_last_hours_are_the_sum_of_all() -> None:
    lines = budget_table(ROOT, DEFAULT, Rates(170.0, 350.0, 100.0)).splitlines()[2 : 2 + len(PIECES)]
    hours = [[float(cell) for cell in line.split("|")[6:8]] for line in lines]
    assert hours[-1][1] == pytest.approx(sum(own for own, _ in hours), abs=0.05)


def test_the_rows_of_a_piece_are_the_instances_of_its_plan(configs: dict[str, Config]) -> None:
    lines = rows_table(ROOT, chosen(["verifier"])[0], DEFAULT, Rates(170.0, 350.0, 100.0)).splitlines()[2:]
    plan, names = configs["verifier"].plan, [line.split("|")[2].strip() for line in lines]
    stages = {"rollouts": "roll_out", "verifiers": "train_verifier", "generators": "fine_tune"}
    stages |= {"evaluations": "evaluate", "benchmarks": "benchmark"}
    assert names == [f"{stage}@{key}" for section, stage in stages.items() for key in plan[section]]


def test_more_samples_leave_fewer_problems_without_a_public_pass() -> None:
    shares = [failing(n) for n in range(1, 9)]
    assert shares[0] == pytest.approx(0.9 / 1.3)
    assert shares == sorted(shares, reverse=True)

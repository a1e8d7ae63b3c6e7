"""What a study like ours would need: worlds like its base model's, and the counting of problems."""

from __future__ import annotations

import dataclasses
import math

import pytest

from benchmarks.theory.generator import TabularGenerator
from benchmarks.theory.loop import Size, make_ground, rolled_out
from benchmarks.theory.methods import Rewards
from benchmarks.theory.needed import LIKE_OURS, base_model, lines, needed
from benchmarks.theory.world import Assumptions

MEASURED = (
    0.275,
    0.45,
    0.019,
)  # both seeds of the study's rollouts (docs/log.md): 800 first programs, 80 problems, 1,027


@pytest.mark.slow
def test_the_worlds_base_model_does_what_the_study_s_does() -> None:
    found = base_model(LIKE_OURS, problems=300, seeds=4)
    assert (found.first, found.solved) == pytest.approx(MEASURED[:2], abs=0.03)
    assert found.repaired == pytest.approx(MEASURED[2], abs=0.005)


def test_nothing_solves_a_hopeless_problem() -> None:
    ground = make_ground(0, dataclasses.replace(Assumptions(), hopeless=1.0), Size(train=60, test=0))
    assert not any(row.reward for row in rolled_out(ground, TabularGenerator(ground.world), 3, 1))


def test_without_hopeless_problems_the_world_is_the_one_of_the_theory() -> None:
    plain, none = (
        make_ground(0, given, Size(train=40, test=0)) for given in (Assumptions(), Assumptions(hopeless=0.0))
    )
    assert plain.answers == none.answers


def test_a_lead_half_as_large_needs_four_times_as_many_problems() -> None:
    rival: Rewards = {str(k): (0.0,) for k in range(1000)}
    ours: Rewards = {str(k): (float(k < 100),) for k in range(1000)}
    half: Rewards = {str(k): (float(k < 75) - float(75 <= k < 100),) for k in range(1000)}  # the same spread
    variance = 0.1 * 0.9 * 1000 / 999
    assert needed(rival, ours) == pytest.approx(2.802**2 * variance / 0.1**2, rel=1e-3)
    assert needed(rival, half) > 4 * needed(rival, ours)
    assert needed(ours, rival) == math.inf


def test_the_table_has_a_row_for_each_measure_and_says_what_its_base_model_does() -> None:
    found = list(lines(LIKE_OURS, classes=[8], train=[40], test=30, seeds=1))
    assert len({line.count("|") for line in found[:4]}) == 1
    assert found[-1].startswith("1 worlds, 30 held-out problems each. The base model: first programs right ")

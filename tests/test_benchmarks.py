"""The pure parts of the benchmarks; what they measure, they show when they are run."""

from pathlib import Path

import pytest

from benchmarks.apart import Apart
from benchmarks.rollouts import __main__ as rollouts
from benchmarks.rollouts.systems import System as Player
from benchmarks.rollouts.systems import Told as Played
from benchmarks.training import __main__ as training
from benchmarks.training.data import Part, candidates, demonstrations
from benchmarks.training.systems import System, Told
from mucode.types import MucodeError
from mucode.verifier.pairs import preference_pairs


def test_a_part_holds_every_distinct_state_of_its_own_problems() -> None:
    part = Part(first=1, problems=2, rollouts=2, turns=3, wrong=2)
    states, problems = demonstrations(part)
    assert len(problems) == 2
    assert {state.problem_id for state in states} == {problem.id for problem in problems}
    assert len(states) == 2 * (1 + 2 * 2)  # turn 1 is common to a problem's rollouts
    assert {len(state.history) for state in states} == {0, 1, 2}
    assert {state.weight for state in states} == {1.0}


def test_each_wrong_program_gives_a_pair() -> None:
    part = Part(first=0, problems=3, rollouts=1, turns=2, wrong=2)
    programs, problems = candidates(part)
    pairs = preference_pairs(programs, part.wrong, seed=0)
    assert [pair.problem_id for pair in pairs] == [problem.id for problem in problems for _ in range(part.wrong)]


@pytest.mark.slow
@pytest.mark.parametrize("size", training.SIZES)
def test_the_parts_of_a_size_have_no_problem_in_common(size: str) -> None:
    of_parts = [{problem.id for problem in candidates(part)[1]} for part in training.parts(size)]
    assert all(len(names) == part.problems for names, part in zip(of_parts, training.parts(size), strict=True))
    assert len(set.union(*of_parts)) == sum(map(len, of_parts))


def told(name: str, *trainings: Told) -> System:
    """A system that has trained, without a process."""
    system = System.__new__(System)
    system.name, system.total = name, Told()
    for each in trainings:
        system.total.add(each)
    return system


def test_a_ratio_is_of_all_trainings_and_only_of_what_both_did() -> None:
    ours = told("ours sft", Told(100, 2.0, 3.0, 1.0, [0.5]), Told(100, 3.0, 3.0, 2.0, [0.7]))
    theirs = told("trl sft", Told(100, 5.0, 9.0, 4.0, [0.5]), Told(100, 5.0, 9.0, 3.0, [0.7]))
    assert training.summary([ours, theirs, told("ours reward", Told(1, 1.0, 1.0))]) == {
        "ratio_trl_sft": 2.0,
        "processor_ratio_trl_sft": 3.0,
        "peak_gb": {"ours sft": 2.0, "trl sft": 4.0, "ours reward": 0.0},
    }
    rows = [line.split() for line in training.table([ours, theirs])]
    assert rows[1] == ["ours", "sft", "200", "40.0", "5.0", "6.0", "0.6000", "2.00"]


def test_a_system_whose_process_ends_is_named(tmp_path: Path) -> None:
    process = Apart("benchmarks.no_such_benchmark", "ours", tmp_path)
    with pytest.raises(MucodeError, match="'ours' ended"):
        process.ask(problems=1)
    process.close()


def played(name: str, *times: Played) -> Player:
    """A system that has rolled out, without a process."""
    system = Player.__new__(Player)
    system.name, system.total = name, Played()
    for each in times:
        system.total.add(each)
    return system


def test_systems_are_compared_by_their_seconds_per_rollout() -> None:
    ours = played("arrival", *[Played(8, 20, 400, 2, seconds=4.0, processor=6.0, idle=0.1, peak_gb=1.5)] * 2)
    alone = played("one by one", Played(2, 6, 300, 1, seconds=10.0, peak_gb=1.0))
    assert rollouts.summary([ours, alone]) == {
        "ratio_one_by_one": 10.0,
        "idle_share": 0.025,
        "tokens_per_second": 100.0,
        "peak_gb": {"arrival": 1.5, "one by one": 1.0},
    }
    rows = [line.split() for line in rollouts.table([ours])]
    assert rows[1] == ["arrival", "16", "40", "4", "800", "100.0", "8.0", "0.500", "12.0", "2.5%", "1.50"]

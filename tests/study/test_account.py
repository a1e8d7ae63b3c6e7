"""How the results came about."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

from mucode.config import load_config
from mucode.records import SearchChoice, SearchSample, read_rows
from mucode.report.sources import Material, Origin, Searches
from mucode.study.collected import Collected, collect, read_collected
from mucode.study.drawn import drawn
from mucode.study.page import markdown
from mucode.study.pieces import chosen
from tests.study.conftest import ROOT, finish
from tests.study.pieces import only


def test_tokens_of_stages_that_pieces_share_count_once_in_the_total(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    alone, twice = (
        [line for line in markdown(own).splitlines() if line.startswith("| together")]
        for own in ([main], [main, dataclasses.replace(main, name="methods")])
    )
    assert alone[0].split("|")[4:] == twice[0].split("|")[4:]
    assert sum(each.generated for each in main.account.tokens) > 0


def test_the_account_counts_what_there_was_to_learn_from(pieces: list[Collected]) -> None:
    data = only(pieces, "main").account.data
    assert [row.key for row in data] == ["base-0", "base-1"]
    assert all(row.repaired <= row.failures and row.solved <= row.problems == 8 for row in data)
    assert all(row.turns == row.rollouts + row.failures for row in data)
    assert {row.benchmark for row in only(pieces, "main").account.ranked} == {"mbpp/test"}


def test_a_verifier_is_measured_on_problems_that_have_something_to_rank(tmp_path: Path) -> None:
    (piece,) = chosen(["selectors"])
    workspace = finish(piece, tmp_path / "work")
    collect(workspace, tmp_path / "selectors")
    (all_, passers) = (row for row in read_collected(tmp_path / "selectors").account.ranked if row.group == "mucode-0")
    samples = read_rows(workspace / "data/benchmarks/mucode-0/samples.parquet", SearchSample)
    for row, own in ((all_, samples), (passers, [s for s in samples if s.public_passed])):
        programs = {(s.problem_id, s.program): s.reward == 1.0 for s in own if s.program is not None}
        kinds = {p: {right for (q, _), right in programs.items() if q == p} for p, _ in programs}
        both = [right for (p, _), right in programs.items() if len(kinds[p]) == 2]
        assert (row.programs, row.correct) == (len(both), sum(both))
        assert (0 if row.auc is None else row.auc.n) == sum(len(kind) == 2 for kind in kinds.values())
    assert (all_.among, passers.among) == ("all", "passers")
    assert 0 < passers.programs < all_.programs


def test_the_account_tells_what_generators_imitated(pieces: list[Collected]) -> None:
    found = {row.key: row for row in only(pieces, "main").account.imitated}
    ours, rival = found["mucode-0-1"], found["multi_star-0-1"]
    assert ours.weight > rival.weight > 0
    assert ours.programs == ours.problems < rival.programs


def test_what_was_drawn_is_told_turn_by_turn(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    rows = [row for row in main.account.drawn if row.group == "instruct-0"]
    assert [row.turn for row in rows] == [1, 2, 3]
    first = rows[0]
    assert (first.states, first.right.n, first.again) == (16, 8, None)  # 8 problems, 2 searches
    assert first.programs == 16 * main.material.config.search.candidates
    assert all(0 <= row.wrong_passers <= row.passers <= row.programs for row in rows)
    assert all(row.right.value * row.programs <= row.programs - row.wrong_passers for row in rows)
    assert all(later.states <= before.states for before, later in itertools.pairwise(rows))
    assert all(row.again is not None and 0 <= row.again.value <= 1 for row in rows[1:])
    assert all(0 < row.distinct.value <= 1 for row in rows)
    assert any(line.startswith("| instruct-0") and "mbpp/test" in line for line in markdown([main]).splitlines())


def test_a_program_that_has_just_failed_is_known_again() -> None:
    """Two candidates: the first turn's choice fails, one of the second turn's programs is the same text."""
    sample = SearchSample("mbpp/test", "p", 0, 1, "s1", 0, "wrong", False, 0.5, 0.0, 9)
    again = dataclasses.replace(sample, turn=2, state="s2")
    samples = (
        sample,
        dataclasses.replace(sample, candidate=1, program="other", score=0.1),
        again,
        dataclasses.replace(again, candidate=1, program="right", public_passed=True, reward=1.0),
        dataclasses.replace(again, candidate=-1, program="wrong"),  # a greedy reply is no candidate
    )
    first = SearchChoice("mbpp/test", "p", 0, "pt+lv", 2, 1, "s1", 0, False, 0.0, False)
    second = dataclasses.replace(first, turn=2, state="s2", candidate=1, public_passed=True, reward=1.0)
    third = dataclasses.replace(second, turn=3, final=True)  # the search has ended: its choice stays
    config = load_config(ROOT / "params.yaml")
    config = config.model_copy(update={"search": config.search.model_copy(update={"candidates": 2})})
    benchmark = config.problems.benchmarks[0].model_copy(update={"source": "mbpp"})
    config = config.model_copy(
        update={
            "problems": config.problems.model_copy(update={"benchmarks": [benchmark]}),
            "search": config.search.model_copy(update={"benchmarks": ["mbpp/test"]}),
        }
    )
    material = Material(config, {}, (), {}, {}, {Origin("mucode", 0): Searches(samples, (first, second, third))}, ())
    one, two = drawn(material)
    assert (one.turn, one.states, one.programs, one.right.value, one.distinct.value) == (1, 1, 2, 0.0, 1.0)
    assert (two.turn, two.states, two.programs, two.right.value) == (2, 1, 2, 0.5)
    assert [(each.passers, each.wrong_passers) for each in (one, two)] == [(0, 0), (1, 0)]
    assert two.again is not None
    assert two.again.value == 0.5

"""What stands beside the study's numbers: how many would hold by chance, what is special, what they rest on."""

from __future__ import annotations

import dataclasses
from itertools import product

import pytest

from mucode.config import BenchmarkSet
from mucode.metrics import Comparison, Estimate, mcnemar
from mucode.problems import load_split
from mucode.study.claims import by_chance, claims_table
from mucode.study.collected import Collected
from mucode.study.page import markdown
from mucode.study.primary import LEVEL
from mucode.study.sections import HUMANEVAL_TESTS, UNTESTED, facts
from mucode.study.tables import by_n_table, selectors_table
from tests.study.pieces import only


def changed(better: int, worse: int) -> Comparison:
    return Comparison(Estimate(0.0, -1.0, 1.0, 30), better, worse, mcnemar(better, worse))


@pytest.mark.parametrize("discordant", [0, 5, 6, 9, 12])
def test_chance_alone_lets_as_many_hold_as_coins_would(discordant: int) -> None:
    tosses = list(product((0, 1), repeat=discordant))
    held = sum(2 * sum(toss) > discordant and mcnemar(sum(toss), discordant - sum(toss)) < LEVEL for toss in tosses)
    assert by_chance([changed(discordant, 0)]) == pytest.approx(held / len(tosses))
    assert by_chance([changed(discordant, 0), changed(0, discordant)]) == pytest.approx(2 * held / len(tosses))


def test_the_claims_say_how_many_would_hold_if_nothing_were_true(pieces: list[Collected]) -> None:
    table = claims_table(pieces, judge=True)
    assert f"of these {len(table.rows)} hold on average" in table.caption


def test_so_many_of_humaneval_s_problems_show_no_public_test() -> None:
    rows = load_split("humaneval", "test", 82, None)
    assert sum(not problem.public_tests for problem, _ in rows) == UNTESTED


def test_the_page_says_so_where_they_were_searched(pieces: list[Collected]) -> None:
    piece = only(pieces, "main")
    assert ("HumanEval", HUMANEVAL_TESTS) not in facts([piece])
    found = BenchmarkSet(source="humaneval", split="test", limit=82, public_tests=True, feedback="execution")
    problems = piece.material.config.problems.model_copy(update={"benchmarks": [found]})
    search = piece.material.config.search.model_copy(update={"benchmarks": [found.name]})
    config = piece.material.config.model_copy(update={"problems": problems, "search": search})
    material = dataclasses.replace(piece.material, config=config)
    assert ("HumanEval", HUMANEVAL_TESTS) in facts([dataclasses.replace(piece, material=material)])


def test_captions_name_the_seeds_that_a_table_rests_on(pieces: list[Collected]) -> None:
    assert "three turns, seed 2; N = 1" in by_n_table(pieces).caption
    assert selectors_table(pieces).caption.endswith("the same searches, seed 0.")


def test_a_page_of_one_piece_speaks_of_no_seeds_that_it_has_not(pieces: list[Collected]) -> None:
    text = markdown([only(pieces, "blind")])
    assert "run so far have (no public tests, lv: seed 2); a search" in text
    assert "best of 5: without (lv, seed 2)." in text
    assert "none" not in text[text.index("## By turn") : text.index("## What holds")]
    assert "run so far have; a search" in markdown([only(pieces, "loss")])

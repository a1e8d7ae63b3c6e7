"""What fresh programs would have been worth instead of further turns."""

from __future__ import annotations

import dataclasses
from statistics import fmean

import pytest

from mucode.metrics import Outcomes
from mucode.records import SearchChoice, SearchSample
from mucode.report.sources import Origin, Searches
from mucode.study.cells import Spec, find
from mucode.study.collected import Collected
from mucode.study.fresh import fresh, fresh_tables
from tests.study.pieces import only, without

SAMPLE = SearchSample("mbpp/test", "p", 0, 1, "s0", 0, "", False, 0.5, 0.0, 9)
CHOICE = SearchChoice("mbpp/test", "p", 0, "pt+lv", 2, 1, "s0", 0, False, 0.0, False)


def mean(outcomes: Outcomes) -> float:
    return fmean(fmean(values) for values in outcomes.values())


def by_hand(pieces: list[Collected], passed: bool) -> Collected:
    """One problem, two searches of two programs and two turns: the first fails, the other passes at once or not."""
    first = [SAMPLE, dataclasses.replace(SAMPLE, candidate=1, score=0.1)]
    other = [dataclasses.replace(row, search=1) for row in first]
    if passed:
        other[1] = dataclasses.replace(other[1], public_passed=True, reward=1.0)
    choices = [
        CHOICE,
        dataclasses.replace(CHOICE, turn=2, state="s1", final=True),
        dataclasses.replace(CHOICE, search=1, candidate=int(passed), public_passed=passed, reward=float(passed)),
    ]
    again = dataclasses.replace(choices[2], turn=2, final=True)
    choices.append(again if passed else dataclasses.replace(again, state="s1"))
    main = only(pieces, "main")
    config = main.material.config
    config = config.model_copy(update={"search": config.search.model_copy(update={"candidates": 2})})
    test = {Origin("mucode", 0): Searches((*first, *other), tuple(choices))}
    return dataclasses.replace(main, material=dataclasses.replace(main.material, config=config, test=test))


def test_a_search_that_failed_asks_once_more_and_gets_what_the_other_one_drew(pieces: list[Collected]) -> None:
    (found,) = fresh([by_hand(pieces, passed=True)])
    assert found.turns == {"p": (0.0, 1.0)}
    assert found.fresh == {"p": (1.0, 1.0)}
    assert (found.turns_drawn, found.fresh_drawn) == (3.0, 3.0)  # 4 and 2 programs each way
    assert (found.after_turns, found.after_fresh) == ({"p": (0.0,)}, {"p": (1.0,)})


def test_where_both_failed_nothing_is_gained(pieces: list[Collected]) -> None:
    (found,) = fresh([by_hand(pieces, passed=False)])
    assert (found.turns, found.fresh) == ({"p": (0.0, 0.0)}, {"p": (0.0, 0.0)})
    assert (found.turns_drawn, found.fresh_drawn) == (4.0, 4.0)


@pytest.mark.parametrize("method", ["instruct", "multi_star", "mucode"])
def test_the_turns_are_those_of_the_page_and_fresh_programs_never_lose_a_pass(
    pieces: list[Collected], method: str
) -> None:
    main = only(pieces, "main")
    found = next(one for one in fresh([main]) if one.method == method)
    usual, first = find([main], Spec(method)), find([main], Spec(method, turns=1))
    assert usual is not None
    assert first is not None
    assert found.turns == usual.outcomes()
    assert mean(found.fresh) >= mean(first.outcomes())


def test_what_rests_on_other_seeds_is_not_compared(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    *_, across = fresh_tables([main])
    assert {row[0] for row in across.rows} == {"mbpp/test"}
    assert len(fresh_tables([without(main, Origin("mucode", 1))])) == 2  # the rows of each method, none across


def test_a_piece_with_one_search_has_no_fresh_programs(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    assert fresh_tables([without(main, *main.material.test)]) == []
    assert fresh([only(pieces, "loss")]) == []

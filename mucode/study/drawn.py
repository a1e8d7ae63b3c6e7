"""What searches drew turn by turn: after a failure, is the next program another one, and is it right?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mucode.metrics import Bootstrap, Estimate, Outcomes, estimate
from mucode.records import SearchChoice, SearchSample
from mucode.report.results import bootstrap
from mucode.report.sources import Material, Searches

SELECTORS = ("pt+lv", "lv")  # the first of them that searched


@dataclass(frozen=True, slots=True)
class Drawn:
    """The programs of one turn of one pair's searches on a test set. Shares are means over the problems that got so far."""

    group: str
    benchmark: str
    turn: int
    states: int
    programs: int
    passers: int  # programs that pass the public test; without public tests 0
    wrong_passers: int  # of these, those that fail a private one
    right: Estimate
    again: Estimate | None  # the very text that failed in the turn before; of turn 1 None
    distinct: Estimate  # different texts among a state's programs

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Drawn:
        found = {name: values[name] and Estimate(**values[name]) for name in ("right", "again", "distinct")}
        return cls(**{**values, **found})


@dataclass(frozen=True, slots=True)
class _Visit:
    """A state at which one search drew its programs."""

    problem_id: str
    turn: int
    samples: Sequence[SearchSample]
    failed: str | None  # the program chosen in the turn before


def drawn(material: Material) -> Iterator[Drawn]:
    """Of every pair, test set and turn."""
    n = material.config.search.candidates
    for origin, searches in sorted(material.test.items()):
        for benchmark in material.benchmarks:
            visits = list(_visits(searches.of(benchmark), n))
            for turn in sorted({visit.turn for visit in visits}):
                own = [visit for visit in visits if visit.turn == turn]
                yield _drawn(f"{origin.method}-{origin.seed}", benchmark, turn, own, bootstrap(material))


def _visits(searches: Searches, n: int) -> Iterator[_Visit]:
    choices = next((found for selector in SELECTORS if (found := searches.by(selector, n))), ())
    places: dict[tuple[str, int, int, str], list[SearchSample]] = {}
    for sample in searches.samples:
        if 0 <= sample.candidate < n:
            places.setdefault((sample.problem_id, sample.search, sample.turn, sample.state), []).append(sample)
    chosen: dict[tuple[str, int, int], str | None] = {}
    for choice in sorted(choices, key=_order):
        own = places.get((choice.problem_id, choice.search, choice.turn, choice.state))
        if own is None:
            continue  # the search ended in an earlier turn
        program = next(sample.program for sample in own if sample.candidate == choice.candidate)
        chosen[choice.problem_id, choice.search, choice.turn] = program
        before = chosen.get((choice.problem_id, choice.search, choice.turn - 1))
        yield _Visit(choice.problem_id, choice.turn, own, before)


def _order(choice: SearchChoice) -> tuple[str, int, int]:
    return choice.problem_id, choice.search, choice.turn


def _drawn(group: str, benchmark: str, turn: int, visits: Sequence[_Visit], settings: Bootstrap) -> Drawn:
    return Drawn(
        group=group,
        benchmark=benchmark,
        turn=turn,
        states=len(visits),
        programs=sum(len(visit.samples) for visit in visits),
        passers=sum(sample.public_passed for visit in visits for sample in visit.samples),
        wrong_passers=sum(s.public_passed and s.reward < 1.0 for visit in visits for s in visit.samples),
        right=_share(visits, [[sample.reward for sample in visit.samples] for visit in visits], settings),
        again=None if turn == 1 else _share(visits, [_again(visit) for visit in visits], settings),
        distinct=_share(visits, [[_distinct(visit)] for visit in visits], settings),
    )


def _again(visit: _Visit) -> list[float]:
    return [float(sample.program is not None and sample.program == visit.failed) for sample in visit.samples]


def _distinct(visit: _Visit) -> float:
    return len({sample.program for sample in visit.samples}) / len(visit.samples)


def _share(visits: Sequence[_Visit], values: Sequence[Sequence[float]], settings: Bootstrap) -> Estimate:
    by_problem: dict[str, list[float]] = {}
    for visit, own in zip(visits, values, strict=True):
        by_problem.setdefault(visit.problem_id, []).extend(own)
    outcomes: Outcomes = {problem: tuple(own) for problem, own in by_problem.items()}
    found = estimate(outcomes, settings)
    assert found is not None  # there is a visit
    return found

"""A control at no cost: what if a search had drawn its programs at turn 1 again, instead of going on with feedback?

Two searches of a problem have drawn their first programs independently. So the first turn of another search is what this
one would have drawn, had it asked afresh: N programs, and N fresh ones if the pick of the first does not pass the public
test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

from mucode.metrics import Bootstrap, Outcomes, estimate, first_turns, pooled
from mucode.records import SearchChoice, SearchSample
from mucode.report.blocks import Table
from mucode.report.panels import preference
from mucode.report.sources import Searches
from mucode.study.cells import HEADLINE, HUMANEVAL, MBPP, Spec, bootstrap_of
from mucode.study.collected import Collected
from mucode.study.words import minus, points, share

METHODS = ("instruct", "multi_star", "mucode")
TEST_SETS = (MBPP, HUMANEVAL)
HEAD = ("test set", "method", "n", "turns", "programs", "fresh", "programs", "turns minus fresh")
FAILED = ("test set", "method", "problems", "searches", "turn 2", "fresh", "turn 2 minus fresh")
CROSS = (
    ("mucode", "turns", "instruct", "fresh"),
    ("mucode", "fresh", "instruct", "fresh"),
    ("mucode", "fresh", "multi_star", "fresh"),
)
BY_METHOD = (
    "With pt+lv. Turns: three of five programs, as everywhere. Fresh, a control thought of afterwards: five "
    "programs of turn 1, and if the pick does not pass the public test five more of turn 1, as another search of the "
    "problem under the same seed drew them; two such values of a seed share their programs. Programs: drawn by a "
    "search on average."
)
AFTER_FAILURE = (
    "Where the pick of turn 1 did not pass the public test: solved by turn 2's five programs, which have the failure "
    "and its feedback before them, and by five fresh ones. Means over these searches: a problem counts by "
    "how many of its searches failed."
)
ACROSS = "The same two ways between methods that have as many searches of each problem, paired, in points."


@dataclass(frozen=True, slots=True)
class Fresh:
    """One method's searches, and what they would be with fresh programs instead of further turns; all seeds together."""

    benchmark: str
    method: str
    turns: Outcomes
    turns_drawn: float  # programs of a search, on average
    fresh: Outcomes
    fresh_drawn: float
    after_turns: Outcomes  # of the searches that had not passed the public test at turn 1: after turn 2
    after_fresh: Outcomes


@dataclass(frozen=True, slots=True)
class _Search:
    problem_id: str
    turns: float
    turns_drawn: int
    fresh: float
    fresh_drawn: int
    second: float | None  # reward after turn 2, of a search that went on


def fresh(pieces: Sequence[Collected]) -> list[Fresh]:
    """Of every test set and method of which a piece has two searches of a problem; the first piece that has them."""
    found: dict[tuple[str, str], Fresh] = {}
    plain = [piece for piece in pieces if piece.material.config.verifier.loss == Spec("").loss]
    places = [(benchmark, method) for benchmark in TEST_SETS for method in METHODS]
    for piece, (benchmark, method) in product(plain, places):
        if method in piece.material.methods and (benchmark, method) not in found:
            rows = [row for _, tests in piece.material.tests(method) for row in _searches(piece, tests.of(benchmark))]
            if rows:
                found[benchmark, method] = _together(benchmark, method, rows)
    return [found[place] for place in places if place in found]


def _searches(piece: Collected, searches: Searches) -> Iterator[_Search]:
    n = piece.material.config.search.candidates
    chosen: dict[tuple[str, int], dict[int, SearchChoice]] = {}
    for row in searches.by(HEADLINE, n):
        chosen.setdefault((row.problem_id, row.search), {})[row.turn] = row
    for problem, drawn in first_turns([row for row in searches.samples if row.candidate < n]).items():
        own = {rows[0].search: rows for rows in drawn}
        for search, other in zip(own, [*list(own)[1:], *list(own)[:1]], strict=True):
            by_turn = chosen.get((problem, search), {})
            if other != search and 1 in by_turn:
                yield _search(problem, by_turn, own[other], n)


def _search(problem: str, by_turn: dict[int, SearchChoice], others: Sequence[SearchSample], n: int) -> _Search:
    first, last = by_turn[1], by_turn[max(by_turn)]
    passed = first.public_passed
    pick = others[preference(others, HEADLINE)[0]]
    return _Search(
        problem,
        turns=last.reward,
        turns_drawn=n * len({row.state for row in by_turn.values()}),
        fresh=first.reward if passed else pick.reward,
        fresh_drawn=n if passed else 2 * n,
        second=None if passed or 2 not in by_turn else by_turn[2].reward,
    )


def _together(benchmark: str, method: str, rows: Sequence[_Search]) -> Fresh:
    on = [row for row in rows if row.second is not None]
    return Fresh(
        benchmark,
        method,
        turns=_outcomes([(row.problem_id, row.turns) for row in rows]),
        turns_drawn=fmean(row.turns_drawn for row in rows),
        fresh=_outcomes([(row.problem_id, row.fresh) for row in rows]),
        fresh_drawn=fmean(row.fresh_drawn for row in rows),
        after_turns=_outcomes([(row.problem_id, row.second) for row in on if row.second is not None]),
        after_fresh=_outcomes([(row.problem_id, row.fresh) for row in on]),
    )


def _outcomes(rewards: Sequence[tuple[str, float]]) -> Outcomes:
    table: dict[str, tuple[float, ...]] = {}
    for problem, reward in rewards:
        table[problem] = (*table.get(problem, ()), reward)
    return table


def fresh_tables(pieces: Sequence[Collected]) -> list[Table]:
    """Turns against fresh programs: by method, after a failure, between methods; none if no piece has two searches."""
    found, bootstrap = fresh(pieces), bootstrap_of(pieces)
    if not found:
        return []
    rows = [_by_method(one, bootstrap) for one in found]
    after = [_after(one, bootstrap) for one in found if one.after_turns]
    across = list(_across(found, bootstrap))
    tables = [Table(HEAD, tuple(rows), BY_METHOD, labels=3), Table(FAILED, tuple(after), AFTER_FAILURE, labels=4)]
    return [*tables, Table(("test set", "", "difference"), tuple(across), ACROSS, labels=2)] if across else tables


def _across(found: Sequence[Fresh], bootstrap: Bootstrap) -> Iterator[tuple[str, str, str]]:
    by = {(one.benchmark, one.method): one for one in found}
    for benchmark, (name, way, other_name, other_way) in product(TEST_SETS, CROSS):
        ours, rival = by.get((benchmark, name)), by.get((benchmark, other_name))
        if ours and rival and _counts(ours) == _counts(rival):  # else one would rest on more seeds than the other
            words = f"{name}, {way}, minus {other_name}, {other_way}"
            yield benchmark, words, minus(getattr(rival, other_way), getattr(ours, way), bootstrap)


def _counts(one: Fresh) -> dict[str, int]:
    return {problem: len(rewards) for problem, rewards in one.turns.items()}


def _by_method(one: Fresh, bootstrap: Bootstrap) -> tuple[str, ...]:
    size = f"{len(one.turns)} × {min(map(len, one.turns.values()))}"
    ways = ((one.turns, one.turns_drawn), (one.fresh, one.fresh_drawn))
    cells = [cell for rewards, drawn in ways for cell in (share(estimate(rewards, bootstrap)), f"{drawn:.1f}")]
    return (one.benchmark, one.method, size, *cells, minus(one.fresh, one.turns, bootstrap))


def _after(one: Fresh, bootstrap: Bootstrap) -> tuple[str, ...]:
    changes = {
        name: tuple(turn - other for turn, other in zip(turns, one.after_fresh[name], strict=True))
        for name, turns in one.after_turns.items()
    }
    searches = sum(map(len, changes.values()))
    shares = [pooled(each, bootstrap) for each in (one.after_turns, one.after_fresh)]
    less = points(pooled(changes, bootstrap, lower=-1.0))
    return (one.benchmark, one.method, str(len(changes)), str(searches), *map(share, shares), less)

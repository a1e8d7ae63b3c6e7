"""Who picks, and among how many, at the first turn: from the programs that every search has drawn there anyway.

No search of its own is needed, and every selector looks at the same programs: exact means over all subsets of N of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mucode.metrics import Bootstrap, Outcomes, estimate
from mucode.policies import ORACLE, SELECTORS, UNTESTED
from mucode.records import SearchSample
from mucode.report.blocks import Figure, Table, colour
from mucode.report.charts import Point, Series, lines
from mucode.report.panels import ranked_rewards, subsets
from mucode.report.results import joined
from mucode.report.sources import Material, Searches
from mucode.study.cells import MBPP, Spec, bootstrap_of, verifier_of
from mucode.study.collected import Collected
from mucode.study.tables import named
from mucode.study.words import minus, share

PICKS, TRUSTED = (*SELECTORS, ORACLE), "pt+lv"
SHOWN = "mucode"  # whose figure is drawn
PLAIN = Spec(SHOWN)  # the loss and the number of verifiers that every table means where it names none
PICKED = (
    "The first turn alone, of the programs that the searches of a piece drew there: exact means over all choices of N of "
    "a state's programs. The oracle looks at the private tests too. All selectors see the same programs; what a choice "
    "means for later turns is not in it."
)
WORTH = (
    "The same at the largest N, paired over problems, in points: what each part of the choice is worth, and what a perfect "
    "one would add. N = 1 is a random pick, so the first column is also what N programs are worth instead of one."
)
FIGURE = "First turn on MBPP, µCode, {}: the share of problems solved by each selector among N programs."
SEEDS = " Compare rows of the same seeds only: between trainings the level differs, and with it the order of methods."


@dataclass(frozen=True, slots=True)
class Picks:
    """One method's first turns on a test set, all seeds together."""

    method: str
    benchmark: str
    seeds: tuple[int, ...]
    by: Mapping[str, Mapping[int, Outcomes]]  # selector -> N -> rewards of its pick, one value of each search
    size: str  # "150 × 4": problems, searches of each

    @property
    def most(self) -> int:
        return max(next(iter(self.by.values())))


def picks(pieces: Sequence[Collected]) -> list[Picks]:
    """Of every method and test set; of the first piece that has any."""
    found: dict[tuple[str, str], Picks] = {}
    for piece in pieces:
        for one in _of_piece(piece.material):
            found.setdefault((one.benchmark, one.method), one)
    return list(found.values())


def _of_piece(material: Material) -> Iterator[Picks]:
    if material.config.verifier.loss != PLAIN.loss:
        return
    for benchmark in material.benchmarks:
        conditions = material.conditions(benchmark)
        if conditions.feedback != "execution":
            continue  # nothing has been fed back at turn 1: the programs are those of the plain set
        chosen = PICKS if conditions.public_tests else UNTESTED
        for method in dict.fromkeys(_owner(material, method) for method in material.methods):
            groups = {seed: _drawn(material, found.of(benchmark)) for seed, found in material.tests(method)}
            if verifier_of(material, method) == PLAIN.verifier and any(groups.values()):
                yield _picks(material, method, benchmark, groups, chosen)


def _drawn(material: Material, searches: Searches) -> list[SearchSample]:
    """The N programs that the main searches chose from, where a piece has drawn more for other N."""
    return [row for row in searches.samples if row.candidate < material.config.search.candidates]


def _owner(material: Material, method: str) -> str:
    """Methods that train nothing read the same searches."""
    return method if material.config.methods[method].trains else material.methods[0]


def _picks(
    material: Material,
    method: str,
    benchmark: str,
    groups: Mapping[int, Sequence[SearchSample]],
    chosen: Sequence[str],
) -> Picks:
    by: dict[str, dict[int, Outcomes]] = {}
    for selector in chosen:
        ranked = [ranked_rewards(samples, selector) for samples in groups.values()]
        numbers = range(1, material.config.search.candidates + 1)
        by[selector] = {n: joined(subsets(each, n) for each in ranked) for n in numbers}
    rewards = by[chosen[0]][1]
    seeds = tuple(sorted(seed for seed, samples in groups.items() if samples))
    return Picks(method, benchmark, seeds, by, f"{len(rewards)} × {min(map(len, rewards.values()))}")


def picks_table(found: Sequence[Picks], bootstrap: Bootstrap) -> Table:
    """Every selector by N."""
    numbers = sorted({n for one in found for by_n in one.by.values() for n in by_n})
    head = ("test set", "method", "seeds", "selector", "n", *(f"N = {n}" for n in numbers))
    rows = []
    for one in found:
        for selector, by_n in one.by.items():
            cells = [share(estimate(by_n.get(n, {}), bootstrap)) for n in numbers]
            rows.append((one.benchmark, one.method, _listed(one), selector, one.size, *cells))
    return Table(head, tuple(rows), PICKED + SEEDS, labels=5)


def _listed(one: Picks) -> str:
    return ", ".join(map(str, one.seeds))


def worth_table(found: Sequence[Picks], bootstrap: Bootstrap) -> Table:
    """pt+lv against what it is made of, and the oracle against pt+lv."""
    others = [selector for selector in SELECTORS if selector != TRUSTED]
    head = ("test set", "method", "seeds", *(f"{TRUSTED} minus {s}" for s in others), f"{ORACLE} minus {TRUSTED}")
    rows = []
    for one in found:
        if TRUSTED in one.by:
            ours, n = one.by[TRUSTED], one.most
            cells = [minus(one.by[selector][n], ours[n], bootstrap) for selector in others]
            perfect = minus(ours[n], one.by[ORACLE][n], bootstrap)
            rows.append((one.benchmark, one.method, _listed(one), *cells, perfect))
    return Table(head, tuple(rows), WORTH, labels=3)


def picks_figure(pieces: Sequence[Collected]) -> Figure | None:
    """Every selector over N, µCode on MBPP."""
    own = next((one for one in picks(pieces) if (one.benchmark, one.method) == (MBPP, SHOWN)), None)
    if own is None:
        return None
    series = [
        Series(selector, colour(place), tuple(_points(by_n, bootstrap_of(pieces))))
        for place, (selector, by_n) in enumerate(own.by.items())
    ]
    top = max(point.found.high for one in series for point in one.points if point.found)
    words = FIGURE.format(named(set(own.seeds)))
    return Figure("Who picks, first turn", lines("first turn", series, "N", "problems solved", top), words)


def _points(by_n: Mapping[int, Outcomes], bootstrap: Bootstrap) -> Iterator[Point]:
    for n, outcomes in by_n.items():
        if found := estimate(outcomes, bootstrap):
            yield Point(n, found.value, found)

"""How a piece's results came about: what there was to learn from, what was learned, how well the verifier ranks, tokens.

Where µCode does not win, the reason is looked for here: too few problems solved, a verifier near chance, a loss that
does not fall, failures that feedback does not repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from typing import Any

from mucode.metrics import Estimate, Scored, auc_within, distinct
from mucode.records import Experience
from mucode.report.cost import costs
from mucode.report.results import bootstrap
from mucode.report.sources import Material, Round, Training
from mucode.study.drawn import Drawn, drawn
from mucode.study.imitated import Imitated

VERSION = 3  # one more whenever a number of the account comes to mean something else


@dataclass(frozen=True, slots=True)
class Data:
    """One round of rollouts, D_i."""

    key: str
    problems: int
    solved: int  # problems with at least one correct program
    rollouts: int
    turns: int
    correct: int  # turns whose program is correct
    failures: int  # turns after which the rollout went on
    repaired: int  # of these, followed by a correct program


@dataclass(frozen=True, slots=True)
class Learned:
    """One training, by its own account."""

    kind: str  # "verifier" | "generator"
    key: str
    losses: tuple[float, ...]  # of each epoch, the mean over its optimizer steps
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One pair's verifier on distinct programs that searches of a test set sampled, of problems with right and wrong ones.

    A problem counts by its own AUC, all alike.
    """

    group: str
    benchmark: str
    among: str  # "all" | "passers": of the public test; between these alone a verifier's choice decides what is right
    programs: int
    correct: int
    auc: Estimate | None  # ROC AUC within problems; n: the problems. None: there is no such problem

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Ranked:
        return cls(**{**values, "auc": values["auc"] and Estimate(**values["auc"])})


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of one stage instance."""

    stage: str
    of: str  # whose: a method, its iteration and seed
    generated: int
    trained: int  # passed over by trainings, all epochs


@dataclass(frozen=True, slots=True)
class Account:
    """All of it."""

    data: tuple[Data, ...]
    learned: tuple[Learned, ...]
    imitated: tuple[Imitated, ...]
    ranked: tuple[Ranked, ...]
    drawn: tuple[Drawn, ...]
    tokens: tuple[Tokens, ...]

    def as_json(self) -> dict[str, Any]:
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Account:
        """Raises KeyError and TypeError where it is of another version."""
        if values["version"] != VERSION:
            raise KeyError(f"version {values['version']}")
        learned = tuple(Learned(**{**row, "losses": tuple(row["losses"])}) for row in values["learned"])
        return cls(
            tuple(Data(**row) for row in values["data"]),
            learned,
            tuple(Imitated(**row) for row in values["imitated"]),
            tuple(Ranked.from_json(row) for row in values["ranked"]),
            tuple(Drawn.from_json(row) for row in values["drawn"]),
            tuple(Tokens(**row) for row in values["tokens"]),
        )


def account_of(material: Material, imitated: Iterable[Imitated]) -> Account:
    return Account(
        tuple(_data(each) for each in material.rounds),
        tuple(_learned(each) for each in material.trainings),
        tuple(imitated),
        tuple(_ranked(material)),
        tuple(drawn(material)),
        tuple(_tokens(material)),
    )


def _data(one: Round) -> Data:
    rows = sorted(one.experiences, key=_place)
    episodes = [list(rows) for _, rows in groupby(rows, key=lambda row: (row.problem_id, row.rollout))]
    steps = [(before, after) for turns in episodes for before, after in pairwise(turns)]
    return Data(
        key=one.key,
        problems=len({row.problem_id for row in rows}),
        solved=len({row.problem_id for row in rows if row.reward == 1.0}),
        rollouts=len(episodes),
        turns=len(rows),
        correct=sum(row.reward == 1.0 for row in rows),
        failures=len(steps),
        repaired=sum(after.reward == 1.0 for _, after in steps),
    )


def _place(row: Experience) -> tuple[str, int, int]:
    return row.problem_id, row.rollout, row.turn


def _learned(one: Training) -> Learned:
    return Learned(one.kind, one.key, tuple(one.losses), dict(one.numbers))


def _ranked(material: Material) -> Iterable[Ranked]:
    for origin, searches in sorted(material.test.items()):
        for benchmark in material.benchmarks:
            samples = searches.of(benchmark).samples
            kinds = {"all": samples}
            if material.conditions(benchmark).public_tests:
                kinds["passers"] = tuple(row for row in samples if row.public_passed)
            for among, own in kinds.items():
                scored = _of_both_kinds(distinct(own))
                yield Ranked(
                    group=f"{origin.method}-{origin.seed}",
                    benchmark=benchmark,
                    among=among,
                    programs=len(scored),
                    correct=sum(row.correct for row in scored),
                    auc=auc_within(scored, bootstrap(material)),
                )


def _of_both_kinds(scored: Sequence[Scored]) -> list[Scored]:
    """The programs of problems that have right and wrong ones: there alone is anything to rank."""
    kinds: dict[str, set[bool]] = {}
    for row in scored:
        kinds.setdefault(row.problem_id, set()).add(row.correct)
    return [row for row in scored if len(kinds[row.problem_id]) == 2]


def _tokens(material: Material) -> Iterable[Tokens]:
    for row in costs(material):
        yield Tokens(row.stage, row.of, row.completion or 0, row.trained or 0)

"""The world: classes of problems, approaches to them, and what can be written after what."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from enum import StrEnum

from mucode.seeds import seed_for
from mucode.types import Answer, Problem, Test

Row = tuple[float, ...]  # one number for each approach


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Every number of the world; chosen before any result was seen."""

    recoverable: bool = True  # a correct program can be written from any state; False: the first family locks the rest
    classes: int = 8  # of problems; a problem shows its class and nothing else
    truth: Row = (0.42, 0.24, 0.14, 0.10, 0.06, 0.04)  # how often an approach is right; shuffled by class
    family: int = 2  # approaches to a family
    misbelief: float = 0.5  # share of a wrong idea (another shuffle of `truth`) in the base model's belief
    stubborn: float = 0.5  # with this probability the base model repeats its last approach, whatever it was told
    crash: float = 0.15  # a program that meant well crashes; nobody's choice, so nothing that could be learnt
    shallow: float = 0.05  # it passes the public test and fails the private ones
    lenient: float = 0.10  # a wrong approach passes a problem's public test
    hopeless: float = 0.0  # problems that no approach solves: beyond the model
    smoothing: float = 20.0  # demonstrations that weigh as much as the base model's own habit


class Slip(StrEnum):
    """What went wrong in the writing."""

    NONE = "none"
    CRASH = "crash"
    SHALLOW = "shallow"


@dataclass(frozen=True, slots=True)
class Program:
    """A program's meaning; `draft` makes texts differ that mean the same."""

    approach: int
    slip: Slip
    draft: int

    @property
    def text(self) -> str:
        return f"approach {self.approach} slip {self.slip} draft {self.draft}"

    @staticmethod
    @functools.lru_cache(maxsize=2**16)  # sandbox, verifier and generator read each text
    def read(text: str) -> Program:
        _, approach, _, slip, _, draft = text.split()
        return Program(int(approach), Slip(slip), int(draft))


@dataclass(frozen=True, slots=True)
class World:
    """The classes of one draw. Equal seeds have equal classes and problems, recoverable or not."""

    seed: int
    given: Assumptions
    truth: tuple[Row, ...]  # of each class: how often each approach is right
    belief: tuple[Row, ...]  # of each class: the base model's

    def reachable(self, first: int | None) -> tuple[int, ...]:
        """The approaches that can be written after a history that began with `first` (None: no history)."""
        approaches = range(len(self.given.truth))
        if self.given.recoverable or first is None:
            return tuple(approaches)
        return tuple(a for a in approaches if a // self.given.family == first // self.given.family)


def make_world(seed: int, given: Assumptions) -> World:
    truths, beliefs = [], []
    for index in range(given.classes):
        rng = random.Random(seed_for(seed, "class", index))
        truth, wrong = (rng.sample(given.truth, len(given.truth)) for _ in range(2))
        truths.append(tuple(truth))
        doubt = given.misbelief
        beliefs.append(tuple((1 - doubt) * t + doubt * w for t, w in zip(truth, wrong, strict=True)))
    return World(seed, given, tuple(truths), tuple(beliefs))


def class_of(problem: Problem) -> int:
    return int(problem.text.rsplit(" ", 1)[1])


def make_problems(world: World, split: str, count: int) -> list[tuple[Problem, Answer]]:
    """New problems of the world's classes. The tests hold the truth: which approaches they let pass."""
    return [_problem(world, split, number) for number in range(count)]


def _problem(world: World, split: str, number: int) -> tuple[Problem, Answer]:
    name = f"theory/{world.seed}/{split}/{number:05}"
    rng = random.Random(seed_for(world.seed, "problem", name))
    kind, approaches = rng.randrange(world.given.classes), range(len(world.given.truth))
    right = rng.choices(approaches, world.truth[kind])[0]
    if world.given.hopeless and rng.random() < world.given.hopeless:
        right = len(approaches)
    accepted = [a for a in approaches if a == right or rng.random() < world.given.lenient]
    public = Test(f"example: {' '.join(map(str, accepted))}")
    problem = Problem(name, "theory", split, f"A problem of class {kind}", "solve", (public,))
    return problem, Answer(name, (Test(f"edges: {right}"),), Program(right, Slip.NONE, 0).text)

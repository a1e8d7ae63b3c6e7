"""Multi-turn best-of-N search with a verifier: Algorithm 2."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mucode.records import SearchChoice, SearchSample
from mucode.rollout import judge_public, judged
from mucode.seeds import seed_for
from mucode.types import (
    Answer,
    Completion,
    Generator,
    History,
    Job,
    Problem,
    Sample,
    Sampling,
    Sandbox,
    State,
    Turn,
    Verifier,
)

Item = TypeVar("Item")
Selector = Callable[[Sequence[Sample], random.Random], int]
"""Which of a state's samples goes on: an index. Ties fall to the first."""

SELECTORS: dict[str, Selector] = {
    "random": lambda samples, rng: rng.randrange(len(samples)),
    "lv": lambda samples, rng: _first_best(samples, lambda s: s.score),
    "pt": lambda samples, rng: _first_best(samples, lambda s: s.passes_public),
    "pt+lv": lambda samples, rng: _first_best(samples, lambda s: (s.passes_public, s.score)),
}
ORACLE = "oracle"  # the upper bound; no entry above, because it needs the rewards

NO_PROGRAM_SCORE = -math.inf  # a reply without a program is below every program


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """N, T and the rest of Algorithm 2."""

    selectors: tuple[str, ...]
    candidates: int  # N
    turns: int  # T
    searches: int
    sampling: Sampling
    seed: int


@dataclass(frozen=True, slots=True)
class Players:
    """Who takes part in a search."""

    generator: Generator
    verifier: Verifier
    sandbox: Sandbox


@dataclass(frozen=True, slots=True)
class _Node:
    """One state of one independent search: selectors that came to the same state share its samples."""

    problem: Problem
    search: int
    history: History

    @property
    def digest(self) -> str:
        replies = [turn.completion.reply for turn in self.history]
        return hashlib.sha256(json.dumps(replies).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Drawn:
    samples: tuple[Sample, ...]
    rewards: tuple[float, ...]


@dataclass(slots=True)
class _Walk:
    """One selector's way through one search."""

    selector: str
    node: _Node
    chosen: SearchChoice | None = None

    @property
    def done(self) -> bool:
        return self.chosen is not None and self.chosen.public_passed


def search(
    benchmark: str,
    problems: Sequence[Problem],
    answers: Mapping[str, Answer],
    players: Players,
    settings: SearchSettings,
) -> tuple[list[SearchSample], list[SearchChoice]]:
    """Run every selector's independent searches, sharing the samples of equal states.

    At each turn N programs are drawn from the state, one is picked and run on the public tests; the search ends when it
    passes or after T turns. Rewards are looked up for the record; only `oracle` reads them to choose.

    Returns:
        All samples drawn, and what each selector had chosen after each turn (an ended search repeats its last choice).
    """
    walks = [
        _Walk(selector, _Node(problem, index, ()))
        for problem in problems
        for index in range(settings.searches)
        for selector in settings.selectors
    ]
    samples: list[SearchSample] = []
    choices: list[SearchChoice] = []
    for turn in range(1, settings.turns + 1):
        nodes = list(dict.fromkeys(walk.node for walk in walks if not walk.done))
        drawn = dict(zip(nodes, _draw(nodes, answers, players, settings, turn), strict=True))
        samples += [row for node in nodes for row in _sample_rows(benchmark, node, drawn[node], turn)]
        for walk in walks:
            if not walk.done:
                _step(benchmark, walk, drawn[walk.node], turn, settings)
            choices.append(_after_turn(walk, turn, settings.turns))
    return sorted(samples), sorted(choices)


def _draw(
    nodes: Sequence[_Node], answers: Mapping[str, Answer], players: Players, settings: SearchSettings, turn: int
) -> list[_Drawn]:
    """N samples of each node, judged and scored; every distinct (problem, program) is scored once."""
    n = settings.candidates
    states = [State(node.problem, node.history) for node in nodes for _ in range(n)]
    seeds = [
        # Without the generator's name: two generators draw alike at turn 1, which narrows their paired difference.
        seed_for(settings.seed, "search", node.problem.id, node.search, turn, node.digest, candidate)
        for node in nodes
        for candidate in range(n)
    ]
    completions = players.generator.generate(states, seeds, settings.sampling)
    problems = [state.problem for state in states]
    verdicts = judge_public(players.sandbox, problems, completions)
    scores = score_completions(players.verifier, problems, completions)
    samples = [Sample(*row) for row in zip(completions, verdicts, scores, strict=True)]
    rewards = _rewards(players.sandbox, problems, samples, answers)
    return [_Drawn(tuple(samples[i : i + n]), tuple(rewards[i : i + n])) for i in range(0, len(samples), n)]


def score_completions(
    verifier: Verifier, problems: Sequence[Problem], completions: Sequence[Completion]
) -> list[float]:
    """R_phi of each completion's program; a reply without one scores minus infinity."""
    pairs = [(p, c.program) for p, c in zip(problems, completions, strict=True) if c.program is not None]
    scores = iter(verifier.score([problem for problem, _ in pairs], [program for _, program in pairs]))
    return [next(scores) if c.program is not None else NO_PROGRAM_SCORE for c in completions]


def _rewards(
    sandbox: Sandbox, problems: Sequence[Problem], samples: Sequence[Sample], answers: Mapping[str, Answer]
) -> list[float]:
    """R(x, y): only what passes the public tests needs the private ones."""
    jobs = [
        Job(problem, sample.completion.program, answers[problem.id].private_tests)
        for problem, sample in zip(problems, samples, strict=True)
        if sample.passes_public and sample.completion.program is not None
    ]
    verdicts = iter(judged(sandbox, jobs, "private"))
    return [float(next(verdicts).passed) if sample.passes_public else 0.0 for sample in samples]


def _step(benchmark: str, walk: _Walk, drawn: _Drawn, turn: int, settings: SearchSettings) -> None:
    node = walk.node
    rng = random.Random(seed_for(settings.seed, "select", node.problem.id, node.search, turn))
    if walk.selector == ORACLE:
        # Without a correct sample it goes on, from the state that lv comes to, rather than end on a false public pass.
        pairs = list(zip(drawn.rewards, drawn.samples, strict=True))
        index = _first_best(pairs, lambda pair: (pair[0], not pair[1].passes_public, pair[1].score))
    else:
        index = SELECTORS[walk.selector](drawn.samples, rng)
    sample = drawn.samples[index]
    walk.chosen = SearchChoice(
        benchmark=benchmark,
        problem_id=node.problem.id,
        search=node.search,
        selector=walk.selector,
        turn=turn,
        state=node.digest,
        candidate=index,
        public_passed=sample.passes_public,
        reward=drawn.rewards[index],
        final=turn == settings.turns,
    )
    walk.node = _Node(node.problem, node.search, (*node.history, Turn(sample.completion, sample.verdict)))


def _after_turn(walk: _Walk, turn: int, turns: int) -> SearchChoice:
    if walk.chosen is None:
        raise ValueError("a walk has no choice before its first turn")
    return dataclasses.replace(walk.chosen, turn=turn, final=turn == turns)


def _sample_rows(benchmark: str, node: _Node, drawn: _Drawn, turn: int) -> list[SearchSample]:
    return [
        SearchSample(
            benchmark=benchmark,
            problem_id=node.problem.id,
            search=node.search,
            turn=turn,
            state=node.digest,
            candidate=candidate,
            program=sample.completion.program,
            public_passed=sample.passes_public,
            score=sample.score,
            reward=reward,
            completion_tokens=sample.completion.completion_tokens,
        )
        for candidate, (sample, reward) in enumerate(zip(drawn.samples, drawn.rewards, strict=True))
    ]


def _first_best(items: Sequence[Item], key: Callable[[Item], Any]) -> int:
    """The index of the first greatest item."""
    return max(range(len(items)), key=lambda index: key(items[index]))

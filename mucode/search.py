"""Multi-turn best-of-N search with a verifier: Algorithm 2."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mucode.environment import judge_public, judged
from mucode.policies import GREEDY, ORACLE, SELECTORS, Policy, SearchSettings, first_best
from mucode.records import SearchChoice, SearchSample
from mucode.schedule import kept_open
from mucode.seeds import seed_for
from mucode.types import (
    Answer,
    Completion,
    Generator,
    History,
    Job,
    Problem,
    Sample,
    Sandbox,
    State,
    Status,
    Turn,
    Verdict,
    Verifier,
)

NO_PROGRAM_SCORE = -math.inf  # a reply without a program is below every program
NO_TESTS = Verdict(Status.FAILED, 0, 0, "There are no tests to run.")  # what is then asked for: prompts.py
_TOLD_NOTHING = "A test failed."  # which is known without any feedback


@dataclass(frozen=True, slots=True)
class Players:
    """Who takes part in a search."""

    generator: Generator
    verifier: Verifier
    sandbox: Sandbox


@dataclass(frozen=True, slots=True)
class Move:
    """One turn of one policy's search: s_t, what was drawn there, and which of it went on."""

    policy: Policy
    state: State  # as the generator saw it
    samples: tuple[Sample, ...]  # the policy's N, in the order of their seeds
    index: int

    @property
    def sample(self) -> Sample:
        """The one that went on."""
        return self.samples[self.index]


@dataclass(frozen=True, slots=True)
class _Node:
    """One state of one independent search: policies that came to the same state share its samples."""

    problem: Problem
    search: int
    greedy: bool
    history: History = ()

    @property
    def digest(self) -> str:
        replies = [turn.completion.reply for turn in self.history]
        return hashlib.sha256(json.dumps(replies).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What was sampled at a node: samples in the order of their seeds, and their rewards."""

    samples: tuple[Sample, ...]
    rewards: tuple[float, ...]


@dataclass(slots=True)
class _Walk:
    """One policy's way through one search."""

    policy: Policy
    node: _Node
    choices: list[SearchChoice] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """It passed the public tests, its turns are over, or the oracle sees a correct program (so without such tests)."""
        if not self.choices:
            return False
        last = self.choices[-1]
        return last.public_passed or last.final or (self.policy.selector == ORACLE and last.reward == 1.0)


def search(
    benchmark: str,
    problems: Sequence[Problem],
    answers: Mapping[str, Answer],
    players: Players,
    settings: SearchSettings,
    watch: Callable[[Move], None] = lambda move: None,
) -> tuple[list[SearchSample], list[SearchChoice]]:
    """Run every policy's independent searches, sharing the samples of equal states.

    At each turn N programs are drawn from the state, one is picked and run on the public tests; the search ends when it
    passes or after T turns. Rewards are looked up for the record; only `oracle` reads them, to choose and, where there
    are no public tests, to end.
    `watch` is told every move at the end of its turn.

    Returns:
        All samples drawn, and what each policy had chosen after each turn (an ended search repeats its last choice).
    """
    walks = [
        _Walk(policy, _Node(problem, index, policy.selector == GREEDY))
        for problem in problems
        for index in range(settings.searches)
        for policy in settings.policies
        if policy.selector != GREEDY or index == 0
    ]
    with kept_open(players.generator) as generator:  # turn t + 1 reads on from turn t
        samples = _play(benchmark, walks, answers, dataclasses.replace(players, generator=generator), settings, watch)
    return sorted(samples), sorted(choice for walk in walks for choice in walk.choices)


def _play(
    benchmark: str,
    walks: Sequence[_Walk],
    answers: Mapping[str, Answer],
    players: Players,
    settings: SearchSettings,
    watch: Callable[[Move], None],
) -> list[SearchSample]:
    """Turn by turn, all walks side by side; what was drawn."""
    samples: list[SearchSample] = []
    for turn in range(1, settings.turns + 1):
        wanted: dict[_Node, int] = {}
        for walk in walks:
            if not walk.done:
                wanted[walk.node] = max(walk.policy.n, wanted.get(walk.node, 0))
        drawn = _draw(wanted, answers, players, settings)
        samples += [row for node, found in drawn.items() for row in _sample_rows(benchmark, node, found)]
        heard = _feedback(drawn, settings)
        for walk in walks:
            if not walk.done:
                watch(_step(benchmark, walk, drawn[walk.node], heard[walk.node], settings))
            elif turn <= walk.policy.turns:
                last = walk.choices[-1]
                walk.choices.append(dataclasses.replace(last, turn=turn, final=turn == walk.policy.turns))
    return samples


def _draw(
    wanted: Mapping[_Node, int], answers: Mapping[str, Answer], players: Players, settings: SearchSettings
) -> dict[_Node, _Drawn]:
    """The samples wanted of each node, judged and scored; every distinct (problem, program) is scored once."""
    places = [(node, candidate) for node, count in wanted.items() for candidate in range(count)]
    completions = _generate(places, players.generator, settings)
    problems = [node.problem for node, _ in places]
    verdicts = judge_public(players.sandbox, problems, completions)
    scores = score_completions(players.verifier, [_shown(p, settings) for p in problems], completions)
    samples = [Sample(*row) for row in zip(completions, verdicts, scores, strict=True)]
    rewards = _rewards(players.sandbox, problems, samples, answers)
    if not settings.conditions.public_tests:
        samples = [
            dataclasses.replace(s, verdict=s.verdict if s.completion.program is None else NO_TESTS) for s in samples
        ]
    rows = iter(zip(samples, rewards, strict=True))
    return {node: _Drawn(*zip(*(next(rows) for _ in range(count)), strict=True)) for node, count in wanted.items()}


def _generate(places: Sequence[tuple[_Node, int]], generator: Generator, settings: SearchSettings) -> list[Completion]:
    """One completion of each place, the greedy ones at temperature 0."""
    found: dict[int, Completion] = {}
    for greedy in (False, True):
        indices = [index for index, (node, _) in enumerate(places) if node.greedy is greedy]
        states = [State(_shown(places[i][0].problem, settings), places[i][0].history) for i in indices]
        # Without the generator's name: two generators draw alike at turn 1, which narrows their paired difference.
        seeds = [
            seed_for(
                settings.seed, "search", node.problem.id, node.search, len(node.history) + 1, node.digest, candidate
            )
            for node, candidate in (places[i] for i in indices)
        ]
        sampling = dataclasses.replace(settings.sampling, temperature=0.0) if greedy else settings.sampling
        if indices:
            found |= zip(indices, generator.generate(states, seeds, sampling), strict=True)
    return [found[index] for index in range(len(places))]


def _shown(problem: Problem, settings: SearchSettings) -> Problem:
    """The problem as generator and verifier may see it."""
    return problem if settings.conditions.public_tests else dataclasses.replace(problem, public_tests=())


def _feedback(drawn: Mapping[_Node, _Drawn], settings: SearchSettings) -> dict[_Node, str | None]:
    """What to say at each node instead of the program's own outcome; None: that outcome.

    The control shows what a failing program of another problem was told in the same turn; where there is none, one
    sentence that is always the same.
    """
    if settings.conditions.feedback == "execution":
        return dict.fromkeys(drawn)
    told = [
        (n.problem.id, s.verdict.feedback) for n, found in drawn.items() for s in found.samples if not s.passes_public
    ]
    heard: dict[_Node, str | None] = {}
    for node in drawn:
        others = [text for problem_id, text in told if problem_id != node.problem.id]
        rng = random.Random(seed_for(settings.seed, "feedback", node.problem.id, node.search, node.digest))
        heard[node] = rng.choice(others) if others else _TOLD_NOTHING
    return heard


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


def _step(benchmark: str, walk: _Walk, drawn: _Drawn, heard: str | None, settings: SearchSettings) -> Move:
    node, policy, turn = walk.node, walk.policy, len(walk.node.history) + 1
    samples = drawn.samples[: policy.n]
    rng = random.Random(seed_for(settings.seed, "select", node.problem.id, node.search, turn))
    if policy.selector == ORACLE:
        # Without a correct sample it goes on, from the state that lv comes to, rather than end on a false public pass.
        pairs = list(zip(drawn.rewards, samples, strict=False))
        index = first_best(pairs, lambda pair: (pair[0], not pair[1].passes_public, pair[1].score))
    else:
        index = 0 if policy.selector == GREEDY else SELECTORS[policy.selector](samples, rng)
    sample = samples[index]
    walk.choices.append(
        SearchChoice(
            benchmark=benchmark,
            problem_id=node.problem.id,
            search=node.search,
            selector=policy.selector,
            n=policy.n,
            turn=turn,
            state=node.digest,
            candidate=-1 if node.greedy else index,
            public_passed=sample.passes_public,
            reward=drawn.rewards[index],
            final=turn == policy.turns,
        )
    )
    verdict = sample.verdict if heard is None else dataclasses.replace(sample.verdict, feedback=heard)
    walk.node = dataclasses.replace(node, history=(*node.history, Turn(sample.completion, verdict)))
    return Move(policy, State(_shown(node.problem, settings), node.history), samples, index)


def _sample_rows(benchmark: str, node: _Node, drawn: _Drawn) -> list[SearchSample]:
    return [
        SearchSample(
            benchmark=benchmark,
            problem_id=node.problem.id,
            search=node.search,
            turn=len(node.history) + 1,
            state=node.digest,
            candidate=-1 if node.greedy else candidate,
            program=sample.completion.program,
            public_passed=sample.passes_public,
            score=sample.score,
            reward=reward,
            completion_tokens=sample.completion.completion_tokens,
        )
        for candidate, (sample, reward) in enumerate(zip(drawn.samples, drawn.rewards, strict=True))
    ]

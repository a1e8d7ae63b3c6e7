"""Algorithm 1 over the scripted players: the one file that calls the product's loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.theory.generator import TabularGenerator, learn
from benchmarks.theory.sandbox import ReadingSandbox
from benchmarks.theory.verifier import NoisyVerifier
from benchmarks.theory.world import Assumptions, World, make_problems, make_world
from mucode.config import Method
from mucode.dataset import experiences, label_steps, union
from mucode.expert import candidates_by_problem, demonstrations
from mucode.policies import SearchSettings
from mucode.records import Experience, SearchChoice, SearchSample
from mucode.rollout import roll_out, to_steps
from mucode.search import Players, search
from mucode.types import Answer, Demonstration, Problem, Sampling

SAMPLING = Sampling(temperature=0.7, top_p=1.0, max_new_tokens=0)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything; T, M and the temperature are the paper's."""

    train: int
    test: int
    rollouts: int = 6  # per training problem
    turns: int = 3  # T
    iterations: int = 2  # M
    auc: float = 0.8  # of the verifier in training and in search


@dataclass(frozen=True, slots=True)
class Ground:
    """One world with its problems, and everybody in it who does not learn."""

    world: World
    size: Size
    train: Mapping[str, Problem]
    test: Sequence[Problem]
    answers: Mapping[str, Answer]  # of both splits
    verifier: NoisyVerifier
    sandbox: ReadingSandbox


def make_ground(seed: int, given: Assumptions, size: Size) -> Ground:
    world = make_world(seed, given)
    train, test = make_problems(world, "train", size.train), make_problems(world, "test", size.test)
    answers = {answer.problem_id: answer for _, answer in (*train, *test)}
    return Ground(
        world=world,
        size=size,
        train={problem.id: problem for problem, _ in train},
        test=[problem for problem, _ in test],
        answers=answers,
        verifier=NoisyVerifier(answers, size.auc, seed),
        sandbox=ReadingSandbox(),
    )


def rolled_out(ground: Ground, generator: TabularGenerator, turns: int, iteration: int) -> list[Experience]:
    """D_i, labelled."""
    problems = list(ground.train.values())
    episodes = roll_out(
        problems,
        generator,
        ground.sandbox,
        turns=turns,
        rollouts=ground.size.rollouts,
        sampling=SAMPLING,
        seed=ground.world.seed,
        iteration=iteration,
    )
    steps = to_steps(episodes, iteration)
    answers = [ground.answers[name] for name in ground.train]
    return experiences(steps, label_steps(steps, problems, answers, ground.sandbox))


def shown(ground: Ground, seen: Sequence[Experience], method: Method) -> list[Demonstration]:
    """D*: what the method has the generator imitate."""
    scores = {
        (problem_id, candidate.program): score
        for problem_id, candidates in candidates_by_problem(seen).items()
        for candidate, score in zip(
            candidates,
            ground.verifier.score([ground.train[problem_id]] * len(candidates), [c.program for c in candidates]),
            strict=True,
        )
    }
    return demonstrations(seen, scores, **method.choice)


def trained(ground: Ground, method: Method, first: Sequence[Experience]) -> TabularGenerator:
    """pi_M of Algorithm 1; the last iteration's, as nothing here overfits.

    Args:
        first: D_1, the base model's rollouts, which all methods share.
    """
    if not method.trains:
        return TabularGenerator(ground.world)
    seen = list(first)
    generator = learn(ground.world, ground.train, shown(ground, seen, method))
    for iteration in range(2, ground.size.iterations + 1):
        seen = union(seen, rolled_out(ground, generator, method.turns or ground.size.turns, iteration))
        generator = learn(ground.world, ground.train, shown(ground, seen, method))
    return generator


def searched(
    ground: Ground,
    generator: TabularGenerator,
    verifier: NoisyVerifier,
    selectors: tuple[str, ...],
    candidates: tuple[int, ...],
) -> tuple[list[SearchSample], list[SearchChoice]]:
    """Algorithm 2 on the held-out problems, for T turns whatever the method."""
    settings = SearchSettings(selectors, candidates, ground.size.turns, 1, SAMPLING, ground.world.seed)
    players = Players(generator, verifier, ground.sandbox)
    return search("theory/test", ground.test, ground.answers, players, settings)

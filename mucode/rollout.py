"""The multi-turn environment: line 1 of Algorithm 1."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from mucode.records import Step
from mucode.schedule import SCHEDULES, Failed, Request
from mucode.seeds import seed_for
from mucode.types import (
    Generator,
    MucodeError,
    Problem,
    Rollout,
    Sampling,
    Sandbox,
    State,
    StopReason,
    Turn,
)


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """How D_i comes about."""

    turns: int  # T
    rollouts: int  # per problem
    sampling: Sampling
    seed: int
    iteration: int  # i
    schedule: str = "fixed"  # a key of schedule.SCHEDULES


@dataclass(frozen=True, slots=True, order=True)
class Failure:
    """A rollout that ended because the engine gave no completion: no turn of it is in the data."""

    problem_id: str
    rollout: int  # its index
    turn: int  # the one that was asked for
    reason: str


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What came of rolling out."""

    episodes: list[Rollout]  # by problem and then by index; without those that failed
    failed: tuple[Failure, ...]
    idle_share: float  # of the generator, from its first to its last work


@dataclass(slots=True)
class _Episode:
    problem: Problem
    index: int
    turns: list[Turn] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return bool(self.turns) and self.turns[-1].verdict.passed

    def finished(self) -> Rollout:
        stop = StopReason.PASSED_PUBLIC if self.passed else StopReason.OUT_OF_TURNS
        return Rollout(self.problem.id, self.index, tuple(self.turns), stop)


def roll_out(
    problems: Sequence[Problem],
    generator: Generator,
    sandbox: Sandbox,
    *,
    turns: int,
    rollouts: int,
    sampling: Sampling,
    seed: int,
    iteration: int,
    schedule: str = "fixed",
) -> list[Rollout]:
    """D_i's episodes: `rollouts` per problem, each until a public pass or `turns` turns (section 2).

    Nothing is generated after a pass, and no private test is within reach: a `Problem` holds none.

    Args:
        schedule: a key of `schedule.SCHEDULES`.

    Returns:
        len(problems) * rollouts episodes, by problem and then by index.

    Raises:
        MucodeError: an episode could not be finished, as the engine failed; or the judge did.
    """
    done = play(
        problems,
        generator,
        sandbox,
        turns=turns,
        rollouts=rollouts,
        sampling=sampling,
        seed=seed,
        iteration=iteration,
        schedule=schedule,
    )
    if done.failed:
        first = done.failed[0]
        raise MucodeError(
            f"{len(done.failed)} rollouts could not be finished; the first, of {first.problem_id}: {first.reason}"
        )
    return done.episodes


def play(
    problems: Sequence[Problem],
    generator: Generator,
    sandbox: Sandbox,
    *,
    turns: int,
    rollouts: int,
    sampling: Sampling,
    seed: int,
    iteration: int,
    schedule: str = "fixed",
) -> Rollouts:
    """As `roll_out`, where an episode that failed is told beside the others."""
    return go_on(
        problems, generator, sandbox, RolloutSettings(turns, rollouts, sampling, seed, iteration, schedule), (), _forget
    )


def go_on(
    problems: Sequence[Problem],
    generator: Generator,
    sandbox: Sandbox,
    settings: RolloutSettings,
    known: Collection[tuple[str, int]],
    ended: Callable[[Rollout], None],
) -> Rollouts:
    """As `play`, for the episodes that are not `known` by (problem, index); `ended` is told each when it has ended."""
    every = [_Episode(problem, index) for problem in problems for index in range(settings.rollouts)]
    episodes = [episode for episode in every if (episode.problem.id, episode.index) not in known]

    def request(place: int) -> Request:
        episode = episodes[place]
        state = State(episode.problem, tuple(episode.turns))
        address = ("roll_out", settings.iteration, episode.problem.id, episode.index, state.turn)
        return Request(place, state, seed_for(settings.seed, *address), settings.sampling)

    def then(asked: Request, turn: Turn) -> Iterable[Request]:
        episode = episodes[asked.place]
        episode.turns.append(turn)
        if not episode.passed and len(episode.turns) < settings.turns:
            return (request(asked.place),)
        ended(episode.finished())
        return ()

    first = [request(place) for place in range(len(episodes))]
    outcome = SCHEDULES[settings.schedule](first, then, generator, sandbox)
    lost = {failed.request.place: failed for failed in outcome.failed}
    whole = [episode.finished() for place, episode in enumerate(episodes) if place not in lost]
    failures = [_failure(episodes[place], failed) for place, failed in lost.items()]
    return Rollouts(whole, tuple(sorted(failures)), outcome.idle_share)


def _failure(episode: _Episode, failed: Failed) -> Failure:
    return Failure(episode.problem.id, episode.index, failed.request.state.turn, failed.reason)


def _forget(_rollout: Rollout) -> None:
    """For who waits until all have ended."""


def to_steps(rollouts: Iterable[Rollout], iteration: int) -> list[Step]:
    """Episodes as rows, sorted by problem, rollout and turn."""
    steps = [
        Step(
            problem_id=rollout.problem_id,
            iteration=iteration,
            rollout=rollout.index,
            turn=turn,
            reply=done.completion.reply,
            program=done.completion.program,
            status=done.verdict.status,
            tests_passed=done.verdict.tests_passed,
            tests_total=done.verdict.tests_total,
            feedback=done.verdict.feedback,
            prompt_tokens=done.completion.prompt_tokens,
            completion_tokens=done.completion.completion_tokens,
            log_probability=done.completion.log_probability,
        )
        for rollout in rollouts
        for turn, done in enumerate(rollout.turns, start=1)
    ]
    return sorted(steps, key=lambda s: (s.problem_id, s.iteration, s.rollout, s.turn))

"""The multi-turn environment: line 1 of Algorithm 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mucode.records import Experience, Step
from mucode.seeds import seed_for
from mucode.types import (
    Completion,
    Generator,
    Half,
    History,
    Job,
    MucodeError,
    Problem,
    Rollout,
    Sampling,
    Sandbox,
    State,
    Status,
    StopReason,
    Turn,
    Verdict,
)


@dataclass(slots=True)
class _Episode:
    problem: Problem
    index: int
    turns: list[Turn] = field(default_factory=list)

    @property
    def state(self) -> State:
        return State(self.problem, tuple(self.turns))

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
) -> list[Rollout]:
    """D_i's episodes: `rollouts` per problem, each until a public pass or `turns` turns (section 2).

    Nothing is generated after a pass, and no private test is within reach: a `Problem` holds none.

    Returns:
        len(problems) * rollouts episodes, by problem and then by index.
    """
    episodes = [_Episode(problem, index) for problem in problems for index in range(rollouts)]
    for turn in range(1, turns + 1):
        running = [episode for episode in episodes if not episode.passed]
        states = [episode.state for episode in running]
        seeds = [seed_for(seed, "roll_out", iteration, e.problem.id, e.index, turn) for e in running]
        completions = generator.generate(states, seeds, sampling)
        verdicts = judge_public(sandbox, [e.problem for e in running], completions)
        for episode, completion, verdict in zip(running, completions, verdicts, strict=True):
            episode.turns.append(Turn(completion, verdict))
    return [episode.finished() for episode in episodes]


def judge_public(sandbox: Sandbox, problems: Sequence[Problem], completions: Sequence[Completion]) -> list[Verdict]:
    """One public verdict per completion, in order; a reply without a program is told so without running anything.

    Raises:
        MucodeError: the judge itself failed.
    """
    jobs = [Job(p, c.program) for p, c in zip(problems, completions, strict=True) if c.program is not None]
    verdicts = iter(judged(sandbox, jobs, "public"))
    return [
        next(verdicts) if completion.program is not None else _no_code(problem)
        for problem, completion in zip(problems, completions, strict=True)
    ]


def judged(sandbox: Sandbox, jobs: Sequence[Job], half: Half) -> list[Verdict]:
    """Verdicts that say something about the programs: a failure of the judge is an error, never a verdict.

    Raises:
        MucodeError: the judge failed, with the problem it failed on.
    """
    verdicts = sandbox.judge(jobs, half)
    for job, verdict in zip(jobs, verdicts, strict=True):
        if verdict.status is Status.INTERNAL:
            raise MucodeError(
                f"the judge failed on a program for {job.problem.id}: run again; `mucode doctor` if it repeats"
            )
    return verdicts


def _no_code(problem: Problem) -> Verdict:
    feedback = "The reply holds no Python program. Answer with one ```python block."
    return Verdict(Status.NO_CODE, 0, len(problem.public_tests), feedback)


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
        )
        for rollout in rollouts
        for turn, done in enumerate(rollout.turns, start=1)
    ]
    return sorted(steps, key=lambda s: (s.problem_id, s.iteration, s.rollout, s.turn))


def histories(experiences: Sequence[Experience]) -> list[History]:
    """s_t of each row, in order: the earlier turns of the same episode."""
    episodes: dict[tuple[str, int, int], dict[int, Turn]] = {}
    for row in experiences:
        episode = episodes.setdefault((row.problem_id, row.iteration, row.rollout), {})
        episode[row.turn] = Turn(
            Completion(row.reply, row.program),
            Verdict(row.status, row.tests_passed, row.tests_total, row.feedback),
        )
    return [
        tuple(episodes[row.problem_id, row.iteration, row.rollout][turn] for turn in range(1, row.turn))
        for row in experiences
    ]

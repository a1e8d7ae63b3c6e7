"""D: steps and their rewards, iteration upon iteration (line 2 of Algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mucode.environment import judged
from mucode.records import Experience, Label, Step
from mucode.types import Answer, Completion, History, Job, MucodeError, Problem, Sandbox, Status, Turn, Verdict


def label_steps(
    steps: Sequence[Step], problems: Sequence[Problem], answers: Sequence[Answer], sandbox: Sandbox
) -> list[Label]:
    """R(x, y) of every step: 1.0 iff its program passes the public and the private tests.

    Equal (problem, program) pairs run once, so their private halves always come out alike. The public half is the one of
    each rollout: of a program that hangs on chance or time it may come out otherwise in another.

    Returns:
        One label per step, in the steps' order.
    """
    by_id = {problem.id: problem for problem in problems}
    tests = {answer.problem_id: answer.private_tests for answer in answers}
    pairs = list(dict.fromkeys((s.problem_id, s.program) for s in steps if s.program is not None))
    jobs = [Job(by_id[problem_id], program, tests[problem_id]) for problem_id, program in pairs]
    verdicts = dict(zip(pairs, judged(sandbox, jobs, "private"), strict=True))
    no_code = {problem.id: Verdict(Status.NO_CODE, 0, 0) for problem in problems}
    labels = []
    for step in steps:
        private = no_code[step.problem_id] if step.program is None else verdicts[step.problem_id, step.program]
        labels.append(_label(step, by_id[step.problem_id], private))
    return labels


def _label(step: Step, problem: Problem, private: Verdict) -> Label:
    public_passed = step.status is Status.PASSED
    return Label(
        problem_id=step.problem_id,
        iteration=step.iteration,
        rollout=step.rollout,
        turn=step.turn,
        split=problem.split,
        program=step.program,
        public_passed=public_passed,
        private_status=private.status,
        private_tests_passed=private.tests_passed,
        private_tests_total=private.tests_total,
        reward=float(public_passed and private.passed),
    )


def experiences(steps: Sequence[Step], labels: Sequence[Label]) -> list[Experience]:
    """D_i = {(x, s_t, y_t, o_t, r_t)}: each step with its reward.

    Raises:
        MucodeError: a step without a label.
    """
    rewards: Mapping[tuple[str, int, int, int], float] = {
        (row.problem_id, row.iteration, row.rollout, row.turn): row.reward for row in labels
    }
    return [_experience(step, rewards) for step in steps]


def _experience(step: Step, rewards: Mapping[tuple[str, int, int, int], float]) -> Experience:
    key = (step.problem_id, step.iteration, step.rollout, step.turn)
    if key not in rewards:
        raise MucodeError(f"{step.problem_id}, rollout {step.rollout}, turn {step.turn} has no label: run `dvc repro`")
    return Experience(
        problem_id=step.problem_id,
        iteration=step.iteration,
        rollout=step.rollout,
        turn=step.turn,
        reply=step.reply,
        program=step.program,
        status=step.status,
        tests_passed=step.tests_passed,
        tests_total=step.tests_total,
        feedback=step.feedback,
        reward=rewards[key],
    )


def union(previous: Sequence[Experience], new: Sequence[Experience]) -> list[Experience]:
    """D u D_i, sorted by problem, iteration, rollout and turn; a key that both hold stays once.

    Raises:
        MucodeError: both hold the same step with different rewards.
    """
    merged = {_key(row): row for row in previous}
    for row in new:
        if merged.setdefault(_key(row), row).reward != row.reward:
            raise MucodeError(f"{row.problem_id}, rollout {row.rollout}, turn {row.turn} is labelled both ways")
    return [merged[key] for key in sorted(merged)]


def _key(row: Experience) -> tuple[str, int, int, int]:
    return row.problem_id, row.iteration, row.rollout, row.turn


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

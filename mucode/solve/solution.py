"""One search for one problem (Algorithm 2), and what its user wants to know of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mucode.environment import judged
from mucode.policies import SearchSettings
from mucode.search import Move, Players, search
from mucode.types import Answer, Job, Problem, Sandbox, Status, Test, Verdict


@dataclass(frozen=True, slots=True)
class TestResult:
    """How the chosen program fares on one public test, run alone."""

    test: Test
    status: Status

    @property
    def passed(self) -> bool:
        return self.status is Status.PASSED


@dataclass(frozen=True, slots=True)
class Solution:
    """What a search ended with."""

    program: str | None  # None: the last reply held none
    score: float | None  # None: no verifier, or no program
    passed: bool  # all public tests, or there are none
    tests: tuple[TestResult, ...]  # in the problem's order
    turns: tuple[Move, ...]


def solve(
    problem: Problem,
    players: Players,
    settings: SearchSettings,
    watch: Callable[[Move], None] = lambda move: None,
) -> Solution:
    """Multi-turn best-of-N with one policy, as `search` does it; the answer is what the last turn chose.

    Args:
        problem: all of its tests are public.
        players: with `Unscored` for a verifier where the selector asks none.
        settings: with one selector, one N and one search.
        watch: is told every turn when it is over.

    Raises:
        MucodeError: the judge failed.
    """
    turns: list[Move] = []

    def follow(move: Move) -> None:
        turns.append(move)
        watch(move)

    search("solve", [problem], {problem.id: Answer(problem.id, (), "")}, players, settings, follow)
    last = turns[-1].sample
    program = last.completion.program
    return Solution(
        program=program,
        score=score_of(last.score),
        passed=last.passes_public,
        tests=_test_by_test(problem, program, last.verdict, players.sandbox),
        turns=tuple(turns),
    )


class Unscored:
    """Stands where a verifier would be, for the selectors that do without."""

    def score(self, problems: Sequence[Problem], programs: Sequence[str]) -> list[float]:
        return [math.nan] * len(programs)


def score_of(score: float) -> float | None:
    """A score, unless it is that of no program or of no verifier."""
    return score if math.isfinite(score) else None


def _test_by_test(problem: Problem, program: str | None, whole: Verdict, sandbox: Sandbox) -> tuple[TestResult, ...]:
    """Each public test alone, which tells where a verdict on all of them stops at the first that fails."""
    if program is None or whole.passed:
        return tuple(TestResult(test, whole.status) for test in problem.public_tests)
    jobs = [Job(replace(problem, public_tests=(test,)), program) for test in problem.public_tests]
    verdicts = judged(sandbox, jobs, "public")
    return tuple(TestResult(test, v.status) for test, v in zip(problem.public_tests, verdicts, strict=True))

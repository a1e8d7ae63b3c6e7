"""One search for one problem, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mucode.execution import open_sandbox
from mucode.policies import SearchSettings
from mucode.search import Move, Players
from mucode.solve import Solution, solve
from mucode.solve.show import as_json, result_lines, trace_lines, turn_line
from mucode.solve.solution import Unscored
from mucode.types import Half, Job, Problem, State, Status, Test, Verdict, Verifier
from tests.conftest import SAMPLING, FunctionGenerator, FunctionVerifier, make_problem

EASY, HARD = Test("assert p(1) == 1"), Test("assert p(2) == 4")
PROBLEM = replace(make_problem(), public_tests=(EASY, HARD))
SCORES = FunctionVerifier(lambda program: float(program.split()[-1]))


@dataclass(frozen=True)
class NamedTests:
    """A sandbox for programs that name the tests they pass: "easy", "hard"."""

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        return [self._verdict(job) for job in jobs]

    def _verdict(self, job: Job) -> Verdict:
        held = [("easy" if test == EASY else "hard") in job.program for test in job.problem.public_tests]
        return Verdict(Status.PASSED if all(held) else Status.FAILED, sum(held), len(held), "" if all(held) else "told")


def run(
    programs: Sequence[str | None] | Callable[[State, int], str | None],
    verifier: Verifier = SCORES,
    problem: Problem = PROBLEM,
    selector: str = "pt+lv",
    turns: int = 2,
    watch: Callable[[Move], None] = lambda move: None,
) -> Solution:
    n = 2 if callable(programs) else len(programs) // turns
    line = iter(() if callable(programs) else programs)
    reply = programs if callable(programs) else lambda state, seed: next(line)
    settings = SearchSettings((selector,), (n,), turns, 1, SAMPLING, seed=0)
    return solve(problem, Players(FunctionGenerator(reply), verifier, NamedTests()), settings, watch)


def test_the_best_scored_program_among_those_that_pass_is_the_answer() -> None:
    found = run(["easy 9", "easy hard 1", "easy hard 2", "none 8"], turns=1)
    assert (found.program, found.score, found.passed) == ("easy hard 2", 2.0, True)
    assert [result.passed for result in found.tests] == [True, True]


def test_each_public_test_of_a_program_that_fails_is_told_alone() -> None:
    found = run(["hard 1", "hard 1"])
    assert not found.passed
    assert [result.passed for result in found.tests] == [False, True]


def test_the_next_turn_is_told_what_failed_and_a_pass_ends_the_search() -> None:
    def reply(state: State, seed: int) -> str:
        return "easy hard 1" if state.history and state.history[-1].verdict.feedback == "told" else "easy 1"

    found = run(reply, turns=3)
    assert found.passed
    assert [(move.state.turn, move.sample.completion.program) for move in found.turns] == [
        (1, "easy 1"),
        (2, "easy hard 1"),
    ]


def test_turns_are_told_while_the_search_goes_on() -> None:
    told: list[int] = []

    def reply(state: State, seed: int) -> str:
        assert told == list(range(1, state.turn))
        return "easy 1"

    run(reply, turns=3, watch=lambda move: told.append(move.state.turn))
    assert told == [1, 2, 3]


def test_without_a_verifier_the_public_tests_choose_and_there_is_no_score() -> None:
    found = run(["easy 9", "easy hard 1"], Unscored(), selector="pt", turns=1)
    assert (found.program, found.score) == ("easy hard 1", None)


def test_without_public_tests_the_best_scored_program_of_the_first_turn_is_the_answer() -> None:
    found = run(["a 1", "b 2", "never 3", "never 4"], problem=replace(PROBLEM, public_tests=()))
    assert (found.program, found.passed, found.tests, len(found.turns)) == ("b 2", True, (), 1)


def test_replies_without_a_program_are_no_answer() -> None:
    found = run([None, None])
    assert (found.program, found.score, found.passed) == (None, None, False)
    assert {result.status for result in found.tests} == {Status.NO_CODE}
    assert next(iter(result_lines(found))) == "the last reply holds no program"


def test_a_turn_is_one_line_and_a_result_one_line_a_test() -> None:
    found = run(["easy 9", None, "hard 2", "easy 0.25"])
    assert [turn_line(move) for move in found.turns] == [
        "turn 1: 1 program in 2 replies, 0 pass the public tests, chose #1, score 9.00",
        "turn 2: 2 programs, 0 pass the public tests, chose #1, score 2.00",
    ]
    assert list(result_lines(found)) == [
        "1 of 2 public tests passed, score 2.00",
        "  failed  assert p(1) == 1",
        "  passed  assert p(2) == 4",
    ]


def test_a_trace_shows_every_reply_and_what_the_chosen_program_was_told() -> None:
    found = run(["easy 9", None], turns=1)
    assert list(trace_lines(found.turns[0])) == [
        "--- turn 1 #1: failed, score 9.00, chosen",
        "easy 9",
        "--- turn 1 #2: no_code",
        "no code here",
        "--- turn 1: #1 was told",
        "told",
    ]


def test_the_json_object_holds_the_result_and_on_request_the_turns() -> None:
    found = run(["easy 9", None], Unscored(), turns=1, selector="pt")
    short, whole = json.loads(as_json(found, trace=False)), json.loads(as_json(found, trace=True))
    turns: list[dict[str, Any]] = whole.pop("turns")
    assert short == whole
    assert short == {
        "program": "easy 9",
        "score": None,
        "passed": False,
        "public_tests": [
            {"test": EASY.code, "passed": True, "status": "passed"},
            {"test": HARD.code, "passed": False, "status": "failed"},
        ],
    }
    assert [candidate["program"] for candidate in turns[0]["candidates"]] == ["easy 9", None]
    assert (turns[0]["turn"], turns[0]["chosen"], turns[0]["feedback"]) == (1, 0, "told")


def test_the_real_judge_tells_the_tests_apart() -> None:
    generator = FunctionGenerator(lambda state, seed: "def p(x):\n    return x")
    settings = SearchSettings(("pt",), (1,), 2, 1, SAMPLING, seed=0)
    with open_sandbox(workers=1) as sandbox:
        found = solve(PROBLEM, Players(generator, Unscored(), sandbox), settings)
    assert [result.status for result in found.tests] == [Status.PASSED, Status.FAILED]
    assert "returned 2" in found.turns[0].sample.verdict.feedback

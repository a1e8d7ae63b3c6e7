"""A search as its user reads it: lines for a person, one JSON object for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mucode.search import Move
from mucode.solve.solution import Solution, score_of
from mucode.types import Sample


def turn_line(move: Move) -> str:
    """One turn in one line; programs are numbered from 1."""
    replies, programs = len(move.samples), sum(sample.completion.program is not None for sample in move.samples)
    drawn = _count(programs, "program") + (f" in {_count(replies, 'reply', 'replies')}" if programs < replies else "")
    passing = sum(sample.passes_public for sample in move.samples)
    outcome = f"{passing} pass the public tests" if move.state.problem.public_tests else "no public tests"
    return f"turn {move.state.turn}: {drawn}, {outcome}, chose #{move.index + 1}{_score(move.sample)}"


def trace_lines(move: Move) -> Iterator[str]:
    """Every program of a turn, and what the chosen one was told."""
    for number, sample in enumerate(move.samples, start=1):
        chosen = ", chosen" if number == move.index + 1 else ""
        yield f"--- turn {move.state.turn} #{number}: {sample.verdict.status}{_score(sample)}{chosen}"
        yield sample.completion.reply if sample.completion.program is None else sample.completion.program.rstrip()
    if move.sample.verdict.feedback:
        yield f"--- turn {move.state.turn}: #{move.index + 1} was told"
        yield move.sample.verdict.feedback.rstrip()


def result_lines(solution: Solution) -> Iterator[str]:
    """Which public tests the chosen program passes."""
    if solution.program is None:
        yield "the last reply holds no program"
    score = "" if solution.score is None else f", score {solution.score:.2f}"
    if solution.tests:
        passing = sum(result.passed for result in solution.tests)
        yield f"{passing} of {_count(len(solution.tests), 'public test')} passed{score}"
    for result in solution.tests:
        lines = result.test.code.strip().replace("\n", "\n" + 10 * " ")
        yield f"  {result.status:<8}{lines}"


def as_json(solution: Solution, trace: bool) -> str:
    """One JSON object on one line.

    Args:
        solution: how the search ended.
        trace: whether the turns are told, too.
    """
    found: dict[str, Any] = {
        "program": solution.program,
        "score": solution.score,
        "passed": solution.passed,
        "public_tests": [
            {"test": result.test.code, "passed": result.passed, "status": str(result.status)}
            for result in solution.tests
        ],
    }
    if trace:
        found["turns"] = [_turn(move) for move in solution.turns]
    return json.dumps(found)


def _turn(move: Move) -> dict[str, Any]:
    return {
        "turn": move.state.turn,
        "chosen": move.index,
        "feedback": move.sample.verdict.feedback,
        "candidates": [
            {
                "program": sample.completion.program,
                "reply": sample.completion.reply,
                "score": score_of(sample.score),
                "passed": sample.passes_public,
                "status": str(sample.verdict.status),
            }
            for sample in move.samples
        ],
    }


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _score(sample: Sample) -> str:
    score = score_of(sample.score)
    return "" if score is None else f", score {score:.2f}"

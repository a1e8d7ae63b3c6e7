"""What is trained on: made from the starter problems' references and small mistakes in them, without a model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from benchmarks.mutants import mutants
from mucode.problems import load_problems
from mucode.prompts import reply_for
from mucode.training.settings import TrainingSettings
from mucode.types import Candidate, Completion, Demonstration, History, Problem, Status, Turn, Verdict
from mucode.verifier.pairs import preference_pairs
from mucode.verifier.text import Reader

SEED = 0  # of every training: pairs, adapters, order


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the problems, and how much of each: what one training learns from."""

    first: int  # place of its first problem
    problems: int
    rollouts: int  # of each, of `turns` turns
    turns: int
    wrong: int  # programs of each beside its reference, which give as many pairs


def scripted(problems: int, rollouts: int, turns: int) -> tuple[list[Demonstration], list[Problem]]:
    """Every state of rollouts that never get it right, each with the reference as y*."""
    source, weights, used = random.Random(0), dict[tuple[Problem, History, str], float](), list[Problem]()
    for problem, answer in load_problems("starter"):
        if len(used) == problems:
            break
        wrong = mutants(answer.reference)
        if len(wrong) < turns:
            continue
        used.append(problem)
        for _ in range(rollouts):
            history = tuple(_turn(problem, program, source) for program in source.sample(wrong, turns - 1))
            for length in range(turns):
                state = (problem, history[:length], answer.reference)
                weights[state] = weights.get(state, 0.0) + 1.0
    return [Demonstration(x.id, history, y, weight) for (x, history, y), weight in weights.items()], used


def _turn(problem: Problem, program: str, source: random.Random) -> Turn:
    test = problem.public_tests[0].code
    feedback = f"AssertionError: {test}\n{problem.entry_point} returned {source.randint(-99, 99)}"
    return Turn(Completion(reply_for(program), program), Verdict(Status.FAILED, 0, 1, feedback))


def demonstrations(part: Part) -> tuple[list[Demonstration], list[Problem]]:
    """D*: every distinct state of rollouts that never get it right, with the reference as y* and weight 1 (TRL has none)."""
    states, problems = scripted(part.first + part.problems, part.rollouts, part.turns)
    mine = problems[part.first :]
    names = {problem.id for problem in mine}
    return [replace(state, weight=1.0) for state in states if state.problem_id in names], mine


def candidates(part: Part) -> tuple[list[Candidate], list[Problem]]:
    """D: each reference and some small mistakes in it."""
    found: list[Candidate] = []
    problems: list[Problem] = []
    known = ((problem, answer, mutants(answer.reference)) for problem, answer in load_problems("starter"))
    enough = (each for each in known if len(each[2]) >= part.wrong)
    for problem, answer, wrong in islice(enough, part.first, part.first + part.problems):
        problems.append(problem)
        found.append(Candidate(problem.id, answer.reference, 1.0))
        some = random.Random(problem.id).sample(wrong, part.wrong)
        found += [Candidate(problem.id, program, 0.0) for program in some]
    return found, problems


@dataclass(frozen=True, slots=True)
class Tokens:
    """One row for a trainer that takes tokens; prompt and answer, or chosen and rejected."""

    first: list[int]
    second: list[int]


def demonstration_tokens(part: Part, tokenizer: object, settings: TrainingSettings) -> list[Tokens]:
    """The prompt and the answer of each demonstration, as `fine_tune` reads them."""
    from mucode.generator.fine_tune import encode

    states, problems = demonstrations(part)
    known = {problem.id: problem for problem in problems}
    encoded = [encode(tokenizer, each, known[each.problem_id], settings.max_tokens, True) for each in states]
    return [Tokens(list(each.prompt), list(each.answer)) for each in encoded]


def pair_tokens(part: Part, tokenizer: object, settings: TrainingSettings, per_problem: int) -> list[Tokens]:
    """The chosen and the rejected row of each pair, as `train_verifier` reads them."""
    programs, problems = candidates(part)
    known, reader = {problem.id: problem for problem in problems}, Reader(tokenizer, settings.max_tokens, True)
    pairs = preference_pairs(programs, per_problem, SEED)
    return [
        Tokens(reader.tokens(known[p.problem_id], p.chosen), reader.tokens(known[p.problem_id], p.rejected))
        for p in pairs
    ]


def counted(rows: Sequence[Tokens]) -> int:
    """Tokens of one epoch, each row's by itself, without padding."""
    return sum(len(row.first) + len(row.second) for row in rows)

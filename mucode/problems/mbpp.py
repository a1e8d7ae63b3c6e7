"""MBPP (Austin et al., 2021): 974 one-function tasks. One assert is public, the rest and the challenge tests private.

Splits by task_id as its authors made them: 1-10 few-shot prompts (the split "prompt" here, which nothing trains on),
11-510 test, 511-600 validation, 601-974 train.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from mucode.problems.names import defined_in, imported_in
from mucode.problems.rows import Row, json_rows, problems_in, python_in, task_id_in, test_in, text_in, texts_in
from mucode.types import Answer, MucodeError, Problem, Test, Unavailable

HUB_ID = "google-research-datasets/mbpp"
HUB_REVISION = "4bb6404fdc6cacfda99d4ac4205087b89d32030c"
CONTENT = "af6ae6270e8d174f0e1bd4535ce5bb81eb19fe3e8dd8a5594d9a4ea5e46298d9"  # sha256 of its 974 rows, see `content_of`
_FIELDS = ("task_id", "text", "code", "test_list", "test_setup_code", "challenge_test_list")
PATH_VARIABLE = "MUCODE_MBPP"


def load(path: Path | None = None) -> list[tuple[Problem, Answer]]:
    """All of MBPP, by task_id.

    Args:
        path: any file in MBPP's own JSON-lines format; None takes MBPP itself, from the file that MUCODE_MBPP names
            or else from the Hub: equal rows either way, since neither is a parameter that DVC could see.

    Raises:
        MucodeError: the file cannot be read or is not MBPP, or a row is no problem (by its line).
        Unavailable: the Hub is not reached.
    """
    pairs = problems_in(path, _mbpp_problem) if path else [_mbpp_problem(row) for row in _published_rows()]
    return sorted(pairs, key=lambda pair: int(pair[0].id.removeprefix("mbpp/")))


def content_of(rows: Iterable[Row]) -> str:
    """sha256 of what rows of MBPP say, whatever file or order they come in."""
    digest = hashlib.sha256()
    for row in sorted(rows, key=_number):
        digest.update(json.dumps([row.get(field) for field in _FIELDS]).encode() + b"\n")
    return digest.hexdigest()


def _published_rows() -> list[Row]:
    file = os.environ.get(PATH_VARIABLE)
    rows = [row for _, row in json_rows(Path(file))] if file else _hub_rows()
    if content_of(rows) != CONTENT:
        raise MucodeError(
            f"{file or HUB_ID} is not MBPP as it was published: name a file of your own in params.yaml, "
            "problems.files, so that a change of it is seen"
        )
    return rows


def _mbpp_problem(row: Row) -> tuple[Problem, Answer]:
    return problem_from_mbpp_row(row, "mbpp", split_of(row))


def split_of(row: Row) -> str:
    """The split that a row of MBPP belongs to."""
    number = _number(row)
    return "prompt" if number <= 10 else "test" if number <= 510 else "validation" if number <= 600 else "train"


def problem_from_mbpp_row(row: Row, source: str, split: str) -> tuple[Problem, Answer]:
    """One row of MBPP's format: `test_list[0]` is public; its others and `challenge_test_list` are private.

    Raises:
        MucodeError: no test, a test that is no Python or asserts nothing, or a field of the wrong type.
    """
    name = f"{source}/{task_id_in(row)}"
    tests, challenges = texts_in(row, "test_list"), texts_in(row, "challenge_test_list")
    if not tests:
        raise MucodeError(f"{name} has no tests: test_list needs at least one assert")
    setup = "\n".join((*texts_in(row, "test_imports"), text_in(row, "test_setup_code", "")))
    python_in(name, "test_setup_code", setup)
    trees = [test_in(name, test) for test in (*tests, *challenges)]
    reference = text_in(row, "code", "")
    public, *private = (Test(test) for test in (*tests, *challenges))
    problem = Problem(
        id=name,
        source=source,
        split=split,
        text=text_in(row, "text", text_in(row, "prompt", "")),
        entry_point=_entry_point(trees, reference, setup),
        public_tests=(public,),
        setup=setup.strip(),
    )
    return problem, Answer(name, tuple(private), reference)


def _entry_point(tests: list[ast.Module], reference: str, setup: str) -> str:
    """The function that the asserts ask about: the one called outermost that the reference defines.

    Without a reference: the one called outermost that is neither a builtin nor the setup's, else the outermost of all
    (mbpp/126 asks for a function named `sum`). "" if no test calls anything by name.
    """
    known = defined_in(reference) - imported_in(reference)
    foreign = set(dir(builtins)) | defined_in(setup)
    outermost: Counter[str] = Counter()
    for test in tests:
        calls = list(_calls(test))
        wanted = [name for name in calls if name in known] or [name for name in calls if name not in foreign]
        outermost.update((wanted or calls)[:1])
    return outermost.most_common(1)[0][0] if outermost else ""


def _calls(tree: ast.AST) -> Iterator[str]:
    """Names called, outermost first."""
    level: list[ast.AST] = [tree]
    while level:
        yield from (n.func.id for n in level if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))
        level = [child for node in level for child in ast.iter_child_nodes(node)]


def _number(row: Row) -> int:
    number = task_id_in(row)
    if not isinstance(number, int):
        raise MucodeError(f"task_id {number!r} of MBPP is no number, so it has no split: use MBPP's own numbers")
    return number


def _hub_rows() -> list[Row]:
    import datasets

    try:
        splits = datasets.load_dataset(HUB_ID, "full", revision=HUB_REVISION)
    except (OSError, ValueError, RuntimeError) as error:  # offline, refused, unknown: the Hub's errors are all of these
        reason = " ".join(str(error).split())[:200]
        raise Unavailable(f"MBPP did not come from the Hub ({reason}): name a local file in {PATH_VARIABLE}") from error
    return [dict(row) for split in splits.values() for row in split]

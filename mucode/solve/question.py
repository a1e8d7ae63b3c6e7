"""A user's problem: plain text, MBPP's or HumanEval's format, or this command's own. Every test in it is public."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TextIO

from mucode.problems import problem_from_humaneval_row, problem_from_mbpp_row
from mucode.problems.examples import docstring_examples
from mucode.problems.rows import Row, python_in, test_in, text_in, texts_in
from mucode.types import MucodeError, Problem, Test

OWN = ("text", "tests", "entry_point", "setup")
_WAY_OUT = "give plain text, {'text': ..., 'tests': [...]}, or one row of MBPP or HumanEval"
_STAND_IN = re.compile(r"^(task_id (None|'problem')|(solve|humaneval)/problem): ")  # no name that the user gave
_ANY_CHECK = "def check(candidate):\n    assert candidate"  # HumanEval's own is private; its loader asks for one


def read_problem(path: Path | None, stdin: TextIO, tests: Sequence[str] = ()) -> Problem:
    """The problem in a file, or on standard input where `path` is None.

    Args:
        path: JSON if it is named so or begins with a brace, else plain text.
        stdin: read to its end.
        tests: further public tests, each Python with an assert.

    Raises:
        MucodeError: it cannot be read, has no text or half a character, or a test that is no Python or asserts nothing.
    """
    name = str(path or "standard input")
    try:
        content = stdin.read() if path is None else path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MucodeError(f"{name} is not UTF-8 (byte {error.start}): write it as UTF-8") from error
    except OSError as error:
        raise MucodeError(f"{name} cannot be read ({error.strerror or error}): name a file with a problem") from error
    content = content.removeprefix("\ufeff")  # what Windows writes before UTF-8
    as_json = content.lstrip().startswith("{") or (path is not None and path.suffix in (".json", ".jsonl"))
    row = _row(content, name) if as_json else {"text": content}
    try:
        problem = problem_from_row(row, tests)
    except MucodeError as error:
        raise MucodeError(f"{name}: {_STAND_IN.sub('', str(error))}") from error
    return problem


def problem_from_row(row: Row, tests: Sequence[str] = ()) -> Problem:
    """A problem all of whose tests are public: MBPP's `test_list`, HumanEval's docstring examples, or `tests`.

    MBPP's challenge tests and HumanEval's `check` stay out, and so do the references. The content names the problem, so
    that equal ones draw equal samples.

    Raises:
        MucodeError: no text, half a character in it, a test that is no Python or asserts nothing, or a field of the wrong
            type or name.
    """
    if "test_list" in row:
        problem = _with_tests(row, texts_in(row, "test_list"), tests)
    elif "prompt" in row and "entry_point" in row:
        problem = _humaneval(row, tests)
    elif unknown := sorted(row.keys() - OWN):
        raise MucodeError(f"the field {unknown[0]!r} is none of {', '.join(OWN)}: {_WAY_OUT}")
    else:
        own = {"text": row.get("text"), "test_setup_code": row.get("setup")}
        problem = _with_tests(own, texts_in(row, "tests"), tests)
    given = text_in(row, "entry_point", "").strip()
    if given and not given.isidentifier():
        raise MucodeError(f"entry_point {given!r} is no function's name: correct it or leave it out")
    if not problem.text.strip():
        raise MucodeError(f"the problem has no text: {_WAY_OUT}")
    _require_whole_characters(problem.text)
    named = replace(problem, id="", text=problem.text.strip(), entry_point=given or problem.entry_point)
    digest = hashlib.sha256(json.dumps(asdict(named)).encode()).hexdigest()
    return replace(named, id=f"solve/{digest[:12]}")


def _with_tests(row: Row, own: Sequence[str], more: Sequence[str]) -> Problem:
    """A problem in MBPP's manner, whose loader reads the entry point off the tests."""
    found = [*own, *(test.strip() for test in more)]
    if not found:
        text, setup = text_in(row, "text", text_in(row, "prompt", "")), text_in(row, "test_setup_code", "")
        python_in("the problem", "setup", setup)
        return Problem("", "solve", "test", text, "", (), setup.strip())
    problem, _ = problem_from_mbpp_row({**row, "task_id": "problem", "test_list": found}, "solve", "test")
    return replace(problem, public_tests=tuple(map(Test, found)))


def _humaneval(row: Row, more: Sequence[str]) -> Problem:
    prompt, entry_point = text_in(row, "prompt"), text_in(row, "entry_point")
    bare = {"task_id": "problem", "prompt": prompt, "entry_point": entry_point, "test": _ANY_CHECK}
    problem, _ = problem_from_humaneval_row(bare, lambda problem, reference, examples: [False] * len(examples))
    examples = docstring_examples(prompt[prompt.rfind(f"def {entry_point}") :], entry_point)
    for test in more:
        test_in("the problem", test)
    return replace(problem, source="solve", public_tests=tuple(map(Test, (*examples, *more))))


def _require_whole_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise MucodeError(f"half a character is in it ({half}): write all of it") from error


def _row(content: str, name: str) -> Row:
    try:
        row = json.loads(content)
    except (ValueError, RecursionError) as error:
        several = " (several rows? give one)" if "Extra data" in str(error) else ""
        raise MucodeError(f"{name} is no JSON ({error}){several}: {_WAY_OUT}") from error
    if not isinstance(row, dict):
        raise MucodeError(f"{name} is JSON, but no object: {_WAY_OUT}")
    return row

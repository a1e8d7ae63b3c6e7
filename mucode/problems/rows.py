"""JSON lines and their fields: what MBPP, HumanEval, the starter set and `mucode label` are all written in."""

from __future__ import annotations

import ast
import json
import symtable
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mucode.types import Answer, MucodeError, Problem

Row = Mapping[str, Any]
_RUNS_TEXT = frozenset({"eval", "exec", "__import__"})
_ANY_NAME = frozenset({"globals", "locals", "vars", "dir", "getattr", "getmembers"})  # these may find whatever there is
_RUNS_BYTES = frozenset({"pickle", "marshal"})


def json_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """The objects of a JSON-lines file with their line numbers, from 1, one at a time; blank lines are skipped.

    Raises:
        MucodeError: no such file, or a line that is no JSON object, by its number.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _object(line, f"{path}, line {number}")
    except OSError as error:
        raise MucodeError(f"{path} cannot be read ({error.strerror or error}): name a JSON-lines file") from error


def problems_in(path: Path, parse: Callable[[Row], tuple[Problem, Answer]]) -> list[tuple[Problem, Answer]]:
    """What a file's rows are as problems, in its order.

    Raises:
        MucodeError: the file cannot be read, or a row is no problem that can be learned from or measured on, by its line.
    """
    pairs = []
    for number, row in json_rows(path):
        try:
            pair = parse(row)
            _require_substance(*pair)
        except MucodeError as error:
            raise MucodeError(f"{path}, line {number}: {error}") from error
        pairs.append(pair)
    return pairs


def _require_substance(problem: Problem, answer: Answer) -> None:
    """Refuse what would be read without a word: a misspelt field, and tests that the generator has all seen."""
    if not problem.text.strip():
        raise MucodeError(f"{problem.id}: text is empty or not there: it must hold what is asked")
    if not answer.private_tests:
        raise MucodeError(
            f"{problem.id}: one test is shown to the generator, so there must be a second: add asserts to test_list"
        )


def row_in(line: bytes) -> Row:
    """The object on one line.

    Raises:
        MucodeError: not UTF-8, not JSON, or JSON of another kind.
    """
    return _object(line, "this line")


def text_in(row: Row, name: str, default: str | None = None) -> str:
    """A field that holds text, with "\\n" line ends; `default` where it is absent or null (None: it must be there)."""
    value = row.get(name)
    if value is None:
        value = default
    if not isinstance(value, str):
        raise MucodeError(f"{_called(row)}: {name} must be {'there as ' if value is None else ''}text")
    return value.replace("\r\n", "\n").replace("\r", "\n")


def texts_in(row: Row, name: str) -> tuple[str, ...]:
    """A field that holds a list of texts; empty where it is absent or null."""
    values = row.get(name)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MucodeError(f"{_called(row)}: {name} must be a list of texts")
    return tuple(value.replace("\r\n", "\n").replace("\r", "\n").strip() for value in values)


def task_id_in(row: Row) -> int | str:
    """The row's task_id: a whole number or text, as given."""
    value = row.get("task_id")
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise MucodeError("task_id must be there as a whole number or text")
    return value


def python_in(name: str, what: str, code: str) -> ast.Module:
    """Trusted code, parsed.

    Raises:
        MucodeError: it does not compile, so the judge could not run it; or it runs what a program may have given it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an escape in somebody's test is not our user's concern
        try:
            tree = ast.parse(code)
            compile(tree, "<trusted>", "exec", dont_inherit=True)
            built_in = _built_in(symtable.symtable(code, "<trusted>", "exec"))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise MucodeError(f"{name}: {what} is no Python ({error}): correct it: {_brief(code)}") from error
    runs = _runs_data(tree, _RUNS_TEXT & built_in)
    if runs:
        raise MucodeError(
            f"{name}: {what} runs data as code ({runs}), which could be a program's, in the judge itself: "
            f"read it by ast.literal_eval or json: {_brief(code)}"
        )
    return tree


def _built_in(table: symtable.SymbolTable) -> set[str]:
    """Names that code reads and does not bind itself, so that they are built in, or another's."""
    is_module = table.get_type() == "module"
    inner = {name for child in table.get_children() for name in _built_in(child)}
    read = {each.get_name() for each in table.get_symbols() if each.is_referenced() and (is_module or each.is_global())}
    own = {each.get_name() for each in table.get_symbols() if each.is_assigned()} if is_module else set()
    return (inner | read) - own


def _runs_data(tree: ast.Module, runs_text: frozenset[str]) -> str:
    """What in trusted code runs text or bytes that it does not spell out, text by one of these names; "" for nothing."""
    nodes = list(ast.walk(tree))
    calls = [each for each in nodes if isinstance(each, ast.Call) and each.args]
    spelt = {id(each.func) for each in calls if isinstance(each.args[0], ast.Constant)}
    for node in nodes:
        match node:
            case ast.Name(name) if name in runs_text and id(node) not in spelt:
                return name
            case ast.Attribute(ast.Name(module), "load" | "loads" as name) if module in _RUNS_BYTES:
                return f"{module}.{name}"
            case ast.ImportFrom(module, names) if module in _RUNS_BYTES:
                return next((f"{module}.{each.name}" for each in names if each.name in ("load", "loads", "*")), "")
    return ""


def test_in(name: str, code: str) -> ast.Module:
    """A test, parsed.

    Raises:
        MucodeError: it is no Python, or asserts nothing when it is run, so that any program would pass it.
    """
    tree = python_in(name, "a test", code)
    if not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
        raise MucodeError(f"{name}: a test asserts nothing, so anything would pass it: correct it: {_brief(code)}")
    if not _runs_an_assert(tree):
        raise MucodeError(
            f"{name}: a test's asserts lie where nothing runs them, so anything would pass it: call the function that "
            f"holds them, without a guard of __name__: {_brief(code)}"
        )
    return tree


def _runs_an_assert(tree: ast.Module) -> bool:
    """Whether an assert stands neither below `if __name__ == ...` nor in a function that nothing which runs names."""
    running: list[ast.AST] = list(tree.body)
    named: set[str] = set()
    silent = _of_pytest(tree)
    awake = _called_by_a_base(tree)
    asleep: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
    while running:
        match node := running.pop():
            case ast.Assert():
                return True
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node not in awake and _waits(node, silent):
                asleep.append(node)
                running.append(node.args)
            case ast.If() if any(isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(node.test)):
                running += node.orelse
            case _:
                named |= {getattr(node, field) for field in ("id", "attr") if hasattr(node, field)}
                running += ast.iter_child_nodes(node)
        called = [each for each in asleep if each.name in named or named & _ANY_NAME]
        asleep = [each for each in asleep if each not in called]
        running += [statement for each in called for statement in each.body]
    return False


def _waits(function: ast.FunctionDef | ast.AsyncFunctionDef, silent: set[str]) -> bool:
    """Whether a function runs only where it is named: not what Python calls itself, nor what a decorator may call. One of
    the `silent` names calls nothing."""
    inner = (each for decorator in function.decorator_list for each in ast.walk(decorator))
    roots = {each.id for each in inner if isinstance(each, ast.Name)}
    return not function.name.startswith("__") and (not function.decorator_list or not roots.isdisjoint(silent))


def _of_pytest(tree: ast.Module) -> set[str]:
    """Names that stand for pytest or what is in it."""
    names = {"pytest"}
    for node in ast.walk(tree):
        match node:
            case ast.Import(aliases):
                names |= {each.asname for each in aliases if each.asname and each.name.partition(".")[0] == "pytest"}
            case ast.ImportFrom(str(module), aliases) if module.partition(".")[0] == "pytest":
                names |= {each.asname or each.name for each in aliases}
    return names


def _called_by_a_base(tree: ast.Module) -> set[ast.AST]:
    """Methods of classes with a base from elsewhere, which may call them, as `ast.NodeVisitor` does. What runs those of a
    TestCase notes down what fails, and raises nothing."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    own = {"object", "TestCase", *(each.name for each in classes)}
    derived = (each for each in classes if any(_last_name(base) not in own for base in each.bases))
    return {method for each in derived for method in each.body}


def _last_name(base: ast.expr) -> str:
    """ "TestCase" of `unittest.TestCase`; "" of what is no name."""
    return base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")


def _brief(code: str) -> str:
    return repr(code if len(code) <= 80 else f"{code[:77]}...")


def _object(line: bytes, where: str) -> Row:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MucodeError(f"{where} is not UTF-8 (byte {error.start}): write the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise MucodeError(f"{where} is no JSON ({error}): write one object per line") from error
    if not isinstance(value, dict):
        raise MucodeError(f"{where} is JSON, but no object: write one object per line")
    return value


def _called(row: Row) -> str:
    return f"task_id {row.get('task_id')!r}"

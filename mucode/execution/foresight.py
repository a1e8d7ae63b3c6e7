"""Calls that a test is sure to make, with arguments known beforehand: the program can be asked for all of them at
once.

`assert f(2) == 3` makes one call of `f`, whatever the program is. Only such asserts are foreseen, in order, up to the
first statement that is anything else. Asking early changes nothing that a program can see: it is called in the same
order with the same arguments, and stops at the first result that isn't plain data, since a test might use that before
its next call.
"""

from __future__ import annotations

import ast
from typing import Any

from mucode.execution.inside import frames
from mucode.execution.inside.plain import Encoder

Call = tuple[str, list[Any]]  # a name and the JSON forms of the arguments


def foresee(trees: list[ast.Module], borrowed: set[str]) -> list[Call]:
    """The calls that running `trees` one after the other begins with."""
    calls: list[Call] = []
    for tree in trees:
        for statement, alias in _statements(tree):
            call = _only_call(statement, borrowed, alias)
            if call is None:
                return calls
            calls += [call] if call else []
    return calls


def _statements(tree: ast.Module) -> list[tuple[ast.stmt, dict[str, str]]]:
    """What runs, with what a name stands for: `def check(candidate): ...`, `check(f)` is the function's body."""
    body = [node for node in tree.body if not _is_inert(node)]
    functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    statements: list[tuple[ast.stmt, dict[str, str]]] = []
    for node in body:
        match node:
            case ast.FunctionDef():
                continue
            case ast.Expr(ast.Call(ast.Name(name), [ast.Name(given)], [])) if name in functions:
                parameters = functions[name].args
                if len(parameters.args) != 1 or parameters.vararg or parameters.kwarg or functions[name].decorator_list:
                    return [*statements, (node, {})]
                alias = {parameters.args[0].arg: given}
                statements += [(each, alias) for each in functions[name].body if not _is_inert(each)]
            case _:
                statements.append((node, {}))
    return statements


def _is_inert(node: ast.stmt) -> bool:
    """Imports, constants and names of constants call nothing."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Expr(ast.Constant()):
            return True
        case ast.Assign([ast.Name()], value):
            return not any(isinstance(each, ast.Call) for each in ast.walk(value))
    return False


def _only_call(node: ast.stmt, borrowed: set[str], alias: dict[str, str]) -> Call | tuple[()] | None:
    """The one call of a borrowed function that an assert is sure to make; () for none; None if unsure."""
    if not isinstance(node, ast.Assert) or (node.msg is not None and not isinstance(node.msg, ast.Constant)):
        return None
    inner = list(ast.walk(node.test))
    if any(isinstance(each, _UNSURE) for each in inner):
        return None
    if any(isinstance(each, ast.Compare) and len(each.ops) > 1 for each in inner):
        return None
    names = [each for each in inner if isinstance(each, ast.Name) and alias.get(each.id, each.id) in borrowed]
    calls = [each for each in inner if isinstance(each, ast.Call) and each.func in names]
    if len(names) != len(calls) or len(calls) > 1:
        return None
    return _literal(calls[0], alias) if calls else ()


def _literal(call: ast.Call, alias: dict[str, str]) -> Call | None:
    assert isinstance(call.func, ast.Name)
    if call.keywords or any(
        isinstance(each, (ast.Set, ast.Call)) for argument in call.args for each in ast.walk(argument)
    ):
        return None  # the order within a set depends on how it was made
    try:
        values = [ast.literal_eval(argument) for argument in call.args]
        return alias.get(call.func.id, call.func.id), Encoder(_refuse).items(values)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, frames.WireError):
        return None


def _refuse(value: object) -> Any:
    raise frames.WireError("not plain")


# An expression with any of these may skip a call, or make it more than once.
_UNSURE = (
    ast.BoolOp, ast.IfExp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Await, ast.Yield,
    ast.YieldFrom, ast.NamedExpr, ast.Starred,
)  # fmt: skip

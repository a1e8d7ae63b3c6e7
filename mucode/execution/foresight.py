"""Calls that a test is sure to make, with arguments known beforehand: the program can be asked for all of them at
once.

`assert f(2) == 3` makes one call of `f`, whatever the program is. Only such asserts are foreseen, in order, up to the
first statement that is anything else, or that reads a name behind which the program may be: a helper of the test's may
call it, another name may stand for it. Asking early changes nothing that a program can see: it is called in the same
order with the same arguments, and stops at the first result that isn't plain data, since a test might use that before
its next call.
"""

from __future__ import annotations

import ast
import builtins
from typing import Any

from mucode.execution.inside import frames
from mucode.execution.inside.plain import Encoder

Call = tuple[str, list[Any]]  # a name and the JSON forms of the arguments


def foresee(trees: list[ast.Module], borrowed: set[str]) -> list[Call]:
    """The calls that running `trees` one after the other begins with."""
    calls: list[Call] = []
    clear = set(dir(builtins)) - _REACHING  # names behind which no program is: built in, imported, or of constants
    for tree in trees:
        for statement, alias in _statements(tree):
            clear -= borrowed | alias.keys()
            bound = _bound(statement, clear)
            if bound is None:
                call = _only_call(statement, borrowed, alias, clear)
                if call is None:
                    return calls
                calls += [call] if call else []
            elif not bound.isdisjoint(borrowed | alias.keys()):
                return calls
            elif isinstance(statement, ast.FunctionDef):
                clear -= bound
            else:
                clear |= bound
    return calls


def _statements(tree: ast.Module) -> list[tuple[ast.stmt, dict[str, str]]]:
    """What runs, with what a name stands for: `def check(candidate): ...`, `check(f)` is the function's body."""
    functions: dict[str, ast.FunctionDef] = {}
    statements: list[tuple[ast.stmt, dict[str, str]]] = []
    for node in tree.body:
        match node:
            case ast.Expr(ast.Call(ast.Name(name), [ast.Name(given)], [])) if name in functions:
                parameters = functions[name].args
                if len(parameters.args) != 1 or parameters.vararg or parameters.kwarg:
                    return [*statements, (node, {})]
                alias = {parameters.args[0].arg: given}
                statements += [(each, alias) for each in functions[name].body]
            case _:
                functions |= {node.name: node} if isinstance(node, ast.FunctionDef) else {}
                statements.append((node, {}))
    return statements


def _bound(node: ast.stmt, clear: set[str]) -> set[str] | None:
    """The names that a statement binds which calls nothing and in which no program can be; None for any other."""
    match node:
        case ast.Import(names) | ast.ImportFrom(names=names):
            return {(each.asname or each.name).partition(".")[0] for each in names}
        case ast.Pass() | ast.Expr(ast.Constant()):
            return set()
        case ast.Assign([ast.Name(name)], value) if _is_clear(value, clear):
            return {name}
        case ast.FunctionDef(name, arguments, decorator_list=[], returns=returns):
            if _is_clear(arguments, clear) and (returns is None or _is_clear(returns, clear)):
                return {name}
    return None


def _is_clear(node: ast.AST, clear: set[str]) -> bool:
    inner = list(ast.walk(node))
    names = {each.id for each in inner if isinstance(each, ast.Name)}
    return names <= clear and not any(isinstance(each, ast.Call) for each in inner)


def _only_call(node: ast.stmt, borrowed: set[str], alias: dict[str, str], clear: set[str]) -> Call | tuple[()] | None:
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
    if any(isinstance(each, ast.Name) and each not in names and each.id not in clear for each in inner):
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


# Built-in functions that may reach the program by its name in a text, or by what they are given.
_REACHING = {"globals", "locals", "vars", "dir", "eval", "exec", "getattr", "__import__"}

# An expression with any of these may skip a call, or make it more than once.
_UNSURE = (
    ast.BoolOp, ast.IfExp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Await, ast.Yield,
    ast.YieldFrom, ast.NamedExpr, ast.Starred,
)  # fmt: skip

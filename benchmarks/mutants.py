"""Small plausible mistakes: every program that differs from a given one in a single place."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

_OPERATORS: dict[type[ast.operator], list[ast.operator]] = {
    ast.Add: [ast.Sub()],
    ast.Sub: [ast.Add()],
    ast.Mult: [ast.Add()],
    ast.Div: [ast.FloorDiv(), ast.Mult()],
    ast.FloorDiv: [ast.Div(), ast.Mod()],
    ast.Mod: [ast.FloorDiv()],
    ast.Pow: [ast.Mult()],
}
_COMPARISONS: dict[type[ast.cmpop], list[ast.cmpop]] = {
    ast.Lt: [ast.LtE(), ast.Gt()],
    ast.LtE: [ast.Lt(), ast.GtE()],
    ast.Gt: [ast.GtE(), ast.Lt()],
    ast.GtE: [ast.Gt(), ast.LtE()],
    ast.Eq: [ast.NotEq()],
    ast.NotEq: [ast.Eq()],
    ast.In: [ast.NotIn()],
    ast.NotIn: [ast.In()],
}
_FUNCTIONS = {"min": "max", "max": "min", "all": "any", "any": "all", "sum": "len", "len": "sum", "set": "list"}
_METHODS = {
    "upper": "lower",
    "lower": "upper",
    "isupper": "islower",
    "isdigit": "isalpha",
    "isalpha": "isdigit",
    "startswith": "endswith",
    "endswith": "startswith",
    "keys": "values",
    "values": "keys",
    "capitalize": "upper",
    "strip": "lstrip",
    "splitlines": "split",
}
_DROPPED = ("sorted", "reversed", "abs", "int", "str", "list")  # f(x) becomes x


def mutants(code: str) -> list[str]:
    """Programs that differ from `code` in one operator, comparison, constant, slice, call or condition; no repeats."""
    tree = ast.parse(code)
    variants = []
    for place, node in enumerate(ast.walk(tree)):
        for replacement in _replacements(node):
            variants.append(ast.unparse(_with(tree, place, replacement)))
    original = ast.unparse(tree)
    return [variant for variant in dict.fromkeys(variants) if variant != original]


def _with(tree: ast.Module, place: int, replacement: ast.AST) -> ast.Module:
    """A copy of the tree in which the node at this place of `ast.walk` is another one."""
    twin = copy.deepcopy(tree)
    old = list(ast.walk(twin))[place]
    new = copy.deepcopy(replacement)
    for parent in ast.walk(twin):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list):
                setattr(parent, field, [new if entry is old else entry for entry in value])
    return ast.fix_missing_locations(twin)


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in this node's place."""
    yield from _other_operations(node)
    match node:
        case ast.Constant():
            yield from (ast.Constant(value) for value in _other_constants(node.value))
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body)
        case ast.If() | ast.While():
            yield _changed(node, "test", ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension(ifs=[_, *_]):
            yield _changed(node, "ifs", [])
        case ast.Slice():
            yield from _other_slices(node)
        case ast.Call(func=ast.Name()):
            yield from _other_function_calls(node)
        case ast.Call(func=ast.Attribute()):
            yield from _other_method_calls(node)


def _other_operations(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp():
            yield from (_changed(node, "op", operator) for operator in _OPERATORS.get(type(node.op), []))
            yield ast.BinOp(node.right, node.op, node.left)
        case ast.AugAssign():
            yield from (_changed(node, "op", operator) for operator in _OPERATORS.get(type(node.op), []))
        case ast.BoolOp():
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            yield from node.values
        case ast.Compare():
            for i, operator in enumerate(node.ops):
                for other in _COMPARISONS.get(type(operator), []):
                    yield ast.Compare(node.left, [*node.ops[:i], other, *node.ops[i + 1 :]], node.comparators)
        case ast.UnaryOp():
            yield node.operand


def _changed(node: ast.AST, field: str, value: object) -> ast.AST:
    twin = copy.copy(node)
    setattr(twin, field, value)
    return twin


def _other_constants(value: object) -> list[bool] | list[int] | list[float] | list[str]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 1]
    if isinstance(value, str):
        return [value + " ", ""] if value else [" "]
    return []


def _other_slices(node: ast.Slice) -> Iterator[ast.AST]:
    """Off by one where a bound is missing (a bound that is there is a constant or a sum); without its step."""
    if node.lower is None and node.step is None:
        yield ast.Slice(ast.Constant(1), node.upper, node.step)
    if node.upper is None and node.step is None:
        yield ast.Slice(node.lower, ast.Constant(-1), node.step)
    if node.step is not None:
        yield ast.Slice(node.lower, node.upper, None)


def _other_function_calls(node: ast.Call) -> Iterator[ast.AST]:
    name = ast.unparse(node.func)
    if name in _FUNCTIONS:
        yield ast.Call(ast.Name(_FUNCTIONS[name]), node.args, node.keywords)
    if name in _DROPPED and node.args:
        yield node.args[0]
    if name == "range" and len(node.args) == 1:
        yield ast.Call(node.func, [ast.Constant(1), *node.args], [])
    for i in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])
    if name == "sorted" and not any(keyword.arg == "reverse" for keyword in node.keywords):
        yield ast.Call(node.func, node.args, [*node.keywords, ast.keyword("reverse", ast.Constant(True))])


def _other_method_calls(node: ast.Call) -> Iterator[ast.AST]:
    if not isinstance(node.func, ast.Attribute):
        return
    owner, name = node.func.value, node.func.attr
    if name in _METHODS:
        yield ast.Call(ast.Attribute(owner, _METHODS[name]), node.args, node.keywords)
    if not node.args and name not in {"items", "keys", "values"}:
        yield owner
    if len(node.args) > 1:
        yield ast.Call(node.func, node.args[:-1], node.keywords)

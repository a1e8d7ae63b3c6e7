"""Names in a problem's code: what a module defines, and what its asserts call."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def defined_in(code: str) -> set[str]:
    """Names that a module defines at its top level, by imports too; none if it is no Python."""
    names = imported_in(code)
    for node in _statements(code):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Assign():
                names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def imported_in(code: str) -> set[str]:
    """Names that a module imports at its top level; none if it is no Python."""
    imports = (node for node in _statements(code) if isinstance(node, ast.Import | ast.ImportFrom))
    return {(alias.asname or alias.name).partition(".")[0] for node in imports for alias in node.names}


def called_beside(code: str, entry_point: str) -> set[str]:
    """Names that the asserts of a test call elsewhere than in the arguments of a call of the entry point."""
    asserts = (node for statement in _statements(code) for node in ast.walk(statement) if isinstance(node, ast.Assert))
    return {name for each in asserts for name in _called(each, entry_point)}


def _called(node: ast.AST, entry_point: str) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == entry_point:
            return
        yield node.func.id
    for child in ast.iter_child_nodes(node):
        yield from _called(child, entry_point)


def _statements(code: str) -> list[ast.stmt]:
    try:
        return ast.parse(code).body
    except (SyntaxError, ValueError):
        return []

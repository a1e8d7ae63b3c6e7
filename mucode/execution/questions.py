"""A problem's tests made ready once and asked of many programs: which names to borrow, which asserts to count."""

from __future__ import annotations

import ast
import builtins
import importlib
import itertools
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

from mucode.execution.foresight import Call, foresee

HELD = "__mucode_held__"
_NUMPY = {"np": "numpy", "numpy": "numpy"}
_TRUSTED_STATEMENTS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Question:
    """One test: its code, its source, and the line of each assert."""

    code: CodeType
    source: str
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Questions:
    """The tests of one half of a problem. `trusted` is what the program may use too: imports, helpers and classes."""

    tests: tuple[Question, ...]
    libraries: CodeType | None  # imports that the tests leave to the program
    setup: CodeType | None
    preamble: CodeType | None
    trusted: str
    only_imports: bool  # of `trusted`
    names: tuple[str, ...]  # borrowed from the program
    foreseen: tuple[Call, ...]  # calls that the tests are sure to begin with
    entry_point: str
    numpy: bool  # whether trusted code speaks of it

    def trusted_for(self, program: str) -> str:
        """What has to be run before `program`: nothing when it has the same imports itself."""
        return "" if self.only_imports and set(self.trusted.split("\n")) <= _first_imports(program) else self.trusted

    @property
    def total(self) -> int:
        """How many asserts there are."""
        return sum(len(test.lines) for test in self.tests)


def _first_imports(program: str) -> set[str]:
    """The lines that a program begins with, as far as they import: lower down, they may stand in a text."""
    lines = (line for line in program.split("\n") if line.strip())
    return set(itertools.takewhile(lambda line: line.startswith(("import ", "from ")), lines))


class _CountHeld(ast.NodeTransformer):
    """After each assert, a call that says that it held."""

    def __init__(self) -> None:
        self.lines: list[int] = []

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        """The assert and the call, on the assert's own line."""
        call = ast.Call(ast.Name(HELD, ast.Load()), [ast.Constant(len(self.lines))], [])
        self.lines.append(node.lineno)
        return [node, ast.copy_location(ast.Expr(ast.copy_location(call, node)), node)]


def prepare(setup: str, preamble: str, entry_point: str, tests: tuple[str, ...]) -> Questions:
    """Compile the tests of one half. `SyntaxError` when a test, which is trusted, is not Python."""
    trees = [ast.parse(source) for source in tests]
    setup_tree, preamble_tree = ast.parse(setup), ast.parse(preamble)
    borrowed = _borrowed([setup, *tests], preamble, entry_point)
    libraries = _libraries([setup_tree, *trees], borrowed - {entry_point})
    borrowed -= libraries.keys()
    foreseen = () if setup_tree.body else tuple(foresee([preamble_tree, *trees], borrowed))
    trusted = _for_the_program(setup_tree, preamble_tree, entry_point)
    questions = tuple(
        _question(tree, source, index) for index, (tree, source) in enumerate(zip(trees, tests, strict=True))
    )
    return Questions(
        tests=questions,
        libraries=_imports(libraries),
        setup=compile(setup_tree, "<setup>", "exec", dont_inherit=True) if setup_tree.body else None,
        preamble=compile(preamble_tree, "<prompt>", "exec", dont_inherit=True) if preamble_tree.body else None,
        trusted=trusted,
        only_imports=all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.parse(trusted).body),
        names=tuple(sorted(borrowed)),
        foreseen=foreseen,
        entry_point=entry_point,
        numpy="numpy" in libraries.values() or any("numpy" in source for source in (setup, preamble, *tests)),
    )


def _question(tree: ast.Module, source: str, index: int) -> Question:
    counter = _CountHeld()
    counted = ast.fix_missing_locations(counter.visit(tree))
    return Question(compile(counted, f"<test {index}>", "exec", dont_inherit=True), source, tuple(counter.lines))


def _borrowed(sources: list[str], preamble: str, entry_point: str) -> set[str]:
    """Every global name that is read, no builtin, and assigned by no trusted code; the entry point whatever it is."""
    read: set[str] = set()
    assigned = _assigned(symtable.symtable(preamble, "<prompt>", "exec"))
    for source in sources:
        top = symtable.symtable(source, "<test>", "exec")
        assigned |= _assigned(top)
        read |= {
            symbol.get_name() for table in _tables(top) for symbol in table.get_symbols() if _is_global(table, symbol)
        }
    return {name for name in read - assigned if not hasattr(builtins, name)} | ({entry_point} if entry_point else set())


def _libraries(trees: list[ast.Module], names: set[str]) -> dict[str, str]:
    """Which of these names are modules that the tests read without an import, and of what module. A test that compares
    with `sys.getsizeof(x)`, or asks `math.isclose`, means the library's: the program's own `sys` would decide.

    A name is a module's when all that the tests do with it is to read what the module has: the program may have a `queue`.
    """
    inner = [node for tree in trees for node in ast.walk(tree)]
    read: dict[str, set[str]] = {}
    for node in inner:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            read.setdefault(node.value.id, set()).add(node.attr)
    whole = {id(node.value) for node in inner if isinstance(node, ast.Attribute)}
    bare = {node.id for node in inner if isinstance(node, ast.Name) and id(node) not in whole}
    found = {name: _NUMPY.get(name, name) for name in sorted((names - bare) & read.keys())}
    return {name: module for name, module in found.items() if _has(module, read[name])}


def _has(module: str, attributes: set[str]) -> bool:
    """Whether a module of the library's, or numpy, has all of these."""
    if module not in sys.stdlib_module_names and module not in _NUMPY.values():
        return False
    try:
        return all(hasattr(importlib.import_module(module), each) for each in attributes)
    except ImportError:
        return False


def _imports(libraries: dict[str, str]) -> CodeType | None:
    lines = [f"import {module} as {name}" for name, module in libraries.items()]
    return compile("\n".join(lines), "<libraries>", "exec", dont_inherit=True) if lines else None


def _assigned(top: symtable.SymbolTable) -> set[str]:
    """Global names that code assigns, in a function by `global`, too."""
    return {
        symbol.get_name()
        for table in _tables(top)
        for symbol in table.get_symbols()
        if (symbol.is_assigned() or symbol.is_imported()) and (table is top or symbol.is_global())
    }


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _is_global(table: symtable.SymbolTable, symbol: symtable.Symbol) -> bool:
    return symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module")


def _for_the_program(setup: ast.Module, preamble: ast.Module, entry_point: str) -> str:
    """What the program may use of the trusted code. Statements of the setup that call anything stay with the judge."""
    helpers = [node for node in preamble.body if getattr(node, "name", None) != entry_point]
    shared = [node for node in setup.body if isinstance(node, _TRUSTED_STATEMENTS)]
    return ast.unparse(ast.Module([*helpers, *shared], []))

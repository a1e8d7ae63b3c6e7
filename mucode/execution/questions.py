"""A problem's tests made ready once and asked of many programs: which names to borrow, which asserts to count."""

from __future__ import annotations

import ast
import builtins
import dis
import importlib
import itertools
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

from mucode.execution.foresight import Call, foresee

HELD = "__mucode_held__"
_NUMPY = {"np": "numpy", "numpy": "numpy"}
_SHARED_STATE = frozenset({"os", "shutil", "random", "tempfile", "pathlib"})  # files and state of the judge's
# What a program sets and a test asks for: of the judge's own process the answers would be none
_STATE = {
    "decimal": {"getcontext"},
    "gc": {"isenabled"},
    "glob": {"glob"},
    "logging": {"getLogger"},
    "sys": {"getrecursionlimit", "modules", "path"},
    "threading": {"active_count"},
}
_INTERPRETER_S = {"__builtins__", "__annotations__", "__file__", "__warningregistry__", HELD} | vars(
    ModuleType("m")
).keys()
_READ_GLOBAL = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"})
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
    libraries = _libraries([setup_tree, *trees], borrowed, entry_point)
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
        numpy=any("numpy" in modules for modules in libraries.values())
        or any("numpy" in source for source in (setup, preamble, *tests)),
    )


def _question(tree: ast.Module, source: str, index: int) -> Question:
    counter = _CountHeld()
    counted = ast.fix_missing_locations(counter.visit(tree))
    return Question(compile(counted, f"<test {index}>", "exec", dont_inherit=True), source, tuple(counter.lines))


def _borrowed(sources: list[str], preamble: str, entry_point: str) -> set[str]:
    """Every global name that is read, no builtin, and assigned by no trusted code; the entry point whatever it is. None that
    is the interpreter's: `__builtins__` decides all others."""
    read: set[str] = set()
    assigned = _assigned(symtable.symtable(preamble, "<prompt>", "exec"))
    for source in sources:
        top = symtable.symtable(source, "<test>", "exec")
        assigned |= _assigned(top)
        read |= {
            symbol.get_name() for table in _tables(top) for symbol in table.get_symbols() if _is_global(table, symbol)
        }
    borrowed = {name for name in read - assigned - _INTERPRETER_S if not hasattr(builtins, name)}
    return borrowed | ({entry_point} if entry_point else set())


def _libraries(trees: list[ast.Module], borrowed: set[str], entry_point: str) -> dict[str, list[str]]:
    """Which of these names are modules that the tests read without an import, and what to import for each: submodules,
    then itself. A test that compares with `sys.getsizeof(x)` means the library's: the program's own `sys` would decide.

    A name is a module's when all that the tests do with it is to read, in asserts, what the module has: the program may
    have a `queue`, and a test that sets something (`random.seed(1)`) means the program's to see it. So does one that asks
    for nothing but what the program has set (`assert decimal.getcontext().prec == 50`).
    """
    found = {}
    for name in sorted(borrowed - {entry_point}):
        module = _NUMPY.get(name, name)
        if module in _NUMPY.values() or (module in sys.stdlib_module_names and module not in _SHARED_STATE):
            chains = [chain for tree in trees for chain in _chains(tree, name)]
            imports = [_resolved([module, *chain]) if chain else None for chain in chains]
            needed = {each for one in imports if one for each in one}
            if imports and None not in imports and not _is_state(trees, name, chains, borrowed):
                found[name] = [*sorted(needed - {module}), module]
    return found


def _is_state(trees: list[ast.Module], name: str, chains: list[list[str]], borrowed: set[str]) -> bool:
    """Whether tests ask a module for what the program has set, and for no more. An assert that reads any other name may
    compare with what the program returned: the program would say what is expected of it."""
    if not all(chain[0] in _STATE.get(name, ()) for chain in chains):
        return False
    nodes = [node for tree in trees for node in ast.walk(tree)]
    own = borrowed.union(*map(_bound, nodes))
    asserts = [
        {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        for node in nodes
        if isinstance(node, ast.Assert)
    ]
    others = set().union(*(read - {name} for read in asserts if name in read))
    return all(hasattr(builtins, each) for each in others) and not others & own


def _bound(node: ast.AST) -> set[str]:
    """Names that a node gives something: as a target, a parameter, a function, a class, an import, an exception."""
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Load) else {node.id}
    found = (getattr(node, attribute, None) for attribute in ("name", "arg", "asname"))
    return {each for each in found if isinstance(each, str)}


def _chains(tree: ast.Module, name: str) -> list[list[str]]:
    """The attributes that follow each reading of a global name; none where it stands alone or outside an assert."""
    asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    attributes: dict[tuple[int, int], list[str]] = {}
    for node in (inner for each in asserts for inner in ast.walk(each) if isinstance(inner, ast.Attribute)):
        root, chain = _chain(node)
        if len(chain) > len(attributes.get(root, [])):
            attributes[root] = chain
    code = compile(tree, "<test>", "exec", dont_inherit=True, optimize=0)
    return [attributes.get(position, []) for position in _readings(code, name)]


def _chain(node: ast.expr) -> tuple[tuple[int, int], list[str]]:
    """Where a chain of attributes begins, and their names."""
    chain: list[str] = []
    while isinstance(node, ast.Attribute):
        chain.insert(0, node.attr)
        node = node.value
    return (node.lineno, node.col_offset if isinstance(node, ast.Name) else -1), chain


def _readings(code: CodeType, name: str) -> Iterator[tuple[int, int]]:
    """Where code reads a name that is no local one: only the compiled code says of each reading which it is."""
    for each in dis.get_instructions(code):
        if each.argval == name and each.opname in _READ_GLOBAL:
            line, column = (each.positions.lineno, each.positions.col_offset) if each.positions else (None, None)
            yield line or 0, column or 0
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _readings(constant, name)


def _resolved(chain: list[str]) -> list[str] | None:
    """The module that a chain of names begins with and the submodules in it; None if the library has no such thing.
    Submodules are imported: whether they are there must not depend on what other tests import."""
    try:
        found: Any = importlib.import_module(chain[0])
        modules = chain[:1]
        for attribute in chain[1:]:
            path = f"{modules[-1]}.{attribute}"
            if not hasattr(found, attribute) and isinstance(found, ModuleType):
                importlib.import_module(path)
            found = getattr(found, attribute)
            if isinstance(found, ModuleType) and sys.modules.get(path) is found:
                modules.append(path)
    except (ImportError, AttributeError):
        return None
    return modules


def _imports(libraries: dict[str, list[str]]) -> CodeType | None:
    lines = [f"import {module} as {name}" for name, modules in libraries.items() for module in modules]
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

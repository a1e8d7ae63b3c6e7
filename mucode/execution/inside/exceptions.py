"""Exceptions across the wire: the nearest built-in class, plain arguments, and for people a traceback in own lines."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .frames import WireError
from .plain import Decoder, Encoder

if TYPE_CHECKING:
    from .exports import Exports

CLASSES = {
    name: kind for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
}
NAMES = {kind: kind.__name__ for kind in CLASSES.values()}
PLAIN = frozenset({str, int, float, bool, type(None)})
_SHOWN = 8  # frames
_ARGUMENTS = 8
_ATTRIBUTES = 100


def nearest(kind: type) -> str:
    """The name of the first built-in exception class among the ancestors of `kind`."""
    return next((NAMES[base] for base in type.mro(kind) if base in NAMES), "BaseException")


def flatten(error: BaseException, text: str, exports: Exports) -> list[Any]:
    """[nearest built-in, arguments, its class when that is no built-in, text, plain attributes]. The class is its number
    and, from itself up to a built-in one, the modules and names."""
    kind = type(error)
    own = [exports.number_of(kind), _names(kind)] if kind not in NAMES else None
    try:
        name, arguments = simple(error)
        attributes = {name: value for name, value in vars(error).items() if type(value) in PLAIN}
    except BaseException:
        name, arguments, attributes = nearest(kind), [], {}
    return [name, arguments, own, text, attributes if len(attributes) <= _ATTRIBUTES else {}]


def simple(error: BaseException) -> list[Any]:
    """[nearest built-in, arguments]: plain data as itself, exceptions as these two, the rest as text."""
    return [nearest(type(error)), [_argument(each) for each in error.args[:_ARGUMENTS]]]


def _argument(value: Any) -> Any:
    try:
        return Encoder(_opaque).encode(value)
    except WireError:
        return str(value)


def _opaque(value: Any) -> Any:
    return {"e": simple(value)} if isinstance(value, BaseException) else str(value)


def _names(kind: type) -> list[list[str]]:
    own = itertools.takewhile(lambda base: base not in NAMES, type.mro(kind))
    return [[base.__module__, base.__name__] for base in own]


def rebuild(form: Any) -> BaseException:
    """A built-in exception from [name, arguments]; anything odd becomes a plain `Exception`.

    Raises:
        WireError: an argument is no form that an encoder writes.
    """
    kind = CLASSES.get(form[0], Exception)
    arguments = [Decoder({"e": lambda inner, decoder: rebuild(inner)}).decode(each) for each in form[1]]
    return made(kind, arguments) or Exception(*arguments)


def made(kind: type[BaseException], arguments: Iterable[Any]) -> BaseException | None:
    """One of `kind` as its first built-in ancestor that can makes it, for an `__init__` of its own may want other
    arguments; None when these do not fit."""
    given = list(arguments)
    for base in (each for each in type.mro(kind) if each in NAMES):
        try:
            error = base.__new__(kind, *given)
        except Exception:  # of two built-in parents the second alone may do
            continue
        try:
            if issubclass(base, UnicodeError) and base is not UnicodeError:
                _require_within(*given)
            base.__init__(error, *given)
        except Exception:
            return None
        return error
    return None


def _require_within(*arguments: Any) -> None:
    """The place that a UnicodeError names must lie in its text: Python looks there and does not ask."""
    *_, text, start, end, _ = arguments
    if not 0 <= start <= end <= len(text):
        raise ValueError("a place outside the text")


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

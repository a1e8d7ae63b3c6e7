"""Exceptions across the wire: the nearest built-in class, plain arguments, and for people a traceback in own lines."""

from __future__ import annotations

import builtins
import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .frames import WireError, text
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
_LONGEST = 1 << 16  # characters of a container's JSON


def nearest(kind: type) -> str:
    """The name of the first built-in exception class among the ancestors of `kind`."""
    return next((NAMES[base] for base in type.mro(kind) if base in NAMES), "BaseException")


def flatten(error: BaseException, shown: str, exports: Exports) -> list[Any]:
    """[nearest built-in, arguments, lineage of its class, text, plain attributes]."""
    kind = type(error)
    own = lineage(kind, exports)
    try:
        name, arguments = simple(error)
        attributes = dict(itertools.islice(_attributes(error), _ATTRIBUTES + 1))
    except BaseException:
        name, arguments, attributes = nearest(kind), [], {}
    return [name, arguments, own, shown, attributes if len(attributes) <= _ATTRIBUTES else {}]


def lineage(kind: type, exports: Exports) -> list[list[Any]]:
    """[number, module, name, bases] of each ancestor of `kind` that is no built-in exception class, itself last. A base is
    the number of another or the name of a built-in one."""
    own = [each for each in reversed(type.mro(kind)) if each not in NAMES and issubclass(each, BaseException)]
    return [[exports.number_of(each), str(each.__module__), each.__name__, _bases(each, exports)] for each in own]


def _bases(kind: type, exports: Exports) -> list[Any]:
    bases = (each for each in kind.__bases__ if issubclass(each, BaseException))
    return [NAMES[each] if each in NAMES else exports.number_of(each) for each in bases]


def _attributes(error: BaseException) -> Iterator[tuple[str, Any]]:
    """The forms of its own, and of its classes' constants, as far as they are plain."""
    own = (vars(each) for each in type.mro(type(error)) if each not in NAMES and issubclass(each, BaseException))
    found = {name: value for one in reversed(list(own)) for name, value in one.items() if name[:2] != "__"}
    for name, value in (found | vars(error)).items():
        with contextlib.suppress(Exception):
            form = Encoder(_refuse).encode(value)
            if type(value) in PLAIN or len(text(form)) <= _LONGEST:
                yield name, form


def _refuse(value: Any) -> Any:
    raise WireError("not plain")


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

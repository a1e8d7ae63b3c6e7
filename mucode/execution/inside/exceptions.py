"""Exceptions across the wire: the nearest built-in class, plain arguments, and for people a traceback in own lines."""

from __future__ import annotations

import builtins
import contextlib
import itertools
from collections.abc import Iterable, Iterator
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
_ATTRIBUTES = 100  # of its own, and as many constants of its classes
_ITEMS, _LONGEST = 256, 4096  # in an attribute that is a container, and in each text there: told whenever one is raised


def nearest(kind: type) -> str:
    """The name of the first built-in exception class among the ancestors of `kind`."""
    return next((NAMES[base] for base in type.mro(kind) if base in NAMES), "BaseException")


def flatten(error: BaseException, shown: str, exports: Exports) -> list[Any]:
    """[nearest built-in, arguments, lineage of its class, text, plain attributes]."""
    kind = type(error)
    own = lineage(kind, exports)
    try:
        name, arguments = simple(error)
        constants, attributes = _bounded(_constants(kind)), _bounded(_attributes(error))
    except BaseException:
        name, arguments, constants, attributes = nearest(kind), [], {}, {}
    return [name, arguments, own, shown, constants | attributes]


def lineage(kind: type, exports: Exports) -> list[list[Any]]:
    """[number, module, name, bases] of each ancestor of `kind` that is no built-in exception class, itself last. A base is
    the number of another or the name of a built-in one."""
    own = [each for each in reversed(type.mro(kind)) if each not in NAMES and issubclass(each, BaseException)]
    return [[exports.number_of(each), str(each.__module__), each.__name__, _bases(each, exports)] for each in own]


def _bases(kind: type, exports: Exports) -> list[Any]:
    bases = (each for each in kind.__bases__ if issubclass(each, BaseException))
    return [NAMES[each] if each in NAMES else exports.number_of(each) for each in bases]


def _bounded(found: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """None of them where there are too many: which ones would be chance."""
    forms = dict(itertools.islice(found, _ATTRIBUTES + 1))
    return forms if len(forms) <= _ATTRIBUTES else {}


def _constants(kind: type) -> Iterator[tuple[str, Any]]:
    """The forms of what the classes of an exception have of numbers and texts."""
    own = (vars(each) for each in type.mro(kind) if each not in NAMES and issubclass(each, BaseException))
    found = {name: value for one in reversed(list(own)) for name, value in one.items() if name[:2] != "__"}
    return ((name, Encoder(_refuse).encode(value)) for name, value in found.items() if type(value) in PLAIN)


def _attributes(error: BaseException) -> Iterator[tuple[str, Any]]:
    """The forms of what an exception holds itself, as far as it is plain and short."""
    for name, value in vars(error).items():
        with contextlib.suppress(Exception):
            if type(value) in PLAIN or _is_short(value):
                yield name, Encoder(_refuse).encode(value)


def _is_short(value: Any) -> bool:
    """Whether a container holds few things, what is in its containers counted each time that it is there."""
    waiting, count = [value], 0
    while waiting:
        each = waiting.pop()
        count += 1
        if count > _ITEMS or (hasattr(each, "__len__") and len(each) > (_LONGEST if type(each) is str else _ITEMS)):
            return False
        if type(each) is dict:
            waiting += [*each, *each.values()]
        elif type(each) in (list, tuple, set, frozenset):
            waiting += each
    return True


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
    """One of `kind`, as its built-in ancestor makes it, for an `__init__` of its own may want other arguments; None when
    these do not fit. Of several it is the one whose layout `kind` has: another would leave parts of it unset, at which
    the interpreter looks."""
    given = list(arguments)
    base: Any = kind
    while base not in NAMES:
        base = base.__base__
    try:
        error: BaseException = base.__new__(kind, *given)
        if issubclass(base, UnicodeError) and base is not UnicodeError:
            _require_within(*given)
        base.__init__(error, *given)
    except Exception:
        return None
    return error


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

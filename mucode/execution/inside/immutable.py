"""Plain values that cannot change, besides None, bool, int, float, str and tuple: one table for each direction."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import arrays, mutable
from .frames import WireError

if TYPE_CHECKING:
    from .plain import Decoder, Encoder

_KEYS: type = type({}.keys())
_ITEMS: type = type({}.items())
_TYPES: frozenset[type] = frozenset(
    {int, float, str, bool, list, dict, set, tuple, frozenset, bytes, complex, object, type(None)}
)
_TYPE_NAMES = {kind.__name__: kind for kind in _TYPES}
# Types of modules that may never be loaded: (module, name) -> tag and payload.
_LOADED: dict[tuple[str, str], tuple[str, Callable[[Any], Any]]] = {
    ("fractions", "Fraction"): ("F", lambda v: [hex(v.numerator), hex(v.denominator)]),
    ("decimal", "Decimal"): ("D", str),
    ("datetime", "datetime"): ("dt", lambda v: [v.isoformat(), v.fold]),
    ("datetime", "date"): ("date", lambda v: v.isoformat()),
    ("datetime", "time"): ("time", lambda v: [v.isoformat(), v.fold]),
    ("datetime", "timedelta"): ("td", lambda v: [v.days, v.seconds, v.microseconds]),
    ("array", "array"): ("array", lambda v: [v.typecode, v.tobytes().decode("latin-1")]),
}


def encode(kind: type, value: Any, encoder: Encoder) -> Any:
    """The tagged form of an immutable plain value; None when it is not one."""
    if kind is bytes:
        return {"b": value.decode("latin-1")}
    if kind is frozenset:
        return {"f": encoder.items(value)}
    if kind is complex:
        return {"c": [value.real, value.imag]}
    if kind is range:
        return {"r": [hex(value.start), hex(value.stop), hex(value.step)]}
    if kind is slice:
        return {"sl": encoder.items((value.start, value.stop, value.step))}
    return _encode_view(kind, value, encoder) or _encode_loaded(kind, value)


def _encode_view(kind: type, value: Any, encoder: Encoder) -> Any:
    if kind is _KEYS:
        return {"dk": encoder.items(list(value))}
    if kind is _ITEMS:
        return {"di": encoder.items(mutable.flat(value))}
    if kind is type and value in _TYPES:
        return {"ty": value.__name__}
    if _is_record(kind, value):
        fields: Any = getattr(kind, "_fields", ())
        return {"nt": [kind.__name__, list(fields), encoder.items(tuple.__iter__(value))]}
    return None


def _encode_loaded(kind: type, value: Any) -> Any:
    known = _LOADED.get((kind.__module__, kind.__qualname__))
    if known is not None and kind is getattr(sys.modules.get(kind.__module__), kind.__qualname__, None):
        return _timed(known[0], known[1], value)
    if arrays.is_scalar(kind):
        payload = arrays.scalar_payload(value)
        return None if payload is None else {"ns": payload}
    return None


def _timed(tag: str, payload: Callable[[Any], Any], value: Any) -> Any:
    """Times with a zone cross only when the zone is a fixed offset, which the text form holds exactly."""
    zone = getattr(value, "tzinfo", None)
    if zone is not None and type(zone) is not sys.modules["datetime"].timezone:
        return None
    return {tag: payload(value)}


def _is_record(kind: type, value: Any) -> bool:
    """Whether `value` is an instance of a class that `namedtuple` made."""
    fields = getattr(kind, "_fields", None)
    return (
        type(fields) is tuple
        and kind.__bases__ == (tuple,)
        and len(fields) == tuple.__len__(value)
        and all(type(field) is str for field in fields)
    )


def decode(tag: str, payload: Any, decoder: Decoder) -> Any:
    """The value of a tagged form; `WireError` for an unknown tag."""
    rule = _DECODE.get(tag)
    if rule is None:
        raise WireError(f"an unknown tag {tag!r}"[:60])
    return rule(payload, decoder)


def _record(payload: Any, decoder: Decoder) -> Any:
    name, fields, values = payload
    if not all(type(text) is str and text.isidentifier() for text in (name, *fields)):
        raise WireError("a record needs names")
    return decoder.record_class(name, tuple(fields))(*decoder.items(values))


def _integer(text: Any) -> int:
    if type(text) is not str:
        raise WireError("an integer in hexadecimal was expected")
    return int(text, 16)


def _fraction(payload: Any, decoder: Decoder) -> Any:
    from fractions import Fraction

    return Fraction(_integer(payload[0]), _integer(payload[1]))


def _decimal(payload: Any, decoder: Decoder) -> Any:
    from decimal import Decimal

    if type(payload) is not str:
        raise WireError("a decimal was expected")
    return Decimal(payload)


def _moment(kind: str) -> Callable[[Any, Decoder], Any]:
    def decode_moment(payload: Any, decoder: Decoder) -> Any:
        import datetime

        if kind == "timedelta":
            return datetime.timedelta(*payload)
        if kind == "date":
            return datetime.date.fromisoformat(payload)
        return getattr(datetime, kind).fromisoformat(payload[0]).replace(fold=payload[1])

    return decode_moment


def _array(payload: Any, decoder: Decoder) -> Any:
    from array import array

    if payload[0] not in tuple("bBhHiIlLqQfd"):
        raise WireError("not an array of numbers")
    made = array(payload[0])
    made.frombytes(payload[1].encode("latin-1"))
    return made


def _pairs(payload: Any, decoder: Decoder) -> dict[Any, Any]:
    values = decoder.items(payload)
    return dict(zip(values[::2], values[1::2], strict=True))


_DECODE: dict[str, Callable[[Any, Decoder], Any]] = {
    "t": lambda form, decoder: tuple(decoder.items(form)),
    "i": lambda form, decoder: _integer(form),
    "b": lambda form, decoder: form.encode("latin-1"),
    "f": lambda form, decoder: frozenset(decoder.items(form)),
    "c": lambda form, decoder: complex(*form),
    "r": lambda form, decoder: range(*map(_integer, form)),
    "sl": lambda form, decoder: slice(*decoder.items(form)),
    "dk": lambda form, decoder: dict.fromkeys(decoder.items(form)).keys(),
    "di": lambda form, decoder: _pairs(form, decoder).items(),
    "ty": lambda form, decoder: _TYPE_NAMES[form],
    "nt": _record,
    "F": _fraction,
    "D": _decimal,
    "dt": _moment("datetime"),
    "date": _moment("date"),
    "time": _moment("time"),
    "td": _moment("timedelta"),
    "array": _array,
    "ns": lambda form, decoder: arrays.scalar(form),
}

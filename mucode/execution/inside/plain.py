"""Plain data as JSON, both ways, exactly. Never pickle or marshal: decoding runs no code that the sender chose.

None, bool, int, float, str and list are themselves; everything else is an object with one key, its tag (see
`immutable` and `mutable` for the tables). Containers that can change are numbered in the order of their first
appearance, alike on both sides, and `{"&": n}` names the n-th: shared and cyclic structure survives, and changes can
be written back into the receiver's own objects. Only exact types are plain: an instance of a subclass made by the
program could lie, and crosses as whatever `opaque` makes of it (a handle).
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from . import immutable, mutable
from .frames import WireError

Foreign = dict[str, Callable[[Any, "Decoder"], Any]]
RecordClass = Callable[[str, tuple[str, ...]], Any]
_NO_CLASSES: Mapping[Any, Any] = {}
DIRECT = frozenset({type(None), bool, float, str})
BIG = (
    1 << 1000
)  # longer integers travel in hexadecimal: decimal conversion is quadratic, and limited by the interpreter


def record_classes() -> RecordClass:
    """`namedtuple` that remembers the classes it made, each of which takes as long as twenty records. One for each
    conversation: a test may change the class of what it was given."""
    return lru_cache(maxsize=64)(namedtuple)


class Encoder:
    """Values to JSON. `opaque` answers for what is not plain."""

    __slots__ = ("classes", "containers", "opaque", "seen")

    def __init__(
        self, opaque: Callable[[Any], Any], known: Iterable[Any] = (), classes: Mapping[type, str] = _NO_CLASSES
    ) -> None:
        self.opaque, self.classes = opaque, classes
        self.containers: list[Any] = list(known)  # by number; this also keeps them alive, so that no id is used twice
        self.seen: dict[int, int] = {id(value): number for number, value in enumerate(self.containers)}

    def encode(self, value: Any) -> Any:
        """The JSON form of `value`."""
        kind = type(value)
        if kind in DIRECT:
            return value
        if kind is int:
            return value if -BIG < value < BIG else {"i": hex(value)}
        if kind is tuple:
            return {"t": self.items(value)}
        tag = mutable.tag_of(kind, self.classes)
        if tag is not None:
            return self._container(tag, value)
        known = immutable.encode(kind, value, self)
        return self.opaque(value) if known is None else known

    def items(self, values: Iterable[Any]) -> list[Any]:
        """The JSON forms of `values`, in order."""
        encode, direct = self.encode, DIRECT
        return [item if type(item) in direct else encode(item) for item in values]

    def content(self, value: Any) -> Any:
        """What the container `value` holds now, whether or not it has a number."""
        tag = mutable.tag_of(type(value), self.classes)
        if tag is None:
            raise WireError("not a container")
        payload = mutable.payload(tag, value, self)
        return payload if tag == "l" else {tag: payload}

    def _container(self, tag: str, value: Any) -> Any:
        number = self.seen.get(id(value))
        if number is not None:
            return {"&": number}
        self.seen[id(value)] = len(self.containers)
        self.containers.append(value)
        payload = mutable.payload(tag, value, self)
        return payload if tag == "l" else {tag: payload}


class Decoder:
    """JSON to values; the mirror of `Encoder`. `foreign` maps a tag that is not plain data to its decoder."""

    __slots__ = ("classes", "containers", "foreign", "record_class")

    def __init__(
        self,
        foreign: Foreign,
        known: Iterable[Any] = (),
        classes: Mapping[str, type] = _NO_CLASSES,
        record_class: RecordClass = namedtuple,
    ) -> None:
        self.foreign, self.classes, self.record_class = foreign, classes, record_class
        self.containers: list[Any] = list(known)

    def decode(self, form: Any) -> Any:
        """The value of a JSON form; `WireError` for a form that no encoder writes."""
        kind = type(form)
        if kind is list:
            values: list[Any] = []
            self.containers.append(values)
            values += self.items(form)
            return values
        return self._tagged(form) if kind is dict else form

    def items(self, forms: Any) -> list[Any]:
        """The values of a list of forms, in order."""
        if type(forms) is not list:
            raise WireError("a list was expected")
        decode = self.decode
        return [decode(form) if type(form) in _NESTED else form for form in forms]

    def fill(self, container: Any, form: Any) -> None:
        """Give an existing container the content that `Encoder.content` described."""
        tag, payload = ("l", form) if type(form) is list else _only_item(form)
        if type(container) is not type(mutable.new(tag, payload, self.classes)):
            raise WireError("a container cannot change its type")
        mutable.fill(tag, container, payload, self)

    def _tagged(self, form: dict[str, Any]) -> Any:
        tag, payload = _only_item(form)
        try:
            if tag == "&":
                return self.containers[_natural(payload)]
            if tag in mutable.TAGS:
                container = mutable.new(tag, payload, self.classes)
                self.containers.append(container)
                mutable.fill(tag, container, payload, self)
                return container
            rule = self.foreign.get(tag)
            return rule(payload, self) if rule is not None else immutable.decode(tag, payload, self)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            raise WireError(f"a bad {tag!r}: {type(error).__name__}") from None


_NESTED = frozenset({list, dict})


def _only_item(form: Any) -> tuple[str, Any]:
    if type(form) is not dict or len(form) != 1:
        raise WireError("a tag was expected")
    return next(iter(form.items()))


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise WireError("a number was expected")
    return value

"""The containers that can change: how each is emptied into JSON, made anew and filled again in place."""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from . import arrays
from .frames import WireError

if TYPE_CHECKING:
    from .plain import Decoder, Encoder

_TAG_OF: dict[type, str] = {
    list: "l",
    dict: "d",
    set: "s",
    bytearray: "ba",
    deque: "q",
    defaultdict: "dd",
    OrderedDict: "O",
    Counter: "C",
}
KINDS = frozenset(_TAG_OF)
TAGS = frozenset(_TAG_OF.values()) | {"np", "o"}
_WITH_HEAD = frozenset({"q", "dd", "o"})
_FACTORIES: dict[str, type] = {kind.__name__: kind for kind in (int, float, str, bool, list, dict, set, tuple)}


def tag_of(kind: type, classes: Mapping[type, str]) -> str | None:
    """The tag of an exact container type or a shared class; None for every other type."""
    tag = _TAG_OF.get(kind)
    if tag is None:
        if kind in classes:
            return "o"
        if kind.__module__ == "numpy" and kind is getattr(sys.modules.get("numpy"), "ndarray", None):
            return "np"
    return tag


def payload(tag: str, value: Any, encoder: Encoder) -> Any:
    """The content of `value` as JSON, of a copy that no thread of the program can change the size of meanwhile."""
    if tag in _ITEMS:
        pairs = encoder.items(flat(_ITEMS[tag](value)))
        return [_factory_name(value.default_factory), pairs] if tag == "dd" else pairs
    if tag == "ba":
        return value.decode("latin-1")
    if tag == "q":
        return [value.maxlen, encoder.items(list(value))]
    if tag == "np":
        return arrays.payload(value)
    if tag == "o":
        return [encoder.classes[type(value)], encoder.items(flat(vars(value).items()))]
    return encoder.items(list(value) if tag == "s" else value)


def flat(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """The parts of all pairs, in one step of the interpreter: no other thread runs meanwhile."""
    return list(chain.from_iterable(pairs))


def new(tag: str, form: Any, classes: Mapping[str, type]) -> Any:
    """An empty container, to be numbered before it is filled (it may hold itself)."""
    if tag == "q":
        return deque(maxlen=form[0])
    if tag == "dd":
        return defaultdict(_FACTORIES.get(form[0]) if form[0] is not None else None)
    if tag == "np":
        return arrays.new(form)
    if tag == "o":
        return object.__new__(classes[form[0]])
    return _EMPTY[tag]()


def fill(tag: str, container: Any, form: Any, decoder: Decoder) -> None:
    """Replace what `container` holds by the decoded `form`."""
    if tag == "np":
        arrays.fill(container, form)
        return
    if tag == "ba":
        container[:] = form.encode("latin-1")
        return
    values = decoder.items(form[1] if tag in _WITH_HEAD else form)
    if tag == "o":
        _fill_object(container, values)
        return
    container.clear()
    if tag in _ITEMS:
        if len(values) % 2:
            raise WireError("a key without a value")
        for index in range(0, len(values), 2):
            container[values[index]] = values[index + 1]
    elif tag == "s":
        container.update(frozenset(values))  # as a set display does, which decides the order of iteration
    else:
        container.extend(values)


def _fill_object(target: Any, values: list[Any]) -> None:
    """Set attributes, not through the class, and none that would take the place of something the class computes. What it
    computes once, each side computes itself; a field of a dataclass is data, whatever its default in the class is."""
    kind = type(target)
    fields = getattr(kind, "__dataclass_fields__", ())
    attributes = {}
    for name, value in zip(values[::2], values[1::2], strict=True):
        taken = getattr(kind, name, None)  # TypeError unless a string
        hides = name not in fields and (callable(taken) or hasattr(type(taken), "__get__"))
        if name[:2] == "__" or (hides and type(taken) is not cached_property):
            raise WireError("an attribute that the class has itself")
        if not hides:
            attributes[name] = value
    vars(target).clear()
    vars(target).update(attributes)


def _factory_name(factory: Any) -> str | None:
    name = getattr(factory, "__name__", None)
    return name if type(name) is str and _FACTORIES.get(name) is factory else None


# A dict keeps the order of insertion, an OrderedDict one of its own, which `move_to_end` changes.
_ITEMS: dict[str, Any] = {"d": dict.items, "dd": dict.items, "C": dict.items, "O": OrderedDict.items}
_EMPTY: dict[str, Any] = {"l": list, "d": dict, "s": set, "ba": bytearray, "O": OrderedDict, "C": Counter}

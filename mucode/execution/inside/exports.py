"""Objects that stay here and are known to the judge by number, and functions of the judge's to be called from here."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from types import MethodType
from typing import Any

from .exceptions import lineage, nearest
from .plain import Decoder

CALLABLE, EXCEPTION = 1, 2  # kinds of handle; 0 for the rest


class Callback:
    """A function of the judge's."""

    def __init__(self, number: int, ask: Callable[[int, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        self._number, self._ask = number, ask

    def __call__(self, *operands: Any, **keywords: Any) -> Any:
        return self._ask(self._number, operands, keywords)

    def __copy__(self) -> Callback:
        return self

    def __deepcopy__(self, memo: Any) -> Callback:
        return self  # as of every function


class Function(Callback):
    """One that `def` or `lambda` made: in a class it is a method."""

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        return self if owner is None else MethodType(self, owner)


class Classes(dict[str, type]):
    """Classes by name. One that only a test knows is the program's own of that name, or one without its methods."""

    def __init__(self, known: dict[str, type], shared: dict[str, type], namespace: dict[str, Any]) -> None:
        super().__init__(known)
        self._shared, self._namespace = shared, namespace

    def __missing__(self, name: str) -> type:
        mine = self._namespace.get(name)
        self[name] = self._shared[name] = kind = mine if type(mine) is type else type(name, (), {})
        return kind


class Exports:
    """The child's table of handles."""

    def __init__(self, ask: Callable[[int, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        self.objects: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        self.free = itertools.count()  # which no two of the program's threads get the same of
        self.shared: dict[str, type] = {}  # classes of the prompt's or the setup's: their instances cross as data
        self.ask = ask
        self.callbacks: dict[int, Callback] = {}  # functions of the judge's, by its numbers
        self.used = False  # whether `opaque` was needed
        self.foreign: dict[str, Callable[[Any, Decoder], Any]] = {
            "h": lambda form, decoder: self.objects[form],
            "cb": lambda form, decoder: self.callbacks.setdefault(form, Callback(form, self.ask)),
            "fn": lambda form, decoder: self.callbacks.setdefault(form, Function(form, self.ask)),
            "m": lambda form, decoder: _member(*form),
        }

    def trust(self, namespace: dict[str, Any]) -> None:
        """Remember the classes that trusted code defined, before the program can."""
        self.shared = shared_classes(namespace)

    def by_name(self, namespace: dict[str, Any]) -> dict[str, type]:
        """The shared classes; where the program defines one of that name, its own."""
        shared = self.shared.copy()  # which another thread may add to
        own = {name: mine if type(mine := namespace.get(name)) is type else kind for name, kind in shared.items()}
        return Classes(own, self.shared, namespace)

    def names(self, namespace: dict[str, Any]) -> dict[type, str]:
        """The other way round, for both."""
        if not self.shared:
            return {}
        return {kind: name for table in (self.shared.copy(), self.by_name(namespace)) for name, kind in table.items()}

    def number_of(self, value: Any) -> int:
        """The handle of an object, the same each time."""
        number = self.numbers.get(id(value))
        if number is None:
            number = next(self.free)
            self.objects[number] = value
            self.numbers[id(value)] = number
        return number

    def opaque(self, value: Any) -> Any:
        """The form of a value that is not plain data."""
        self.used = True
        if type(value) in (Callback, Function):
            return {"cb": value._number}
        if isinstance(value, type) and issubclass(value, BaseException):
            return {"h": [self.number_of(value), EXCEPTION, lineage(value, self), nearest(value)]}
        return {"h": [self.number_of(value), CALLABLE if callable(value) else 0]}


def is_function(form: Any) -> bool:
    """Whether a form is a handle of something to call."""
    return type(form) is dict and type(form.get("h")) is list and form["h"][1:] == [CALLABLE]


def is_settled(form: Any) -> bool:
    """Whether a form is a handle, or of a value that cannot change."""
    return type(form) is not list and (type(form) is not dict or "h" in form)


def shared_classes(namespace: dict[str, Any]) -> dict[str, type]:
    """Classes that the code of `namespace` defined itself, plain enough to be rebuilt from their attributes."""
    own = namespace.get("__name__")
    return {name: kind for name, kind in namespace.items() if isinstance(kind, type) and is_plain(kind, own)}


def is_plain(kind: type, module: Any) -> bool:
    """Whether the code of `module` defined this class, and the attributes of an instance are all that there is to it."""
    if type(kind) is not type or kind.__module__ != module or not kind.__dictoffset__:
        return False
    return not any("__new__" in vars(base) for base in kind.__mro__[:-1])


def _member(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)

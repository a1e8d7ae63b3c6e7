"""How values cross between the tests and one program when they are not plain data, on the judge's side.

The program's objects stay with it and have a handle here; functions of a test stay here and have a number there. Classes
and functions of the standard library are named, and instances of classes that trusted code or a test defines are data.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from mucode.execution.inside import exports, frames
from mucode.execution.inside.plain import Decoder, Encoder, Foreign, record_classes
from mucode.execution.proxy import Function, Handle
from mucode.execution.raised import Raised

if TYPE_CHECKING:
    from mucode.execution.session import Session

_CALLABLES = (FunctionType, BuiltinFunctionType, MethodType, type)
_METHODS = frozenset({MethodType, BuiltinFunctionType})  # made anew each time that they are asked for


class Failure(Exception):
    """A value that could not cross to the program."""


class Crossing:
    """Makes the encoders and decoders of one session, which share its handles, callbacks and classes."""

    def __init__(self, session: Session, raised: Raised) -> None:
        self.raised = raised
        self.handles: dict[int, Handle] = {}  # objects of the program, by its numbers
        self.arrivals: Counter[int] = Counter()  # by how many ways each of them came, but as the value of a name
        self.known_ways: dict[Any, set[int]] = {}  # what came by an attribute or as the value of a name before
        self.before: Collection[int] = ()  # what has come that way before, of what is being decoded
        self.now: set[int] = set()
        self.callbacks: list[Any] = []  # functions of the tests, by ours
        self.numbers: dict[Any, int] = {}  # the same the other way round
        self.shared: dict[str, type] = {}  # classes whose instances cross as data
        self.class_names: dict[type, str] = {}  # the same the other way round
        self.record_class = record_classes()
        self.encoder: Encoder | None = None  # of the message that is being made
        self.known: Foreign = {
            "h": partial(self._handle, session),
            "cb": lambda form, decoder: self.callbacks[form],
        }

    def share(self, namespace: dict[str, Any]) -> None:
        """Let instances of the classes that trusted code has defined cross as data."""
        self.shared = exports.shared_classes(namespace)
        self.class_names = {kind: name for name, kind in self.shared.items()}

    def close(self) -> None:
        """Let go of what refers to this or to the session in turn."""
        self.known, self.handles, self.callbacks, self.numbers, self.encoder = {}, {}, [], {}, None

    def new_encoder(self) -> Encoder:
        """The encoder of one message to the program. What cannot cross raises `Failure` or `WireError`."""
        self.encoder = Encoder(self._foreign, (), self.class_names)
        return self.encoder

    def decoder(self, containers: Iterable[Any] = ()) -> Decoder:
        """The decoder of one message from the program, which may refer to these containers of ours by number."""
        return Decoder(self.known, containers, self.shared, self.record_class)

    def decode_from(self, way: Any, decoder: Decoder, form: Any) -> Any:
        """The value of a form that came by this way: as an attribute, which may be read again, or as the value of a name, of
        which there may be news. What has come that way before does not count as coming once more."""
        known = self.known_ways.setdefault(way, set())
        self.before, self.now = known, set()
        try:
            return decoder.decode(form)
        finally:
            known |= self.now
            self.before, self.now = (), set()

    def given(self, forms: list[Any], named: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Copies of the values of one message to the program."""
        stand_ins = self.handles | self.raised.classes
        known: Foreign = {
            "h": lambda form, decoder: stand_ins[form],
            "cb": lambda form, decoder: self.callbacks[form],
            "fn": lambda form, decoder: self.callbacks[form],
            "m": lambda form, decoder: getattr(sys.modules[form[0]], form[1]),
        }
        decoder = Decoder(known, (), self.shared, self.record_class)
        return decoder.items(forms), {name: decoder.decode(form) for name, form in named.items()}

    def _handle(self, session: Session, form: Any, decoder: Decoder) -> Any:
        number, kind = form[0], form[1]
        if type(number) is not int:
            raise frames.WireError("a bad handle")
        if kind == exports.EXCEPTION:
            return self.raised.stand_in(form[2], form[3])
        self.now.add(number)
        self.arrivals[number] += number not in self.before
        if number not in self.handles:
            self.handles[number] = (Function if kind == exports.CALLABLE else Handle)(session, {"h": number})
        return self.handles[number]

    def _foreign(self, value: Any) -> Any:
        if isinstance(value, Handle):
            if value._mucode_session.crossing is not self:
                raise Failure("an object of another program")
            return value._mucode_form
        if isinstance(value, type) and "_mucode_number" in vars(value):
            return {"h": vars(value)["_mucode_number"]}
        if (member := _library_member(value)) is not None:
            return {"m": member}
        if self.encoder is not None and exports.is_plain(type(value), "tests"):
            self._learn(type(value))
            return self.encoder.encode(value)
        if isinstance(value, _CALLABLES) or callable(value):
            return {"fn" if type(value) is FunctionType else "cb": self._number(value)}
        raise Failure(f"cannot pass a {type(value).__name__} to the program")

    def _number(self, function: Any) -> int:
        """The number of a test's function, the same each time: a program may look for one that it was given before."""
        key = function if type(function) in _METHODS else id(function)  # which is kept, so that no other gets the id
        number = self.numbers.setdefault(key, len(self.callbacks))
        if number == len(self.callbacks):
            self.callbacks.append(function)
        return number

    def _learn(self, kind: type) -> None:
        """A class that a test defined: its instances cross as data, and nothing else of it does."""
        name = kind.__name__
        while name in self.shared:
            name += "_"
        self.shared[name], self.class_names[kind] = kind, name


def _library_member(value: Any) -> list[str] | None:
    """[module, name] of a function or class of the standard library: the program calls its own."""
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if type(module) is not str or type(name) is not str or module not in sys.stdlib_module_names:
        return None
    return [module, name] if getattr(sys.modules.get(module), name, None) is value else None

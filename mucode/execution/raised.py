"""Exceptions of one program, made again on the judge's side: of classes that the judge chose, from plain data alone."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from mucode.execution.channel import Ended
from mucode.execution.inside import exceptions, frames
from mucode.execution.inside.plain import Decoder
from mucode.types import Status

_STEERED = frozenset({"asyncio", "bdb", "doctest", "unittest"})  # whose exceptions end a test, or count as its success
_LIBRARIES = (sys.stdlib_module_names | {"numpy"}) - _STEERED
_FATAL = frozenset({"SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "BaseExceptionGroup"})
_ANCESTORS = 100  # of an exception class


class Raised:
    """What the program raised in this conversation, and the classes that stand for its own exception classes."""

    def __init__(self) -> None:
        self.classes: dict[int, type[Exception]] = {}  # by the program's number
        self.namespace: dict[str, Any] = {}  # globals of the tests
        self.trusted: frozenset[str] = frozenset()  # names in there that are no test's
        self.texts: dict[int, str] = {}  # id of an exception that came from the program -> its text
        self.kept: list[BaseException] = []  # those exceptions: while they live, no other has the id

    def trust(self, namespace: dict[str, Any]) -> None:
        """Take exception classes of trusted code, which has filled `namespace`, for the program's of that name."""
        self.namespace, self.trusted = namespace, frozenset(namespace)

    def close(self) -> None:
        """Let go of the exceptions."""
        self.kept.clear()
        self.texts.clear()

    def text_of(self, error: BaseException) -> str | None:
        """The program's own traceback when `error` came from it, else None."""
        return self.texts.get(id(error))

    def rebuild(self, form: Any, operation: str) -> BaseException:
        """The exception that `exceptions.flatten` described, to be raised from `operation`; `Ended` when no test may
        go on after it, or when it is no such form."""
        try:
            name, arguments, own, text, attributes = form
            error = exceptions.rebuild([name, arguments])
            kind = self.stand_in(own, name) if own and name not in _FATAL else None
            attributes = dict(_decoded(attributes))
        except (ValueError, TypeError, AttributeError, RecursionError, frames.WireError) as problem:
            return Ended(Status.ERROR, f"a bad exception: {problem}")
        text = text if type(text) is str else ""
        if name in _FATAL or not isinstance(error, Exception):
            return Ended(Status.ERROR, text or f"{name} ended the program"[:80])
        if kind is not None:
            own_class = exceptions.made(kind, error.args)
            error = error if own_class is None else own_class
        if isinstance(error, (StopIteration, StopAsyncIteration)) and operation != "next":
            error = RuntimeError(f"the program raised {name}")  # map() and all() would take it for a normal end
        vars(error).update({key: value for key, value in attributes.items() if not _is_taken(type(error), key)})
        self.texts[id(error)] = text
        self.kept.append(error)
        return error

    def stand_in(self, lineage: Any, nearest: Any) -> type[Exception]:
        """The class that stands for the program's in `except` clauses: the last of its `lineage`, as `exceptions.lineage`
        describes it, or else the built-in class called `nearest`.

        Raises:
            WireError: that is no exception class that a test may catch.
        """
        kind = exceptions.CLASSES.get(nearest) if type(nearest) is str else None
        if type(lineage) is not list or len(lineage) > _ANCESTORS:
            raise frames.WireError("a bad exception class")
        try:
            for number, module, name, bases in lineage:
                kind = self._learn(number, module, name, bases) or kind
        except (ValueError, TypeError):
            raise frames.WireError("a bad exception class") from None
        if kind is None or not issubclass(kind, Exception):
            raise frames.WireError("a bad exception class")
        return kind

    def _learn(self, number: Any, module: Any, name: Any, bases: Any) -> type[Exception] | None:
        if not (type(number) is int and type(module) is type(name) is str and type(bases) is list):
            raise TypeError
        before, known = self.classes.get(number), self._known(module, name)
        if known is not None and (before is None or _is_made(before)):  # a test may have imported the library since
            self.classes[number] = known
            _move(before, known)
        elif before is None:
            parents = [parent for base in bases if (parent := self._parent(base)) is not None]
            if parents:
                self.classes[number] = _made(number, name, parents)
        return self.classes.get(number)

    def _known(self, module: str, name: str) -> type[Exception] | None:
        """The class of that name in the library or in trusted code. One that a test defines may be its way to say that
        all went well."""
        library = module.partition(".")[0] in _LIBRARIES and sys.modules.get(module)
        kind = vars(library).get(name) if library else name in self.trusted and self.namespace.get(name)
        if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ in (module, "tests"):
            return kind
        return None

    def _parent(self, base: Any) -> type[Exception] | None:
        if type(base) is int:
            return self.classes.get(base)
        kind = exceptions.CLASSES.get(base) if type(base) is str else None
        return kind if kind is not None and issubclass(kind, Exception) else None


class _Quiet:
    """Above what is made here, first of all: a trusted class's `__init_subclass__` is for the program's classes."""

    __slots__ = ()

    def __init_subclass__(cls, **_: Any) -> None:
        pass


def _made(number: int, name: str, parents: list[type[Exception]]) -> type[Exception]:
    """A class of the judge's own; the first parent where there can be none of that kind, such as of two layouts."""
    if max(len(parent.__mro__) for parent in parents) > _ANCESTORS:
        return parents[0]
    first = () if any(issubclass(parent, _Quiet) for parent in parents) else (_Quiet,)
    try:
        return type(name, (*first, *parents), {"__module__": "solution", "_mucode_number": number})
    except ValueError:  # no name of a class
        raise
    except Exception:  # a trusted metaclass's, too
        return parents[0]


def _decoded(forms: Any) -> Iterator[tuple[Any, Any]]:
    """Attributes of an exception; what cannot be read is left out."""
    for name, form in forms.items():
        with contextlib.suppress(ValueError, TypeError, RecursionError, frames.WireError):
            yield name, Decoder({}).decode(form)


def _is_made(kind: type) -> bool:
    return "_mucode_number" in vars(kind)


def _move(old: type | None, new: type) -> None:
    """Let classes that were made below `old` be below `new`. No others: they are not this program's."""
    subclasses: list[type] = [] if old is None else old.__subclasses__()
    for kind in filter(_is_made, subclasses):
        with contextlib.suppress(TypeError):  # of another layout
            kind.__bases__ = tuple(new if base is old else base for base in kind.__bases__)


def _is_taken(kind: type, name: str) -> bool:
    """Whether the class computes what has this name; a plain default is there to be replaced."""
    taken = getattr(kind, name, None)
    return callable(taken) or hasattr(type(taken), "__get__") or name[:2] == "__"

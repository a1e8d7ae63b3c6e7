"""Exceptions of one program, made again on the judge's side: of classes that the judge chose, from plain data alone."""

from __future__ import annotations

import sys
from typing import Any

from mucode.execution.channel import Ended
from mucode.execution.inside import exceptions, frames
from mucode.types import Status

_STEERED = frozenset({"asyncio", "bdb", "doctest", "unittest"})  # whose exceptions end a test, or count as its success
_LIBRARIES = (sys.stdlib_module_names | {"numpy"}) - _STEERED
_FATAL = frozenset({"SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "BaseExceptionGroup"})


class Raised:
    """What the program raised in this conversation, and the classes that stand for its own exception classes."""

    def __init__(self) -> None:
        self.classes: dict[int, type[Exception]] = {}  # made here, by the program's number
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
            kind = self._kind(*own) if own is not None else None
            attributes = {key: value for key, value in attributes.items() if type(value) in exceptions.PLAIN}
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

    def _kind(self, number: int, names: list[list[str]]) -> type[Exception] | None:
        """The class here that stands for the program's: made for it, or of that name in trusted code or the library. One
        that a test defines may be its way to say that all went well."""
        if number in self.classes:
            return self.classes[number]
        for module, name in names:
            package = module.partition(".")[0]
            library = package in _LIBRARIES and sys.modules.get(module)
            kind = vars(library).get(name) if library else name in self.trusted and self.namespace.get(name)
            if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ in (module, "tests"):
                return kind
        return None

    def stand_in(self, number: int, name: Any, base: Any) -> type:
        """A class of the judge's own that stands for the program's exception class in `except` clauses: of the `number`
        and the `name` that the program gave it, below the built-in class called `base`.

        Raises:
            WireError: no exception class that a test may catch is called `base`.
        """
        if number not in self.classes:
            parent = exceptions.CLASSES.get(base)
            if parent is None or not issubclass(parent, Exception):
                raise frames.WireError("a bad exception class")
            if name == base:  # another name for a built-in one
                return parent
            self.classes[number] = type(str(name), (parent,), {"__module__": "solution", "_mucode_number": number})
        return self.classes[number]


def _is_taken(kind: type, name: str) -> bool:
    """Whether the class computes what has this name; a plain default is there to be replaced."""
    taken = getattr(kind, name, None)
    return callable(taken) or hasattr(type(taken), "__get__") or name[:2] == "__"

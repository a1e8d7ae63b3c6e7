"""One program's conversation with the judge: what is asked and answered, callbacks, changes, and how it ends.

`crossing` says how values are written and read, `raised` how the program's exceptions are."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from mucode.execution.channel import Channel, Ended
from mucode.execution.crossing import Crossing
from mucode.execution.inside import exceptions, frames, mutable, operations
from mucode.execution.links import Links
from mucode.execution.proxy import Function, Handle, Opaque
from mucode.execution.questions import Questions
from mucode.execution.raised import Raised
from mucode.types import Status

_DEPTH = 300  # callbacks within calls within callbacks; each takes some ten of the judge's frames
_TOLD = 3  # calls in the feedback
_ABSENT = object()

Call = tuple[str, list[Any], dict[str, Any], Any]  # name, operands, keywords, what came back


@dataclass
class Session:
    """The judge's end of one program. `ended` and `was_opaque` cannot be undone by a test that swallows them."""

    channel: Channel
    ended: Ended | None = None
    was_opaque: bool = False
    roots: dict[int, set[str]] = field(default_factory=dict)  # number of a handle -> its names
    # The last of those in a test, for feedback; arguments as sent
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=_TOLD))
    depth: int = 0
    turn: threading.RLock = field(default_factory=threading.RLock)  # a test's threads speak one at a time
    namespace: dict[str, Any] = field(default_factory=dict)  # globals of the tests
    names: tuple[str, ...] = ()  # that the tests borrow
    lent: dict[str, Any] = field(default_factory=dict)  # what these stand for, as last heard
    unread: dict[str, Any] = field(default_factory=dict)  # news of them from before there is a namespace
    links: Links = field(default_factory=Links)  # containers read from objects
    looks: dict[tuple[int, str], Any] = field(default_factory=dict)  # answers to `look`, by handle
    foreseen: deque[tuple[int | None, list[Any]]] = field(default_factory=deque)  # calls asked for and not yet used
    raised: Raised = field(default_factory=Raised)  # its exceptions
    crossing: Crossing = field(init=False)  # handles, callbacks, shared classes

    def __post_init__(self) -> None:
        self.crossing = Crossing(self, self.raised)

    def load(self, source: str, questions: Questions, report: bool) -> dict[str, Any]:
        """Load the program; what it defines of the tests' names, as proxies and plain values."""
        self.names = questions.names
        request = ["load", source, questions.trusted_for(source), self.names, report, questions.foreseen]
        reply = self._exchange(request)
        if reply[0] == "raised":
            raise self._exception(reply[1], "load")
        if reply[0] != "loaded" or type(reply[1]) is not dict:
            raise self.end(Ended(Status.ERROR, "a bad answer"))
        try:
            self.lent = self._names(reply[1])
        except frames.WireError as error:
            raise self.end(Ended(Status.ERROR, str(error))) from None
        if all(isinstance(value, Function) for value in self.lent.values()):  # the program's side has the same rule
            numbers = {name: function._mucode_form["h"] for name, function in self.lent.items()}
            self.foreseen.extend((numbers.get(name), operands) for name, operands in questions.foreseen)
        return self.lent.copy()

    def share(self, namespace: dict[str, Any]) -> None:
        """Know the classes that trusted code has defined: their instances cross as data, their exceptions are raised."""
        self.namespace = namespace
        self.raised.trust(namespace)
        self.crossing.share(namespace)
        if self.unread:
            self._refresh(self.unread)

    def do(self, operation: str, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """One operation in the program's process."""
        with self.turn:
            try:
                return self._do(operation, operands, keywords)
            finally:
                self.looks.clear()

    def look(self, operation: str, handle: Handle) -> Any:
        """An operation that changes nothing, such as `len`: the object answers it once, until something else is asked.
        A test that computes `sum(c * math.pow(x, n) for ...)` means one number, and asks for `float(x)` at each term."""
        with self.turn:
            if self.links:
                self.links.give_back(self)
            key = handle._mucode_form["h"], operation
            if key not in self.looks or self.crossing.callbacks:  # a test's function may have told the object something
                self.looks[key] = self._do(operation, (handle,), {})
            return self.looks[key]

    def refill(self, read: int, value: Any) -> None:
        """Give a container that was read the content that it has here."""
        self.looks.clear()
        encoder = self.crossing.new_encoder()
        reply = self._exchange(["refill", read, encoder.encode(value)])
        self._result(reply, encoder.containers, "refill")

    def opaque(self) -> Opaque:
        """Note that a test needed to look into an opaque object."""
        self.was_opaque = True
        return Opaque()

    def output(self) -> str:
        """The tail of what the program printed; "" when it cannot say."""
        try:
            reply = self._exchange(["output"])
        except Ended:
            return ""
        text = reply[1] if reply[0] == "value" else ""
        return text if type(text) is str else ""

    def told(self) -> list[Call]:
        """The last calls in a test, with the arguments that they were given: the program may have changed these since."""
        return [(name, *self.crossing.given(forms, named), result) for name, forms, named, result in self.calls]

    def close(self) -> None:
        """Let go of what refers to this in turn, so that no collector is needed to free it: an exception does by the
        frames that it passed, the tests' globals by the functions among them."""
        self.namespace.clear()
        self.raised.close()
        for held in (self.calls, self.lent, self.links, self.looks):
            held.clear()
        if self.ended is not None:
            self.ended.__traceback__ = self.ended.__context__ = None
        self.crossing.close()

    def _do(self, operation: str, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        if self.links:
            self.links.give_back(self)
        encoder = self.crossing.new_encoder()
        forms = encoder.items(operands)
        named = {name: encoder.encode(value) for name, value in keywords.items()} if keywords else {}
        was_class = operation == "call" and self._is_class(forms[0]["h"])
        read = self.links.next_read() if operation in operations.READS else []
        reply = self._foreseen(operation, forms, named) or self._exchange(["do", operation, forms, named, *read])
        way = (forms[0]["h"], operands[1]) if operation == "getattr" else None
        result = self._result(reply, encoder.containers, operation, way)
        if read and type(result) in mutable.KINDS:
            self.links.add(read[0], result, self)
        if operation == "call" and forms[0].get("h") in self.roots:
            self.calls.append((max(self.roots[forms[0]["h"]]), forms[1:], named, result))
            if isinstance(result, Handle) and was_class:
                result._mucode_own()
        return result

    def is_own(self, handle: Handle) -> bool:
        """Whether the test treats this object as one of the program's own class, and can mean no other by it: to the
        program, which may give its one object as the answer to everything, an element to look for shows what is expected."""
        number = handle._mucode_form["h"]
        ways = self.crossing.arrivals[number] + len(self.roots.get(number, ()))
        return handle._mucode_is_own and ways == 1

    def _is_class(self, number: int) -> bool:
        """Whether capitalised names alone stand for this number: which one an attribute has, the program says."""
        names = self.roots.get(number, ())
        return bool(names) and all(name[:1].isupper() for name in names) and not self.crossing.arrivals[number]

    def _refresh(self, news: dict[str, Any]) -> None:
        """The program's globals stand for something else since; what a test has assigned itself stays."""
        if not self.namespace:  # the setup has called the program
            self.unread = news
            return
        for name, value in self._names(news).items():
            if self.namespace.get(name, _ABSENT) is self.lent.get(name, _ABSENT):
                self.namespace[name] = self.lent[name] = value

    def _foreseen(self, operation: str, forms: list[Any], named: dict[str, Any]) -> list[Any] | None:
        """The answer to a call that was asked for together with loading; answers that the test skipped are dropped."""
        while self.foreseen:
            number, operands = self.foreseen.popleft()
            answer = self._next_foreseen()
            if operation == "call" and forms[0].get("h") == number and forms[1:] == operands and not named:
                return answer
        return None

    def _next_foreseen(self) -> list[Any]:
        """The next answer to a foreseen call; one that is no plain data, or brings news, is the last."""
        answer = self._answer()
        if answer[0] == "last" or answer[3:] != [{}]:
            self.foreseen.clear()
        return answer

    def _exchange(self, request: list[Any]) -> list[Any]:
        while self.foreseen:  # none is left when all went as foreseen
            self.foreseen.popleft()
            self._next_foreseen()
        if self.ended is not None:
            raise self.ended
        try:
            self.channel.send(request)
        except Ended as end:
            raise self.end(end) from None
        return self._answer()

    def _answer(self) -> list[Any]:
        if self.ended is not None:
            raise self.ended
        try:
            while True:
                reply = self.channel.receive()
                if type(reply) is not list or len(reply) < 2:
                    raise Ended(Status.ERROR, "a bad answer")
                if reply[0] != "callback":
                    return reply
                self._callback(reply)
        except Ended as end:
            raise self.end(end) from None

    def _callback(self, request: list[Any]) -> None:
        if len(request) != 5 or type(request[3]) is not dict or type(request[4]) is not dict:
            raise Ended(Status.ERROR, "a bad callback")
        try:
            if request[4]:
                self._refresh(request[4])
        except frames.WireError as error:
            raise Ended(Status.ERROR, f"a bad callback: {error}") from None
        if self.depth >= _DEPTH:
            self.channel.send(["raised", exceptions.simple(RecursionError("maximum recursion depth exceeded"))])
            return
        self.depth += 1
        try:
            function = self.crossing.callbacks[request[1]]
            decoder = self.crossing.decoder()
            operands = decoder.items(request[2])
            named = {name: decoder.decode(form) for name, form in request[3].items()}
        except (frames.WireError, IndexError, TypeError) as error:
            raise Ended(Status.ERROR, f"a bad callback: {error}") from None
        try:
            try:
                result = function(*operands, **named)
            except Exception:
                self.links.give_back_early(self)
                raise  # but an exit is the test's: nothing that the program answers may come in its place
            self.links.give_back_early(self)
            answer = ["value", self.crossing.new_encoder().encode(result)]
        except (Ended, Opaque) as error:  # the program waits for an answer that it will not get
            raise self.end(error if isinstance(error, Ended) else Ended(Status.OPAQUE)) from None
        except Exception as error:  # the test's own function raised: the program's to handle, as in one interpreter
            answer = ["raised", exceptions.simple(error)]
        finally:
            self.depth -= 1
        self.channel.send(answer)

    def _names(self, forms: dict[str, Any]) -> dict[str, Any]:
        """What names stand for. Only those that were asked for: a program that answers more must not define names of
        the tests."""
        decoder = self.crossing.decoder()
        values = {}
        for name in self.names:
            if name in forms:
                way = name, type(forms[name]) is dict and "h" in forms[name]
                values[name] = self.crossing.decode_from(way, decoder, forms[name])
        for name, value in values.items():
            if isinstance(value, Handle):
                number = value._mucode_form["h"]
                names = self.roots.setdefault(number, set())
                self.crossing.arrivals[number] -= name not in names  # it is counted by its names
                names.add(name)
        return values

    def _result(self, reply: list[Any], ours: list[Any], operation: str, way: Any = None) -> Any:
        try:
            return self._read(reply, ours, operation, way)
        except frames.WireError as error:
            raise self.end(Ended(Status.ERROR, str(error))) from None

    def _read(self, reply: list[Any], ours: list[Any], operation: str, way: Any) -> Any:
        if len(reply) != 4 or type(reply[2]) is not list or type(reply[3]) is not dict:
            raise frames.WireError("a bad answer")
        if reply[2] and len(reply[2]) != len(ours):
            raise frames.WireError("a bad answer")
        decoder = self.crossing.decoder(ours)
        for container, form in zip(ours, reply[2], strict=False):
            decoder.fill(container, form)
        if reply[3]:
            self._refresh(reply[3])
        if reply[0] in ("value", "last"):
            return decoder.decode(reply[1]) if way is None else self.crossing.decode_from(way, decoder, reply[1])
        raise self._exception(reply[1], operation)

    def _exception(self, form: Any, operation: str) -> BaseException:
        """What to raise: the program's exception, or the end of the conversation when that is what it comes to."""
        error = self.raised.rebuild(form, operation)
        return self.end(error) if isinstance(error, Ended) else error

    def end(self, end: Ended) -> Ended:
        """The first end stays."""
        self.ended = self.ended or end
        return self.ended

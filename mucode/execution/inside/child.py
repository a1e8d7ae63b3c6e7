"""One program's process: loads the program, then does what the judge asks and answers with plain data.

Nothing here is trusted by the judge; the program shares this interpreter and may break it. Requests are JSON lists:
  ["load", source, trusted, names, report, calls] -> ["loaded", {name: form}] or ["raised", exception, []]; then,
      when all forms are functions, the answer to each of the calls [name, operands], as to "do"; the first that is not
      plain data is ["last", form, []]; it ends them, and so does the first with news
  ["do", operation, operands, keywords, *reads] -> ["value", form, changes] or ["raised", exception, changes]; of one that
      reads, the first of `reads` is its number, the others are those of earlier ones whose containers the judge still has
  ["refill", read, form]                -> ["value", null, []]: what the judge read by that number, and changed since
  ["output"]                            -> ["value", tail of what was printed, []]
  ["run", source]                       -> ["value", null, []] or ["raised", ...]: a program that reads its stdin
Every answer ends with the news: {name: form} for the `names`, when these stand for something else than was told last.
While it works on a request the child may ask for a callback, ["callback", number, operands, keywords, news], and reads
["value", form] or ["raised", exception] as the answer, perhaps after requests that the callback itself makes. Which of
the program's threads reads and writes, `turns` says.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import gc
import operator
import os
import sys
import types
from collections.abc import Iterable
from typing import Any

from . import exceptions, exports, frames, mutable, operations, output, surroundings, turns
from .plain import Decoder, Encoder, record_classes
from .surroundings import FILE

_WIRE_RECURSION = 5000
_OWN_FRAMES = 10  # between the interpreter's start and the program
_CALLBACK_FRAMES = 9  # of ours, between what asks for a callback and what this calls in turn
_HIGHEST = 2**31 - 1  # limit of recursion that an interpreter takes
_ABSENT = object()


class Conversation:
    """The child's end of the wire, and what the judge holds handles of."""

    def __init__(self) -> None:
        self.descriptor = -1
        self.turns = turns.Turns()
        self.exports = exports.Exports(self.callback)
        self.record_class = record_classes()
        self.module = types.ModuleType("solution")
        self.globals: dict[str, Any] = self.module.__dict__
        self.tail = output.Tail()
        self.source = ""
        self.read: dict[int, Any] = {}  # containers that the judge read from objects and still has, by its numbers
        self.server = _thread.get_ident()  # the only thread that changes the recursion limit, which all share
        self.recursion = sys.getrecursionlimit()  # the program's, while our own code has a higher one
        self.report = self.foreseeable = False
        self.names: list[str] = []  # what the tests borrow
        self.lent: list[Any] = []  # what these stood for at last
        self.told = ""  # what the judge was told of it
        self.settled = False  # whether what they stand for can only change by standing for something else

    def encoder(self, known: Iterable[Any] = ()) -> Encoder:
        """For one message to the judge."""
        return Encoder(self.exports.opaque, known, self.exports.names(self.globals))

    def decoder(self) -> Decoder:
        """For one message from the judge."""
        return Decoder(self.exports.foreign, (), self.exports.by_name(self.globals), self.record)

    def record(self, name: str, fields: tuple[str, ...]) -> Any:
        """The class of a named tuple: the program's own of that name and these fields, if there is one."""
        own = self.globals.get(name)
        is_own = type(own) is type and own.__bases__ == (tuple,) and getattr(own, "_fields", None) == fields
        return functools.partial(_record_of, own) if is_own else self.record_class(name, fields)

    def callback(self, number: int, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Ask the judge to call one of its own functions."""
        encoder = self.encoder()
        forms = encoder.items(operands), {name: encoder.encode(value) for name, value in keywords.items()}
        self.turns.begin()
        try:
            frames.write_message(self.descriptor, ["callback", number, *forms, self.news_now()])
            message = self.answered()
        finally:
            self.turns.end()
        if message[0] == "raised":
            raise exceptions.rebuild(message[1])
        return self.decoder().decode(message[1])

    def answered(self) -> Any:
        """The answer to a callback, after requests that the judge's function makes of objects that are here."""
        while True:
            try:
                body = frames.read_turn_body(self.descriptor)
            except frames.Closed:
                raise
            except BaseException:  # a signal handler's; the judge's function goes on, and what it comes to is nobody's
                self.answered()
                raise
            message = self.unpacked(body)
            if message[0] in ("value", "raised"):
                return message
            self.answer(message, _CALLBACK_FRAMES)

    def unpacked(self, body: bytes) -> Any:
        """A message. While none had come, the limit was the program's, whose threads may have been running."""
        limit = sys.getrecursionlimit()
        if _thread.get_ident() != self.server or limit >= _WIRE_RECURSION:
            return frames.unpack(body)
        sys.setrecursionlimit(_WIRE_RECURSION)
        try:
            return frames.unpack(body)
        finally:
            sys.setrecursionlimit(limit)

    def answer(self, request: list[Any], deeper: int = 0) -> None:
        """Serve one request, by the thread that read it; `deeper`: so many frames of ours are added to the program's."""
        level = self.turns.level
        self.turns.give()
        outcome = self.outcome(_REQUESTS[request[0]], request[1:], deeper)
        self.turns.take_at(level)
        answer = self.packed(outcome)
        if request[0] == "load" and self.foreseeable:
            for name, operands in request[5]:
                answer += self.packed(self.outcome(Conversation.call, [name, operands]), foreseen=True)
                frames.write_all(self.descriptor, answer)  # each at once: the next call may never end
                answer = b""
                if not self.foreseeable:
                    break
        frames.write_all(self.descriptor, answer)

    def outcome(self, work: Any, arguments: list[Any], deeper: int = 0) -> list[Any]:
        """Do the work; what to say of its result, or of what it raised."""
        limit, serving = sys.getrecursionlimit(), _thread.get_ident() == self.server
        deepest = min(limit + deeper, _HIGHEST)
        if serving:
            self.recursion = deepest
            sys.setrecursionlimit(max(limit, _WIRE_RECURSION))
        try:
            return list(work(self, *arguments))
        except BaseException as error:
            self.foreseeable |= work == Conversation.call  # this answer says of no end
            return self.raised(error, [])
        finally:
            if serving:
                sys.setrecursionlimit(limit if self.recursion == deepest else self.recursion)

    def packed(self, answer: list[Any], foreseen: bool = False) -> bytes:
        """The message, with the news: told by the thread that has the turn, so that none is older than one told before."""
        limit, serving = sys.getrecursionlimit(), _thread.get_ident() == self.server
        if serving:
            sys.setrecursionlimit(max(limit, _WIRE_RECURSION))
        try:
            return frames.pack([*answer, self.news()])
        except BaseException as error:
            self.foreseeable |= foreseen  # as in `outcome`
            return frames.pack([*self.raised(error, []), {}])
        finally:
            if serving:
                sys.setrecursionlimit(limit)

    def as_program(self, work: Any, *operands: Any, **keywords: Any) -> Any:
        """Run the program's code under its own recursion limit; ours is higher, for long linked lists on the wire."""
        if _thread.get_ident() != self.server:
            return work(*operands, **keywords)
        sys.setrecursionlimit(self.recursion)
        try:
            return work(*operands, **keywords)
        finally:
            self.recursion = sys.getrecursionlimit()
            sys.setrecursionlimit(max(self.recursion, _WIRE_RECURSION))

    def call(self, name: str, operands: list[Any]) -> list[Any]:
        """A foreseen call: its arguments are used once, so that nobody will ask whether they changed."""
        try:
            result = self.as_program(self.globals[name], *self.decoder().items(operands))
        except Exception as error:
            return self.raised(error, [])
        self.exports.used = False
        form = self.encoder().encode(result)
        self.foreseeable = not self.exports.used
        return ["value" if self.foreseeable else "last", form, []]

    def raised(self, error: BaseException, changes: list[Any]) -> list[Any]:
        """The message about an exception; the text only when the judge may show it."""
        text = exceptions.describe(error, self.source, FILE) if self.report else ""
        return ["raised", exceptions.flatten(error, text, self.exports), changes]

    def load(self, source: str, trusted: str, names: list[str], report: bool, _: Any) -> list[Any]:
        """Run the program's top level and say what it defines of `names`."""
        self.source, self.report = source, report
        self.tail.capture()
        sys.modules["solution"] = self.module
        if trusted:
            exec(compile(trusted, "<prompt>", "exec", dont_inherit=True), self.globals)
            self.exports.trust(self.globals)
        self.as_program(exec, compile(source, FILE, "exec", dont_inherit=True), self.globals)
        self.names = names
        lent = self.news()
        self.foreseeable = all(map(exports.is_function, lent.values()))
        return ["loaded", lent]

    def news(self) -> dict[str, Any]:
        """What the names that tests borrow stand for now, if that is not what the judge was told last."""
        lent = [self.globals.get(name, _ABSENT) for name in self.names]
        if self.settled and all(map(operator.is_, lent, self.lent)):
            return {}
        encoder = self.encoder()
        pairs = zip(self.names, lent, strict=True)
        forms = {name: encoder.encode(value) for name, value in pairs if value is not _ABSENT}
        self.lent, self.settled = lent, all(map(exports.is_settled, forms.values()))
        told, self.told = self.told, frames.text(forms)
        if told == self.told:
            return {}
        self.foreseeable = False
        return forms

    def news_now(self) -> dict[str, Any]:
        """The news in the middle of the program's work: other numbers, texts and objects that names stand for. What would
        have to be looked into, or cannot be told here, is told with the answer."""
        forms = {}
        for place, (name, told) in enumerate(zip(self.names, self.lent, strict=False)):
            value = self.globals.get(name, _ABSENT)
            if value is not told and value is not _ABSENT:
                with contextlib.suppress(Exception):
                    if exports.is_settled(form := self.encoder().encode(value)):
                        self.lent[place], forms[name] = value, form
        self.foreseeable &= not forms
        return forms

    def do(self, operation: str, operands: list[Any], keywords: dict[str, Any], *reads: int) -> list[Any]:
        """One operation on decoded operands, and what it changed in those that the judge holds."""
        if reads:  # before the work, in which a callback may read, too
            self.read = {number: self.read[number] for number in reads[1:] if number in self.read}
        decoder = self.decoder()
        values = decoder.items(operands)
        named = {name: decoder.decode(form) for name, form in keywords.items()}
        theirs = decoder.containers
        forms = self.encoder().items(values[1:]) if theirs else []
        failed = result = None
        try:
            result = self.as_program(operations.TABLE[operation], *values, **named)
        except Exception as error:
            failed = self.raised(error, [])  # the error itself would hold this frame, which would hold the error
        if reads and type(result) in mutable.KINDS:
            self.read[reads[0]] = result
        encoder = self.encoder(theirs)
        changed = theirs and (named or not frames.same(self.encoder().items(values[1:]), forms))
        changes = [encoder.content(container) for container in theirs] if changed else []
        if failed is not None:
            return [*failed[:2], changes]
        return ["value", encoder.encode(result), changes]

    def refill(self, read: int, form: Any) -> list[Any]:
        """Change what was read as the judge changed its copy."""
        operations.refill(self.read[read], self.decoder().decode(form))
        return ["value", None, []]

    def run(self, source: str) -> list[Any]:
        """Run a program that talks over standard input and output; leaving by exit is leaving."""
        self.source, self.report = source, True
        main = types.ModuleType("__main__")
        main.__file__ = FILE
        sys.modules["__main__"] = main
        with contextlib.suppress(SystemExit):
            self.as_program(exec, compile(source, FILE, "exec", dont_inherit=True), main.__dict__)
        self.as_program(surroundings.leave, main)
        return ["value", None, []]


_REQUESTS: dict[str, Any] = {
    "load": Conversation.load,
    "do": Conversation.do,
    "refill": Conversation.refill,
    "run": Conversation.run,
    "output": lambda self: ["value", self.tail.text(), []],
}


def _record_of(kind: Any, *values: Any) -> Any:
    """A named tuple of the program's class, made by nothing of the program's: it has made this one before."""
    return tuple.__new__(kind, values)


def serve(conversation: Conversation, descriptor: int, stdio: list[int]) -> None:
    """Answer requests until the judge hangs up. The conversation was made before the fork."""
    for number, replacement in enumerate(stdio):
        os.dup2(replacement, number)
        os.close(replacement)
    conversation.descriptor = descriptor
    sys.setrecursionlimit(sys.getrecursionlimit() + _OWN_FRAMES)
    gc.enable()
    while True:
        try:
            request = conversation.unpacked(frames.read_turn_body(descriptor))
        except frames.Closed:
            os._exit(0)
        conversation.answer(request)

"""Containers that a test has read from the program's objects: what either side changes in them, the other one sees."""

from __future__ import annotations

import itertools
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from mucode.execution.channel import Ended
from mucode.execution.inside import frames, mutable, operations
from mucode.types import Status

if TYPE_CHECKING:
    from mucode.execution.session import Session

_MOST = 16  # containers whose changes are looked for at each request
_UNUSED = 3  # references to a value that no test holds: ours, a variable's, an argument's


class Links:
    """The last containers read, by the numbers of their reads: the program's side knows them by the same ones."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._held: dict[int, tuple[Any, bytes]] = {}  # each with its print, as last told or heard

    def __bool__(self) -> bool:
        return bool(self._held)

    def clear(self) -> None:
        """Let go of them all."""
        self._held.clear()

    def next_read(self) -> list[int]:
        """The number of a read, and those of earlier ones that the program's side must go on to hold."""
        return [next(self._numbers), *self._held]

    def add(self, number: int, value: Any, session: Session) -> None:
        """Look for what the test changes in `value` from now on; the oldest container is given up for it."""
        self._held[number] = value, _print(value, session)
        if len(self._held) > _MOST:
            del self._held[next(iter(self._held))]

    def give_back(self, session: Session) -> None:
        """What a test has changed, as in `root.children.append(leaf)`, changes there; what it has let go of is given up."""
        for number in list(self._held):
            if number in self._held:  # the program may call a function of the test's meanwhile, which reads more
                value, before = self._held[number]
                now = _print(value, session)
                self._held[number] = value, now
                used = sys.getrefcount(value) > _UNUSED or _has_held(value)
                if now != before:
                    session.refill(number, value)
                if not used:
                    self._held.pop(number, None)

    def hear(self, told: list[Any], session: Session) -> None:
        """What the program has changed: [number, form] of each.

        Raises:
            WireError: something else was told.
        """
        for each in told:
            if type(each) is not list or len(each) != 2 or type(each[0]) is not int:
                raise frames.WireError("a bad container")
            if each[0] in self._held:
                held = self._held[each[0]][0]
                content = session.crossing.decoder().decode(each[1])
                if type(content) is not type(held):
                    raise frames.WireError("a container cannot change its type")
                operations.refill(held, content)
                self._held[each[0]] = held, _print(held, session)


def _print(value: Any, session: Session) -> bytes:
    """What changes with the content: mostly marshal's bytes, which go nowhere; JSON takes twenty times as long."""
    try:
        return frames.quick_print(value)
    except ValueError:  # more than data of Python's own types
        pass
    encoder = session.crossing.new_encoder()
    session.crossing.encoder, form = None, encoder.encode(value)
    try:
        return frames.pack(form)
    except frames.WireError as error:
        raise session.end(Ended(Status.MEMORY, str(error))) from None


def _has_held(value: Any) -> bool:
    """Whether a test holds a container that is directly in this one, such as a row."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, deque)) else ()
    return any(type(each) in mutable.KINDS and sys.getrefcount(each) > _UNUSED for each in inner)

"""Containers that a test has read from the program's objects: what it changes in them, changes there."""

from __future__ import annotations

import itertools
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from mucode.execution.channel import Ended
from mucode.execution.inside import frames, mutable
from mucode.types import Status

if TYPE_CHECKING:
    from mucode.execution.session import Session

_MOST = 16  # containers whose changes are looked for at each request
_EARLY = 1 << 22  # bytes of containers that are looked at while the program works
_UNUSED = 4  # references to a value that no test holds: ours, its encoder's, a variable, an argument


class Links:
    """The last containers read, by the numbers of their reads: the program's side knows them by the same ones."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._held: dict[int, tuple[Any, bytes]] = {}  # each with its form, as last told
        self._early = _EARLY

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
        self._held[number] = value, _packed(value, session)
        if len(self._held) > _MOST:
            del self._held[next(iter(self._held))]

    def give_back_early(self, session: Session) -> None:
        """While the program waits for the answer to a callback, of which there may be many; else with the next request."""
        if self._early > 0:
            self.give_back(session)
            self._early -= sum(len(form) for _, form in self._held.values())

    def give_back(self, session: Session) -> None:
        """What a test has changed, as in `root.children.append(leaf)`, changes there; what it has let go of is given up."""
        for number in list(self._held):
            if number in self._held:  # the program may call a function of the test's meanwhile, which reads more
                value, form = self._held[number]
                now = _packed(value, session)
                self._held[number] = value, now
                used = sys.getrefcount(value) > _UNUSED or _has_held(value)
                if now != form:
                    session.refill(number, value)
                if not used:
                    self._held.pop(number, None)


def _has_held(value: Any) -> bool:
    """Whether a test holds a container that is directly in this one, such as a row."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, deque)) else ()
    return any(type(each) in mutable.KINDS and sys.getrefcount(each) > _UNUSED for each in inner)


def _packed(value: Any, session: Session) -> bytes:
    try:
        return frames.pack(session.crossing.new_encoder().encode(value))
    except frames.WireError as error:
        raise session.end(Ended(Status.MEMORY, str(error))) from None

"""Who may write to the judge: one of the program's threads at a time, and the last that the judge waits for first.

A thread has the turn from its message to the reply. The judge waits for answers within answers: it asks (0), a callback
comes instead of an answer, whose function asks (1), and so on. So an answer waits until the callbacks begun since its
request have theirs. Code that interrupts a thread which has the turn or waits for it, a signal handler or a `__del__`,
would wait for what it interrupts: it gets an error. Not `threading`, which would have to be loaded before every program.
"""

from __future__ import annotations

import _thread
from collections import deque

_INTERRUPTED = "a function of the test's called where another call was interrupted"


class Turns:
    """Handed on in the order of coming: a thread that waited while the judge had nothing to ask goes before the answer
    to the next request. Taken at first, as the judge speaks first."""

    def __init__(self) -> None:
        self._guard = _thread.RLock()  # which knows its owner
        self._holder = _thread.get_ident()  # the thread that has the turn; 0 for none
        self._waiting: deque[tuple[int, _thread.LockType]] = deque()  # held; let go by the one that hands on the turn
        self._open: list[_thread.LockType] = []  # a lock for each callback that is under way, held until it ends

    @property
    def level(self) -> int:
        """How many callbacks are under way."""
        return len(self._open)

    def take(self) -> None:
        """Wait for the turn.

        Raises:
            RuntimeError: this thread has it or waits for it already.
        """
        me = _thread.get_ident()
        if self._guard._is_owned():  # type: ignore[attr-defined]  # as threading.Condition asks
            raise RuntimeError(_INTERRUPTED)
        with self._guard:
            if not self._holder:
                self._holder = me
                return
            if self._holder == me or any(thread == me for thread, _ in self._waiting):
                raise RuntimeError(_INTERRUPTED)
            mine = _held()
            self._waiting.append((me, mine))
        mine.acquire()

    def give(self) -> None:
        """Let the next one have it."""
        with self._guard:
            if self._waiting:
                self._holder, lock = self._waiting.popleft()
                lock.release()
            else:
                self._holder = 0

    def take_at(self, level: int) -> None:
        """Wait for the turn and for the end of all callbacks but the first `level`."""
        self.take()
        while len(self._open) > level:
            other = self._open[level]
            self.give()
            other.acquire()
            other.release()
            self.take()

    def begin(self) -> None:
        """Take the turn for a callback."""
        self.take()
        self._open.append(_held())

    def end(self) -> None:
        """The callback begun last has its answer."""
        self._open.pop().release()
        self.give()


def _held() -> _thread.LockType:
    lock = _thread.allocate_lock()
    lock.acquire()
    return lock

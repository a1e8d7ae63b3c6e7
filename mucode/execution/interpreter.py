"""What a test may change in the judge's own interpreter, which the next program's tests must find as it was."""

from __future__ import annotations

import builtins
import contextlib
import decimal
import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TextIO


@contextlib.contextmanager
def left_as_found() -> Iterator[None]:
    """Put back at the end: built-in names, decimal context, standard streams, warning filters, settings."""
    names, put_back = vars(builtins), _settings()
    own, streams = dict(names), (sys.stdin, sys.stdout, sys.stderr)
    kinds = [(each.encoding, each.errors) if each else (None, None) for each in streams]
    with warnings.catch_warnings(), decimal.localcontext():
        try:
            yield
        finally:
            put_back()
            names.update(own)
            if len(names) > len(own):
                for added in names.keys() - own.keys():
                    del names[added]
            sys.stdin, sys.stdout, sys.stderr = map(_opened, streams, range(3), kinds)


def _settings() -> Callable[[], None]:
    """What puts back the path, the limits of recursion and of the digits of a text, trace, profile, and the collector."""
    path, content = sys.path, list(sys.path)
    depth, digits = sys.getrecursionlimit(), sys.get_int_max_str_digits()
    trace, profile, collects = sys.gettrace(), sys.getprofile(), gc.isenabled()

    def put_back() -> None:
        sys.settrace(trace)
        sys.setprofile(profile)
        (gc.enable if collects else gc.disable)()
        sys.set_int_max_str_digits(digits)
        sys.setrecursionlimit(depth)
        sys.path = path
        path[:] = content

    return put_back


def _opened(stream: TextIO | None, number: int, kind: tuple[str | None, str | None]) -> TextIO | None:
    """The stream; where a test closed or detached it, one of its encoding over the descriptor, which is still open."""
    with contextlib.suppress(ValueError):  # detached
        if stream is None or not stream.closed:
            return stream
    return open(number, "w" if number else "r", encoding=kind[0], errors=kind[1], closefd=False)

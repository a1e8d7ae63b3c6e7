"""What a test may change in the judge's own interpreter, which the next program's tests must find as it was."""

from __future__ import annotations

import builtins
import contextlib
import decimal
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def left_as_found() -> Iterator[None]:
    """Put back at the end: built-in names, decimal context, recursion limit, standard streams, warning filters, the path."""
    names, path, depth = vars(builtins), list(sys.path), sys.getrecursionlimit()
    own, streams = dict(names), (sys.stdin, sys.stdout, sys.stderr)
    with warnings.catch_warnings(), decimal.localcontext():
        try:
            yield
        finally:
            names.update(own)
            if len(names) > len(own):
                for added in names.keys() - own.keys():
                    del names[added]
            sys.stdin, sys.stdout, sys.stderr = streams
            sys.path[:] = path
            sys.setrecursionlimit(depth)

"""Progress bars beside what is told a person: on a terminal they make way for each line, elsewhere there are none."""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def lines_apart_from_bars() -> Iterator[None]:
    """Have every line that is logged in the block stand on a line of its own, whatever bars are at work.

    The bars are drawn by players that know nothing of a terminal: a stage wants them in its log, from which the run's page
    reads them.
    """
    from tqdm import tqdm

    with contextlib.ExitStack() as stack:
        if not sys.stderr.isatty():
            stack.callback(setattr, tqdm, "__init__", tqdm.__init__)
            tqdm.__init__ = functools.partialmethod(tqdm.__init__, disable=True)
        for handler in logging.root.handlers:
            handler.addFilter(_make_way)
            stack.callback(handler.removeFilter, _make_way)
        yield


def _make_way(record: logging.LogRecord) -> bool:
    """Wipe the bars off their lines; each draws itself again when it goes on."""
    from tqdm import tqdm

    bars: Any = getattr(tqdm, "_instances", ())  # not tqdm.write: it draws again also what waits for its delay
    for bar in list(bars):
        bar.clear()
    return True

"""Programs that read standard input: each input to a fresh process, the output compared here with the expected one."""

from __future__ import annotations

import math
import os
import re

_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?", re.ASCII)
_TOLERANCE = 1e-6  # relative and absolute
_READ_LIMIT = 16 << 20  # bytes


def same_output(printed: str, expected: str) -> bool:
    """Equal token by token; where a number with a point or an exponent is expected, within 1e-6."""
    got, wanted = printed.split(), expected.split()
    return len(got) == len(wanted) and all(map(_same_token, got, wanted))


def _same_token(got: str, wanted: str) -> bool:
    if got == wanted:
        return True
    if _NUMBER.fullmatch(wanted) is None or re.fullmatch(r"[+-]?[\d.]+([eE][+-]?\d+)?", got, re.ASCII) is None:
        return False
    try:
        return math.isclose(float(got), float(wanted), rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    except ValueError:
        return False


def input_file(text: str) -> int:
    """A descriptor that reads `text`, in memory only."""
    descriptor = os.memfd_create("stdin", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(text.encode("utf-8", "surrogatepass"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def output_file() -> int:
    """A descriptor to print to, in memory only; RLIMIT_FSIZE bounds it."""
    return os.memfd_create("stdout", os.MFD_CLOEXEC)


def read_output(descriptor: int) -> str:
    """All that was printed to `output_file()`."""
    return os.pread(descriptor, _READ_LIMIT, 0).decode("utf-8", "replace")

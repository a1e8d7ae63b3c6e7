"""Keeps the end of what a program prints, in memory and bounded."""

from __future__ import annotations

import io
import sys

KEPT = 4000  # bytes


class _Raw(io.RawIOBase):
    def __init__(self) -> None:
        super().__init__()
        self.kept = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self.kept = (self.kept + bytes(view[-KEPT:]))[-KEPT:]
        return view.nbytes


class Tail:
    """Stands in for the program's standard output."""

    def __init__(self) -> None:
        self.raw = _Raw()
        self.stream = io.TextIOWrapper(io.BufferedWriter(self.raw), "utf-8", errors="surrogatepass")

    def capture(self) -> None:
        """From now on, print() comes here."""
        sys.stdout = self.stream

    def text(self) -> str:
        """The last characters printed so far."""
        if not self.stream.closed:
            self.stream.flush()
        return self.raw.kept.decode("utf-8", "replace")

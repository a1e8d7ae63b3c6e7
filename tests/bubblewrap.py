"""What this machine lets bubblewrap do, tried for real: a bwrap that is there may be refused, as in Docker."""

from __future__ import annotations

import subprocess
from functools import cache

import pytest

from mucode.execution.bubblewrap import find_bubblewrap

NAMESPACES = ("--unshare-user", "--unshare-all", "--ro-bind", "/", "/")  # what the best layer stands on


def bwrap(*arguments: str) -> list[str]:
    """The beginning of a command line for namespaces as asked; skips the test where this machine refuses them."""
    found = find_bubblewrap()
    if found is None:
        pytest.skip("bubblewrap is not installed")
    if said := _refusal(found, *arguments):
        pytest.skip(f"namespaces are refused here ({said})")
    return [found, *arguments, "--"]


@cache
def _refusal(*command: str) -> str:
    tried = subprocess.run([*command, "--", "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() or f"exit status {tried.returncode}" if tried.returncode else ""

"""How the rest of the project opens a sandbox."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from mucode.execution.crew import SCHEME, Crew
from mucode.execution.layers import choose, with_hash_seed
from mucode.execution.orders import Setting
from mucode.execution.pool import Pool
from mucode.types import MucodeError


@dataclass(frozen=True, slots=True)
class SandboxInfo:
    """What is recorded beside labels."""

    isolation: str  # for example "bubblewrap+seccomp"
    workers: int
    timeout: float  # wall seconds for one program and all its tests


def open_sandbox(
    workers: int | None = None, timeout: float = 5.0, allow_weak: bool = False, hash_seed: int = 0
) -> Pool:
    """Start judges behind the best isolation that this machine allows; close it, or use `with`.

    `workers` defaults to the processors at hand, `timeout` is in wall seconds for loading one program and all its tests
    (for standard input: each input). `allow_weak` permits the system-call filter alone. `hash_seed` is the programs'
    PYTHONHASHSEED; labels are made with 0. `MucodeError` when no layer of isolation works, with what to do about it.
    """
    layer = choose(timeout, allow_weak=allow_weak)
    if hash_seed:
        layer = with_hash_seed(layer, hash_seed)
    setting = Setting(layer.plain, layer.numpy or (), timeout, _packages())
    return Pool(layer, setting, workers or len(os.sched_getaffinity(0)))


def open_judges(workers: int | str | None, timeout: float, allow_weak: bool) -> Pool | Crew:
    """As `open_sandbox`, or with the judges of a Dask cluster, where `workers` is its address.

    Raises:
        MucodeError: besides, the address is not of the form dask://HOST:PORT.
    """
    if isinstance(workers, str):
        if not workers.startswith(SCHEME):
            raise MucodeError(f"{workers!r} names no cluster: write {SCHEME}HOST:PORT")
        return Crew(workers, timeout, allow_weak)
    return open_sandbox(workers, timeout, allow_weak)


def _packages() -> tuple[str, ...]:
    """Where the judge finds numpy, for tests that use it."""
    found = importlib.util.find_spec("numpy")
    return (str(Path(found.origin).parents[1]),) if found is not None and found.origin else ()

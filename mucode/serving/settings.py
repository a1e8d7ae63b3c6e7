"""How a model server of our own is run: settings of the machine, none of which is meant to change a result."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from mucode.types import MucodeError


def default_environment() -> Path:
    """Where vLLM is installed: MUCODE_SERVE_ENV, else .venv-serve beside the environment of this Python."""
    named = os.environ.get("MUCODE_SERVE_ENV")
    return Path(named) if named else Path(sys.prefix).parent / ".venv-serve"


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """A server's size, places and patience."""

    environment: Path = field(default_factory=default_environment)  # with vLLM in it
    folder: Path = Path(".mucode/serving")  # log, merged weights, vLLM's compiled kernels
    sequences: int = 64  # decoded at once; as many requests are under way
    context: int = 0  # tokens of prompt and reply together; 0: as many as the model allows
    cache_gib: int = 4  # memory for keys and values, on a CPU
    compiled: bool = True  # let vLLM compile the model first; without, it is up sooner and slower afterwards
    port: int = 0  # 0: any free one
    seconds_to_start: float = 900.0
    restarts: int = 1  # of a server that died after it had been up
    log_probabilities: bool = False
    arguments: tuple[str, ...] = ()  # further ones for vLLM, such as --tensor-parallel-size 2


def settings_of_this_machine(log_probabilities: bool) -> ServeSettings:
    """As the environment's MUCODE_SERVE_* variables say (docs/serving.md).

    Raises:
        MucodeError: one of them is no number.
    """
    return ServeSettings(
        sequences=_number("MUCODE_SERVE_SEQUENCES", 64),
        context=_number("MUCODE_SERVE_CONTEXT", 8192),
        cache_gib=_number("MUCODE_SERVE_CACHE_GIB", 4),
        seconds_to_start=_number("MUCODE_SERVE_START_SECONDS", 900),
        log_probabilities=log_probabilities,
        arguments=tuple(shlex.split(os.environ.get("MUCODE_SERVE_ARGUMENTS", ""))),
    )


def _number(variable: str, otherwise: int) -> int:
    said = os.environ.get(variable, "") or str(otherwise)
    if not said.isdecimal() or int(said) == 0:
        raise MucodeError(f"{variable}={said} is no number above 0: correct it or unset it")
    return int(said)

"""How a model server of our own is run: settings of the machine, none of which is meant to change a result."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path


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

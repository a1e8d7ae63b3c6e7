"""vLLM on this machine: its command line, its environment, and which weights it is given."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mucode.serving.local import Launch, LocalServer, free_port
from mucode.serving.settings import ServeSettings
from mucode.types import MucodeError

_QUIET = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@contextlib.contextmanager
def vllm_server(base: Path, trained: Path | None, settings: ServeSettings) -> Iterator[LocalServer]:
    """A server of pi_i on loopback, up when the block begins and gone when it ends.

    Other weights are another server: on a CPU hot-loaded adapters cost two thirds of the speed, a start costs a minute.

    Raises:
        MucodeError: vLLM is not installed, or does not start; with the end of its log.
    """
    from mucode.serving.weights import servable, weights_name
    from mucode.training.weights import best_dtype

    if not (settings.environment / "bin/python").exists():
        raise MucodeError(
            f"vLLM is not installed in {settings.environment}: `python -m mucode.serving install` does it, or set "
            "MUCODE_SERVER_URL to a server that runs elsewhere"
        )
    dtype = best_dtype()
    weights = servable(base, trained, settings.folder / "weights", dtype)
    launch = vllm_launch(weights, weights_name(base, trained), dtype, settings)
    try:
        with LocalServer(launch) as server:
            yield server
    finally:
        if weights != base:  # they are as large as the base, and made again in seconds
            shutil.rmtree(weights, ignore_errors=True)


def vllm_launch(weights: Path, name: str, dtype: str, settings: ServeSettings) -> Launch:
    """How vLLM is started for a model folder.

    Its defaults come from vLLM and not from the model's generation_config.json, whose top_k or repetition_penalty would
    otherwise steer samples that did not ask for it. Prompts are read whole: on a CPU vLLM 0.32 dies of a request with a
    seed whose prompt it reads in parts ("CPU Generator does not use offset").
    """
    context = min(settings.context or sys.maxsize, _context_of(weights))
    port, home = settings.port or free_port(), settings.folder.resolve()
    command = [
        *(str(settings.environment.absolute() / "bin/python"), "-m", "vllm.entrypoints.cli.main", "serve"),
        *(str(weights.resolve()), "--served-model-name", name),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", dtype, "--max-num-seqs", str(settings.sequences)),
        *("--generation-config", "vllm", "--disable-uvicorn-access-log"),
        *("--enable-prefix-caching", "--block-size", "32"),  # of 128, the default on a CPU, short prompts share none
        *("--max-model-len", str(context), "--max-num-batched-tokens", str(max(context, 2048))),
        "--no-enable-chunked-prefill",
        *(() if settings.compiled else ("--enforce-eager",)),
        *settings.arguments,
    ]
    environment = {
        "OMP_NUM_THREADS": str(os.cpu_count() or 1),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # else it leaves one processor to itself: of two, half of the speed
        **os.environ,
        **_QUIET,
        "VLLM_CPU_KVCACHE_SPACE": str(settings.cache_gib),
        "VLLM_CACHE_ROOT": str(home / "cache"),
    }
    return Launch(
        name="the model server",
        command=command,
        port=port,
        log=home / "vllm.log",
        environment=environment,
        seconds_to_start=settings.seconds_to_start,
        restarts=settings.restarts,
    )


def _context_of(weights: Path) -> int:
    """Tokens that a model's positions reach for."""
    return int(json.loads((weights / "config.json").read_text())["max_position_embeddings"])

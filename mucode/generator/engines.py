"""Which engine plays a generator: the one that was chosen, or the script that its base folder holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mucode.generator.incremental import EngineRecord
from mucode.generator.scripted import SCRIPT, load_script
from mucode.types import Generator, MucodeError

if TYPE_CHECKING:
    from mucode.generator.transformers_engine import Batching


@dataclass(frozen=True, slots=True)
class Part:
    """What an engine is to play."""

    base: Path  # folder of the base model
    trained: Path | None = None  # folder of fine-tuned weights on that base; None or the base itself: pi_0
    show_public_tests: bool = True  # see `prompts.chat`
    log_probabilities: bool = False  # of every reply

    @property
    def own(self) -> Path | None:
        """The fine-tuned weights, if there are any."""
        return None if self.trained is None or self.trained.resolve() == self.base.resolve() else self.trained


@dataclass(frozen=True, slots=True)
class Playing:
    """pi_i, ready to generate, and what is recorded about the engine that plays it."""

    generator: Generator
    record: EngineRecord


@contextmanager
def _with_transformers(part: Part) -> Iterator[Playing]:
    from mucode.serving.weights import weights_name

    generator = load_generator(
        part.base,
        part.trained,
        show_public_tests=part.show_public_tests,
        log_probabilities=part.log_probabilities,
    )
    name = weights_name(part.base, part.own)
    yield Playing(generator, EngineRecord("transformers", name, "batch", "token ids", "at a token"))


@contextmanager
def _with_vllm(part: Part) -> Iterator[Playing]:
    from mucode.generator.server_engine import served_generator
    from mucode.serving.settings import settings_of_this_machine

    settings = settings_of_this_machine(part.log_probabilities)
    with served_generator(
        part.base, part.own, show_public_tests=part.show_public_tests, settings=settings
    ) as generator:
        yield Playing(generator, generator.record)


ENGINES: dict[str, Callable[[Part], AbstractContextManager[Playing]]] = {
    "transformers": _with_transformers,
    "vllm": _with_vllm,
}


@contextmanager
def open_generator(engine: str, part: Part) -> Iterator[Playing]:
    """pi_i while the block runs: what an engine starts for it, it ends with the block.

    Args:
        engine: a key of ENGINES. A base folder with a script is played by the scripted double all the same.

    Raises:
        MucodeError: there is no such model, or the engine cannot play it here.
    """
    if (part.base / SCRIPT).exists():
        yield Playing(load_script(part.base), EngineRecord("scripted", SCRIPT, "request", "text", "in the text"))
        return
    require_model(part.base)
    with ENGINES[engine](part) as playing:
        yield playing


def load_generator(
    base: Path,
    trained: Path | None = None,
    *,
    show_public_tests: bool = True,
    dtype: Literal["auto", "float32", "bfloat16"] = "auto",
    batching: Batching | None = None,
    log_probabilities: bool = False,
) -> Generator:
    """pi_i in this process, by transformers.

    Args:
        base: folder of the base model. One with a script is played by the scripted double, whatever `trained` holds.
        trained: folder of fine-tuned weights on that base; None or the base itself: pi_0.
        show_public_tests: see `prompts.chat`.
        dtype: of the forward pass; "auto" is bfloat16 where the processor computes in it, else float32.
        batching: see `transformers_engine.Batching`.
        log_probabilities: compute them.

    Raises:
        MucodeError: there is no such model, or the trained weights belong to another base.
    """
    if (base / SCRIPT).exists():
        return load_script(base)
    require_model(base)
    from mucode.generator.transformers_engine import TransformersGenerator, to_best_device
    from mucode.training.weights import best_dtype, load_tokenizer, load_trained_causal

    model = load_trained_causal(base, Part(base, trained).own, best_dtype() if dtype == "auto" else dtype)
    return TransformersGenerator(
        to_best_device(model), load_tokenizer(base), batching, show_public_tests, log_probabilities
    )


def require_model(base: Path) -> None:
    """
    Raises:
        MucodeError: there is no such folder.
    """
    if not base.is_dir():
        raise MucodeError(f"there is no model folder {base}: fetch the base model first (`dvc repro` does)")

"""Which engine plays a generator: decided by what its folders hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mucode.generator.scripted import SCRIPT, load_script
from mucode.types import Generator, MucodeError

if TYPE_CHECKING:
    from mucode.generator.transformers_engine import Batching


def load_generator(
    base: Path,
    trained: Path | None = None,
    *,
    show_public_tests: bool = True,
    dtype: Literal["auto", "float32", "bfloat16"] = "auto",
    batching: Batching | None = None,
) -> Generator:
    """pi_i, ready to generate.

    Args:
        base: folder of the base model. One with a script is played by the scripted double, whatever `trained` holds.
        trained: folder of fine-tuned weights on that base; None or the base itself: pi_0.
        show_public_tests: see `prompts.chat`.
        dtype: of the forward pass; "auto" is bfloat16 where the processor computes in it, else float32.
        batching: see `transformers_engine.Batching`.

    Raises:
        MucodeError: there is no such model, or the trained weights belong to another base.
    """
    if (base / SCRIPT).exists():
        return load_script(base)
    if not base.is_dir():
        raise MucodeError(f"there is no model folder {base}: fetch the base model first (`dvc repro` does)")
    from mucode.generator.transformers_engine import TransformersGenerator, to_best_device
    from mucode.training.weights import best_dtype, load_tokenizer, load_trained_causal

    own = None if trained is None or trained.resolve() == base.resolve() else trained
    model = load_trained_causal(base, own, best_dtype() if dtype == "auto" else dtype)
    return TransformersGenerator(to_best_device(model), load_tokenizer(base), batching, show_public_tests)

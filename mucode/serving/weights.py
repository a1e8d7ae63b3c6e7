"""What a server is given to serve: a model folder of its own for trained weights, and the name that says whose they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mucode.training.weights import (
    ADAPTER_CONFIG,
    DType,
    add_language,
    base_digest,
    folder_written_whole,
    load_trained_causal,
    quiet,
)


def weights_name(base: Path, trained: Path | None = None) -> str:
    """The name under which these weights are served: it follows from their bytes, so that no other ones answer to it."""
    parts = [base_digest(base)]
    if trained is not None:
        parts.append(base_digest(trained))
        adapter = trained / ADAPTER_CONFIG  # the adapters' scale stands there
        parts += [hashlib.sha256(adapter.read_bytes()).hexdigest()] if adapter.exists() else []
    return f"mucode-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:12]}"


def merge_adapter(base: Path, trained: Path, out: Path, dtype: DType) -> None:
    """Write the base with trained weights in it as a model folder, whole or not at all; equal inputs give equal bytes.

    Args:
        base: folder of the base model.
        trained: adapters or whole weights that were trained on that base.
        out: safetensors, tokenizer and chat template: what any server loads.
        dtype: of the weights written; the merging itself is done in float32.

    Raises:
        MucodeError: the weights were trained on another base.
    """
    model = load_trained_causal(base, trained, dtype)
    with folder_written_whole(out) as folder, quiet():
        model.save_pretrained(folder, max_shard_size="100GB")
        add_language(base, folder)


def servable(base: Path, trained: Path | None, cache: Path, dtype: DType) -> Path:
    """A model folder that holds pi_i: the base itself, or one made in `cache`; made once for equal weights."""
    if trained is None:
        return base
    out = cache / weights_name(base, trained)
    if not out.exists():
        merge_adapter(base, trained, out, dtype)
    return out

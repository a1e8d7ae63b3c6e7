"""The random two-layer model with its tokenizer, on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[Any, Any]]:
    import torch  # not above: the fast suite imports this file, too

    from mucode.generator.random_model import random_model

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield random_model("tiny")
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def restless(parts: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same model with so many end tokens that its replies end at different steps."""
    from mucode.generator.random_model import random_model

    model, tokenizer = random_model("tiny")
    model.generation_config.eos_token_id = list(range(300, 350))
    return model, tokenizer

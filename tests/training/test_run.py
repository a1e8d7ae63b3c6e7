"""What the optimizer and the Trainer are told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mucode.training.run import Rates, _arguments, _optimizer
from tests.training.tiny_model import tiny_settings

pytestmark = pytest.mark.slow


def test_each_part_has_its_own_rate_and_only_matrices_decay() -> None:
    body, head = nn.Linear(3, 2), nn.Linear(2, 1)
    rates = (Rates(tuple(body.parameters()), 1e-4), Rates(tuple(head.parameters()), 1e-3))
    optimizer = _optimizer(rates, tiny_settings(weight_decay=0.1, adam_epsilon=1e-5))
    found = {
        id(parameter): (group["lr"], group["weight_decay"], group["eps"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert found == {
        id(body.weight): (1e-4, 0.1, 1e-5),
        id(body.bias): (1e-4, 0.0, 1e-5),
        id(head.weight): (1e-3, 0.1, 1e-5),
        id(head.bias): (1e-3, 0.0, 1e-5),
    }
    assert isinstance(optimizer, torch.optim.AdamW)


def test_the_trainer_gets_the_settings_of_the_section(tmp_path: Path) -> None:
    settings = tiny_settings(
        batch_size=8,
        accumulation=4,
        epochs=3,
        warmup_steps=5,
        max_gradient_norm=0.5,
        schedule="cosine",
        learning_rate=3e-4,
    )
    found = _arguments(settings, 7, str(tmp_path))
    assert (found.per_device_train_batch_size, found.gradient_accumulation_steps) == (2, 4)
    assert (found.num_train_epochs, found.warmup_steps, found.max_grad_norm) == (3, 5, 0.5)
    assert (str(found.lr_scheduler_type.value), found.learning_rate, found.seed) == ("cosine", 3e-4, 7)


def test_a_training_by_itself_uses_one_gpu_of_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    found = _arguments(tiny_settings(batch_size=8, accumulation=2), 0, str(tmp_path))
    assert (found.n_gpu, found.train_batch_size) == (1, 4)

"""What the optimizer and the Trainer are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mucode.training.answers import AnswerLoss, Collate, answer_example
from mucode.training.order import GroupedOrder
from mucode.training.run import Rates, _arguments, _optimizer, run_training, trainable
from mucode.training.settings import TrainingSettings
from mucode.training.weights import prepare
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


class Recording(nn.Module):
    """Its loss is one weight times the mean of a pass's numbers, so that its gradient says how a step weighs them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.seen: list[list[float]] = []
        self.gradients: list[float] = []
        self.weight.register_hook(lambda found: self.gradients.append(found.item()))  # type: ignore[no-untyped-call]

    def forward(self, numbers: Tensor, share: float, **rest: Any) -> dict[str, Tensor]:  # takes any, as the verifier's
        assert not rest
        self.seen.append(numbers.tolist())
        return {"loss": self.weight * numbers.mean() * share}


def recorded(count: int, settings: TrainingSettings) -> tuple[Recording, list[float], tuple[float, ...]]:
    """A training on the numbers 0, 1, ... that changes nothing; the order that was asked for; its losses."""
    module = Recording()
    size = settings.batch_size // settings.accumulation
    asked, given = (GroupedOrder([[number] for number in range(count)], size, seed=5) for _ in range(2))
    losses = run_training(
        module,
        [{"number": float(number)} for number in range(count)],
        lambda examples: {"numbers": torch.tensor([example["number"] for example in examples])},
        (Rates(trainable(module), 0.0),),
        settings,
        0,
        "test",
        given,
    )
    return module, [float(number) for _ in range(settings.epochs) for number in asked], losses


def test_the_examples_come_in_the_order_that_is_asked_for_epoch_by_epoch() -> None:
    module, asked, _ = recorded(24, tiny_settings(batch_size=4, epochs=2))
    assert [number for numbers in module.seen for number in numbers] == asked
    assert asked[:24] != asked[24:]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (8, [[2, 2], [2, 2]]),
        (10, [[2, 2], [2, 2], [2]]),
        (11, [[2, 2], [2, 2], [2, 1]]),
        (9, [[2, 2], [2, 2], [1]]),
        (3, [[2, 1]]),
    ],
)
def test_the_examples_of_a_step_weigh_alike_however_its_passes_cut_them(count: int, sizes: list[list[int]]) -> None:
    module, asked, losses = recorded(count, tiny_settings(batch_size=4, accumulation=2, epochs=1))
    assert [len(numbers) for numbers in module.seen] == [size for step in sizes for size in step]
    passes, whole = iter(module.gradients), [asked[at : at + 4] for at in range(0, count, 4)]
    gradients = [sum(next(passes) for _ in step) for step in sizes]
    means = [sum(numbers) / len(numbers) for numbers in whole]
    assert gradients == pytest.approx(means)
    assert losses == pytest.approx([sum(means) / len(means)])


def test_an_epochs_loss_is_the_mean_over_its_steps_the_short_last_one_as_much_as_any() -> None:
    module, _, losses = recorded(5, tiny_settings(batch_size=4, epochs=2))
    assert [len(numbers) for numbers in module.seen] == [4, 1] * 2
    means = [sum(numbers) / len(numbers) for numbers in module.seen]
    assert losses == pytest.approx([sum(means[:2]) / 2, sum(means[2:]) / 2])


@pytest.mark.parametrize(("rank", "rate"), [(0, 0.0), (4, 0.0), (4, 0.5)])
def test_nothing_drops_out_in_training_but_the_adapters_at_their_own_rate(rank: int, rate: float) -> None:
    from transformers import Starcoder2Config, Starcoder2ForCausalLM

    torch.manual_seed(0)
    sizes = {"vocab_size": 16, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "sliding_window": None}
    dropouts = dict.fromkeys(("residual_dropout", "embedding_dropout", "attention_dropout"), 0.1)
    causal = Starcoder2ForCausalLM(Starcoder2Config(**sizes, **heads, **dropouts)).eval()
    objective = AnswerLoss(causal, low_precision=False)
    settings = tiny_settings(lora_rank=rank, lora_dropout=rate, epochs=4, batch_size=1)
    model = prepare(causal, settings)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight)  # else what the adapters drop would be multiplied by zeros
    examples, order = [answer_example((1, 2, 3), (4, 5), 1.0)], GroupedOrder([[0]], 1, 0)
    losses = run_training(
        objective, examples, Collate(False), (Rates(trainable(model), 0.0),), settings, 0, "test", order
    )
    assert len(losses) == 4
    assert len(set(losses)) == (4 if rate else 1)
    assert not any(part.training for name, part in objective.named_modules() if "lora_dropout" not in name)

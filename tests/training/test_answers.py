"""Beginnings computed once against each sequence by itself: equal losses, equal gradients."""

import random
from typing import Any

import pytest
import torch

from mucode.training.answers import AnswerLoss, Collate, answer_example, can_share
from mucode.training.run import Example
from mucode.training.weights import hold_frozen_in_bfloat16, prepare
from tests.training.tiny_model import tiny_settings

pytestmark = pytest.mark.slow  # imports torch

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "tie_word_embeddings": True,
}


def model_of(family: str, **options: Any) -> Any:
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**(SIZES | options))
    return getattr(transformers, f"{family}ForCausalLM")(config).eval()


def rollout_examples() -> list[Example]:
    """Three states of one rollout and two of another problem, with weights, their targets of several lengths."""
    draw = random.Random(0)

    def tokens(count: int) -> list[int]:
        return [draw.randrange(64) for _ in range(count)]

    opening, first, second, other = tokens(9), tokens(7), tokens(8), tokens(6)
    target, wrong = tokens(5), tokens(4)
    prompts = [opening, opening + first, opening + first + second, opening[:5] + other, opening[:5] + other + first]
    answers = [target, target, target, wrong, target[:2] + wrong]
    weights = [1.0, 2.5, 0.5, 3.0, 1.0]
    return [answer_example(*each) for each in zip(prompts, answers, weights, strict=True)]


def loss_and_gradients(
    family: str, rank: int, shared: bool, low_precision: bool = False, held: bool = False
) -> tuple[float, dict[str, torch.Tensor]]:
    causal = model_of(family)
    objective = AnswerLoss(causal, low_precision)
    model = prepare(causal, tiny_settings(lora_rank=rank))
    if held:
        hold_frozen_in_bfloat16(model)
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:  # zero at the start, which would leave the gradient of the other half zero as well
            torch.nn.init.normal_(weight, std=0.3)
    loss = objective(**Collate(shared)(rollout_examples()))["loss"]
    loss.backward()
    return loss.item(), {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("family", ["Llama", "Qwen2"])
@pytest.mark.parametrize("rank", [4, 0])
def test_sharing_gives_the_gradients_of_every_state_by_itself(family: str, rank: int) -> None:
    loss, gradients = loss_and_gradients(family, rank, shared=True)
    expected_loss, expected = loss_and_gradients(family, rank, shared=False)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        assert expected[name].abs().max() > 0 or "k_proj.bias" in name  # softmax does not feel a shift of all keys
        largest = expected[name].abs().max().item()
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-5 * largest + 1e-7)


@pytest.mark.parametrize("family", ["Llama", "Qwen2"])
def test_frozen_weights_that_are_rounded_once_give_the_same_bits(family: str) -> None:
    held, each_time = (loss_and_gradients(family, 4, True, low_precision=True, held=way) for way in (True, False))
    assert held[0] == each_time[0]
    assert all(torch.equal(gradient, each_time[1][name]) for name, gradient in held[1].items())


def test_what_is_trained_stays_in_float32_and_what_is_frozen_is_held_in_bfloat16() -> None:
    causal = model_of("Llama")
    hold_frozen_in_bfloat16(prepare(causal, tiny_settings(lora_rank=0)))
    assert {weight.dtype for weight in causal.parameters()} == {torch.float32}
    adapted = prepare(model_of("Llama"), tiny_settings(lora_rank=4))
    hold_frozen_in_bfloat16(adapted)
    linear = [module.weight for module in adapted.modules() if isinstance(module, torch.nn.Linear)]
    found = {(weight.requires_grad, weight.dtype) for weight in linear}
    assert found == {(True, torch.float32), (False, torch.bfloat16)}


def test_a_shared_batch_is_smaller() -> None:
    examples = rollout_examples()
    shared, alone = (Collate(each)(examples)["input_ids"].numel() for each in (True, False))
    assert shared < 0.6 * alone


def test_the_loss_is_the_mean_of_the_examples_own() -> None:
    objective, examples = AnswerLoss(model_of("Llama"), low_precision=False), rollout_examples()
    each = [objective(**Collate(shared=False)([example]))["loss"].item() for example in examples]
    together = objective(**Collate(shared=True)(examples))["loss"].item()
    assert together == pytest.approx(sum(each) / len(each), rel=1e-5)


@pytest.mark.parametrize("family", ["Llama", "Qwen2"])
def test_models_with_full_attention_can_share(family: str) -> None:
    assert can_share(model_of(family))


def test_a_window_over_the_past_cannot_be_shared() -> None:
    assert not can_share(model_of("Qwen2", use_sliding_window=True, sliding_window=4, max_window_layers=0))

    # longer than these probes, and no kinds of layers are named
    assert not can_share(model_of("Mistral", sliding_window=40, max_position_embeddings=80))
    assert can_share(model_of("Mistral", sliding_window=80, max_position_embeddings=80))


def test_an_attention_that_takes_the_mask_for_numbers_to_add_cannot_share() -> None:
    assert not can_share(model_of("Llama", attn_implementation="eager"))

import math

import pytest
import torch

from mucode.verifier.losses import LOSSES, bce, bradley_terry

pytestmark = pytest.mark.slow  # imports torch


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def scores_of(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


REWARDS = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64)


def test_bradley_terry_is_the_papers_formula_with_its_gradient() -> None:
    scores = scores_of(0.3, -0.4, -1.0, 2.0)
    loss = bradley_terry(scores, REWARDS, penalty=0.001)
    torch.autograd.backward(loss)
    margins = [0.3 + 0.4, -1.0 - 2.0]
    squares = sum(value * value for value in scores.tolist()) / 4
    assert loss.item() == pytest.approx(-sum(math.log(sigmoid(m)) for m in margins) / 2 + 0.001 * squares)
    slopes = [(sigmoid(m) - 1) / 2 for m in margins]  # d/dm of -log sigmoid(m), mean of two pairs
    expected = [slopes[0], -slopes[0], slopes[1], -slopes[1]]
    expected = [slope + 0.001 * 2 * value / 4 for slope, value in zip(expected, scores.tolist(), strict=True)]
    assert scores.grad is not None
    assert scores.grad.tolist() == pytest.approx(expected)


def test_bce_is_the_papers_formula_with_its_gradient() -> None:
    scores = scores_of(0.3, -0.4, -1.0, 2.0)
    loss = bce(scores, REWARDS, penalty=0.001)
    torch.autograd.backward(loss)
    pairs = list(zip(scores.tolist(), REWARDS.tolist(), strict=True))
    terms = [-math.log(sigmoid(value)) if reward else -math.log(1 - sigmoid(value)) for value, reward in pairs]
    squares = sum(value * value for value, _ in pairs) / 4
    assert loss.item() == pytest.approx(sum(terms) / 4 + 0.001 * squares)
    assert scores.grad is not None
    expected = [(sigmoid(value) - reward) / 4 + 0.001 * 2 * value / 4 for value, reward in pairs]
    assert scores.grad.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    scores = scores_of(0.3, 0.1, -1, 2)
    assert torch.autograd.gradcheck(lambda values: LOSSES[name].value(values, REWARDS, 0.01), scores)


def test_bradley_terry_without_penalty_ignores_a_shift_of_all_scores() -> None:
    scores = scores_of(0.3, -0.4, -1.0, 2.0)
    assert bradley_terry(scores + 5, REWARDS, 0.0).item() == pytest.approx(bradley_terry(scores, REWARDS, 0.0).item())


def test_what_counts_as_right() -> None:
    scores = torch.tensor([-1.0, -2.0, 0.5, 0.6])
    assert LOSSES["bradley_terry"].right(scores, REWARDS).tolist() == [True, False]
    assert LOSSES["bce"].right(scores, REWARDS).tolist() == [False, True, True, False]

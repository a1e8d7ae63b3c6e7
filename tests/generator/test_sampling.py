"""Tokens are drawn as temperature and top_p say."""

from __future__ import annotations

import pytest
import torch

from mucode.generator.sampling import draw
from mucode.types import Sampling

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("top_p", [1.0, 0.7])
def test_tokens_are_drawn_with_the_probabilities_of_the_logits(top_p: float) -> None:
    probabilities = torch.tensor([0.05, 0.3, 0.15, 0.5])
    wanted = probabilities if top_p == 1.0 else torch.tensor([0.0, 0.375, 0.0, 0.625])
    count = 20_000
    uniforms = torch.rand(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    tokens = draw(probabilities.log().expand(count, 4), uniforms, Sampling(1.0, top_p, 1))
    shares = torch.bincount(tokens, minlength=4) / count
    torch.testing.assert_close(shares, wanted, atol=0.015, rtol=0.0)


def test_temperature_sharpens_the_distribution() -> None:
    logits = torch.tensor([[0.0, 1.0]]).expand(10_000, 2)
    uniforms = torch.rand(10_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    share = draw(logits, uniforms, Sampling(0.5, 1.0, 1)).float().mean()
    torch.testing.assert_close(share, torch.tensor(2.0).sigmoid(), atol=0.015, rtol=0.0)


def test_the_largest_random_number_still_draws_a_possible_token_of_a_large_vocabulary() -> None:
    logits = torch.full((2, 1000), -torch.inf)
    logits[:, [3, 700]] = 0.0
    tokens = draw(logits, torch.tensor([0.0, 1.0 - 2**-53], dtype=torch.float64), Sampling(1.0, 1.0, 1))
    assert tokens.tolist() == [3, 700]

"""Logits -> token: inverse-transform sampling, one uniform number a row.

A row's token depends on its own logits and its own number only: neither its neighbours nor their order can change it.
"""

from __future__ import annotations

import torch

from mucode.types import Sampling

_ROWS = 64  # rows at a time: larger float32 temporaries are returned to the system and faulted in again at every step
_BLOCK = 256  # vocabulary entries summed before the search, which then walks one block instead of the vocabulary
_NUCLEUS = 512  # likeliest tokens tried before the whole vocabulary is sorted
_BELOW_ONE = 1.0 - 1e-9  # keeps rounding from walking past the last token that has any probability


def draw(logits: torch.Tensor, uniforms: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The next token of every row.

    Args:
        logits: [rows, vocabulary], any float type; computed in float32.
        uniforms: [rows] float64 in [0, 1).
        sampling: temperature (0: the likeliest token) and top_p.

    Returns:
        [rows] int64.
    """
    if sampling.temperature == 0.0:
        return logits.argmax(dim=-1)
    pick = _from_all if sampling.top_p >= 1.0 else _from_nucleus
    chunks = zip(torch.split(logits, _ROWS), torch.split(uniforms, _ROWS), strict=True)
    return torch.cat([pick(_weights(some, sampling.temperature), numbers, sampling.top_p) for some, numbers in chunks])


def log_probabilities(logits: torch.Tensor, tokens: list[int]) -> list[float]:
    """ln p of each row's token under the model itself, at temperature 1 and without top_p.

    Args:
        logits: [rows, vocabulary], any float type; computed in float32.
        tokens: one a row.
    """
    chosen = torch.tensor(tokens, device=logits.device)[:, None]
    found: list[float] = []
    for some, token in zip(torch.split(logits, _ROWS), torch.split(chosen, _ROWS), strict=True):
        exact = some.to(torch.float32, copy=True)
        exact.sub_(exact.amax(dim=-1, keepdim=True))
        own = exact.gather(1, token).squeeze(1)
        found += (own - exact.exp_().sum(dim=-1).log_()).tolist()
    return found


def _weights(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Unnormalised probabilities, the largest of each row 1."""
    scaled = logits.to(torch.float32, copy=True)  # the only large temporary: the rest happens in place
    return scaled.sub_(scaled.amax(dim=-1, keepdim=True)).div_(temperature).exp_()


def _from_all(weights: torch.Tensor, uniforms: torch.Tensor, _top_p: float) -> torch.Tensor:
    rows, vocabulary = weights.shape
    whole = weights if vocabulary % _BLOCK == 0 else torch.nn.functional.pad(weights, (0, -vocabulary % _BLOCK))
    blocks = whole.view(rows, -1, _BLOCK)
    block, rest = _search(blocks.sum(dim=-1).double(), uniforms * _BELOW_ONE)
    inside = blocks[torch.arange(rows, device=weights.device), block].double()
    token, _ = _search(inside, rest.clamp(max=_BELOW_ONE))
    return block * _BLOCK + token


def _from_nucleus(weights: torch.Tensor, uniforms: torch.Tensor, top_p: float) -> torch.Tensor:
    """As `_from_all`, from the smallest set of likeliest tokens whose probability reaches top_p."""
    total = weights.sum(dim=-1, keepdim=True)
    values, tokens = weights.topk(min(_NUCLEUS, weights.shape[-1]), dim=-1)
    if bool((values.sum(dim=-1, keepdim=True) < top_p * total).any()):
        values, tokens = weights.sort(dim=-1, descending=True, stable=True)
    before = values.cumsum(dim=-1) - values
    kept = values.masked_fill(before >= top_p * total, 0.0).double()
    place, _ = _search(kept, uniforms * _BELOW_ONE)
    return tokens.gather(1, place[:, None]).squeeze(1)


def _search(weights: torch.Tensor, uniforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each row's number falls among its weights, and where inside that weight, both as shares in [0, 1]."""
    upto = weights.cumsum(dim=-1)
    target = (uniforms * upto[:, -1])[:, None]
    place = torch.searchsorted(upto, target, right=True).clamp_(max=weights.shape[-1] - 1)
    width = weights.gather(1, place)
    inside = (target - upto.gather(1, place) + width) / width.clamp(min=torch.finfo(torch.float64).tiny)
    return place.squeeze(1), inside.clamp_(0.0, 1.0).squeeze(1)

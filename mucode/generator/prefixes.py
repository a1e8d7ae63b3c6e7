"""What the generator has read before: keys and values of token sequences, found again by their longest beginning."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence

import torch

Tokens = tuple[int, ...]


class Prefixes:
    """Kept sequences, at most so many tokens of them; the least recently used go first."""

    def __init__(self, tokens: int) -> None:
        self.limit, self._held = tokens, 0
        self._kept: OrderedDict[Tokens, list[torch.Tensor]] = OrderedDict()  # the most recently used last
        self._sorted: list[Tokens] = []

    def keep(self, tokens: Tokens, layers: list[torch.Tensor]) -> None:
        """Keep a sequence; `layers` is what `RowCache.take` gives for it."""
        if len(tokens) > self.limit or tokens in self._kept:
            return
        self._held += len(tokens)
        while self._held > self.limit:
            self._drop(next(iter(self._kept)))
        self._kept[tokens] = layers
        self._sorted.insert(bisect_left(self._sorted, tokens), tokens)

    def shared(self, tokens: Tokens) -> int:
        """With how many of its first tokens a kept sequence begins."""
        return _common(tokens, self._nearest(tokens))

    def longest(self, tokens: Tokens) -> list[torch.Tensor]:
        """Keys and values of its first `shared(tokens)` tokens, [2, heads, shared, size] of each layer; [] if 0."""
        nearest = self._nearest(tokens)
        shared = _common(tokens, nearest)
        if shared == 0:
            return []
        self._kept.move_to_end(nearest)
        return [layer[:, :, :shared] for layer in self._kept[nearest]]

    def _nearest(self, tokens: Tokens) -> Tokens:
        """The kept sequence with the longest common beginning: a neighbour in dictionary order."""
        at = bisect_left(self._sorted, tokens)
        return max(self._sorted[max(0, at - 1) : at + 1], key=lambda other: _common(tokens, other), default=())

    def _drop(self, tokens: Tokens) -> None:
        del self._kept[tokens]
        del self._sorted[bisect_left(self._sorted, tokens)]
        self._held -= len(tokens)


def common_beginning(sequences: Sequence[Tokens]) -> Tokens:
    """The tokens with which all of them begin."""
    first = min(sequences)
    return first[: _common(first, max(sequences))]  # what the extremes in dictionary order share, all share


def _common(a: Tokens, b: Tokens) -> int:
    if a[: len(b)] == b:
        return len(b)
    return next((at for at, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1]), min(len(a), len(b)))

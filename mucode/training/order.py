"""In which order an epoch goes through its examples: those that share a beginning meet in one forward pass."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

from mucode.seeds import seed_for

_AHEAD = 64  # groups among which one is sought that fits the room left in a batch


class GroupedOrder(Sampler[int]):
    """Groups in a random order, anew each epoch, whole within batches of `size` examples where they fit."""

    def __init__(self, groups: Sequence[Sequence[int]], size: int, seed: int) -> None:
        self._groups, self._size, self._seed = groups, size, seed
        self._epoch = 0

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    def __iter__(self) -> Iterator[int]:
        source = random.Random(seed_for(self._seed, "order", self._epoch))
        self._epoch += 1
        return iter(dealt(self._groups, self._size, source))


def dealt(groups: Sequence[Sequence[int]], size: int, source: random.Random) -> list[int]:
    """Every member of every group once; `size` at a time make a batch."""
    waiting = [list(group[at : at + size]) for group in groups for at in range(0, len(group), size)]
    source.shuffle(waiting)
    order: list[int] = []
    while waiting:
        room = size - len(order) % size
        fits = [at for at, piece in enumerate(waiting[:_AHEAD]) if len(piece) <= room]
        if not fits:  # cut the next one
            order += waiting[0][:room]
            waiting[0] = waiting[0][room:]
        elif room == size:
            order += waiting.pop(0)
        else:
            order += waiting.pop(max(fits, key=lambda at: len(waiting[at])))
    return order

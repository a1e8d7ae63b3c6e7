"""Keys and values of the conversations being decoded, all ending in the same column.

Right alignment lets a conversation leave and another take its row at any step, whatever their lengths, and writing one
column a step replaces the copy of the whole cache that growing it by concatenation costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, Cache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_ATTENTION = "mucode_aligned"
_COLUMNS = 32  # the buffer grows by this many columns: fewer copy it more often, more attend to empty ones


class AlignedCache(Cache):  # type: ignore[misc]  # transformers is untyped
    """A transformers cache for one-token steps over up to `capacity` conversations.

    A layer's keys and values are [capacity, key-value heads, columns, head size]. Conversation r holds columns
    starts[r] .. column-1 of row r; `mask` [capacity, 1, 1, columns] is 0 there and -inf elsewhere.
    """

    def __init__(self, capacity: int, longest: int, dtype: torch.dtype, device: torch.device) -> None:
        """`longest`: tokens of the longest conversation that will ever be admitted."""
        super().__init__(layers=[])
        self.capacity, self.column, self.columns = capacity, longest, longest + _COLUMNS
        self.starts: list[int] = []
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []
        self.mask = torch.full((capacity, 1, 1, self.columns), -torch.inf, dtype=dtype, device=device)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """transformers' hook: write one token a row ([rows, heads, 1, size]); returns all columns of these rows."""
        keys, values, rows = self.keys[layer_idx], self.values[layer_idx], len(key_states)
        keys[:rows, :, self.column] = key_states[:, :, 0]
        values[:rows, :, self.column] = value_states[:, :, 0]
        return keys[:rows], values[:rows]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.column

    def admit(self, prefilled: Cache, source: int, prefix: int, rest: int, copies: int) -> None:
        """Append `copies` rows that continue row `source` of a prefill: its first `prefix` and last `rest` columns."""
        first, start, end = len(self.starts), self.column - prefix - rest, self.column
        rows, middle = slice(first, first + copies), end - rest
        if not self.keys:
            self._allocate(prefilled)
        for index, layer in enumerate(prefilled.layers):
            for buffer, read in ((self.keys[index], layer.keys[source]), (self.values[index], layer.values[source])):
                buffer[rows, :, start:middle] = read[:, :prefix]
                buffer[rows, :, middle:end] = read[:, read.shape[1] - rest :]
        self.mask[rows] = -torch.inf
        self.mask[rows, :, :, start:end] = 0.0
        self.starts += [start] * copies

    def open_column(self) -> torch.Tensor:
        """Make room for one more token a row; returns its positions [rows, 1]."""
        if self.column == self.columns:
            self._relayout()
        rows = len(self.starts)
        self.mask[:rows, :, :, self.column] = 0.0
        return self.column - torch.tensor(self.starts, device=self.mask.device)[:, None]

    def close_column(self) -> None:
        """Count the tokens written since `open_column` as part of their conversations."""
        self.column += 1

    def keep(self, survivors: Sequence[int]) -> list[int]:
        """Drop all other rows: the last survivors move into the gaps. Returns the old row of each new row."""
        count, staying = len(survivors), set(survivors)
        gaps = [row for row in range(count) if row not in staying]
        moved = [row for row in survivors if row >= count]
        order = list(range(count))
        for gap, row in zip(gaps, moved, strict=True):
            order[gap] = row
        if gaps:
            for buffer in (*self.keys, *self.values, self.mask):
                buffer[gaps] = buffer[moved]
        self.starts = [self.starts[row] for row in order]
        return order

    def _allocate(self, prefilled: Cache) -> None:
        for layer in prefilled.layers:
            _, heads, _, size = layer.keys.shape
            # Zeros, as unwritten columns are multiplied by a weight of 0 and must not hold NaN
            self.keys.append(layer.keys.new_zeros(self.capacity, heads, self.columns, size))
            self.values.append(layer.values.new_zeros(self.capacity, heads, self.columns, size))

    def _relayout(self) -> None:
        """Cut the columns before every conversation's start and append empty ones."""
        rows, cut = len(self.starts), min(self.starts)
        used = self.column - cut
        self.columns, old = used + _COLUMNS, slice(cut, self.column)
        for buffers in (self.keys, self.values):
            for index, buffer in enumerate(buffers):
                fresh = buffer.new_zeros(self.capacity, buffer.shape[1], self.columns, buffer.shape[3])
                fresh[:rows, :, :used] = buffer[:rows, :, old]
                buffers[index] = fresh
        mask = self.mask.new_full((self.capacity, 1, 1, self.columns), -torch.inf)
        mask[:rows, :, :, :used] = self.mask[:rows, :, :, old]
        self.mask, self.column = mask, used
        self.starts = [start - cut for start in self.starts]


def use_aligned_attention(model: Any) -> None:
    """Let the model's one-token steps attend by two batched products over the contiguous cache.

    On CPUs torch's fused kernel takes about twice as long for one query over a masked cache (measured in bfloat16); all
    other calls, prefill above all, go to it as before.
    """
    AttentionInterface.register(_ATTENTION, _attend)
    AttentionMaskInterface.register(_ATTENTION, sdpa_mask)
    model.set_attn_implementation(_ATTENTION)


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """query: [rows, heads, tokens, size]; key and value: [rows, key-value heads, columns, size]."""
    rows, heads, tokens, size = query.shape
    groups, columns = key.shape[1], key.shape[2]
    if tokens != 1 or attention_mask is None or attention_mask.dtype == torch.bool:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)  # type: ignore[no-any-return]
    shared = query.reshape(rows * groups, heads // groups, size) * (size**-0.5 if scaling is None else scaling)
    scores = torch.bmm(shared, key.reshape(rows * groups, columns, size).transpose(1, 2))
    weights = (scores.view(rows, groups, heads // groups, columns) + attention_mask).softmax(dim=-1)
    out = torch.bmm(weights.view(rows * groups, heads // groups, columns), value.reshape(rows * groups, columns, size))
    return out.view(rows, 1, heads, size), None

"""Keys and values of the conversations being decoded, a row each, all beginning in the first column.

A conversation leaves its row, and another takes it, at any step and whatever their lengths. What a row holds can be
taken out and put back: so a conversation goes on after its feedback without being read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, Cache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_ATTENTION = "mucode_rows"
_STEP = 32  # columns by which the rows get longer: fewer copy them more often, more attend to empty ones
_GROWTH = 1.25  # memory beyond what is needed when it has to grow


class RowCache(Cache):  # type: ignore[misc]  # transformers is untyped
    """A transformers cache whose row r holds the first lengths[r] columns.

    A layer's keys and values are [2, rows, key-value heads, columns, head size], in memory that is kept while rows and
    columns change: fresh pages cost more than the copy. The columns are just as many as needed, as torch's product of
    bfloat16 batches is five times as slow over a part of the columns as over all of them. Rows from len(lengths) on are
    free; what lies behind a row's length is never attended to.
    """

    def __init__(self, layers: int, device: torch.device) -> None:
        super().__init__(layers=[])
        self.lengths: list[int] = []
        self._device, self._rows, self._columns, self._wanted = device, 0, 0, 0
        self._layers = [_Layer() for _ in range(layers)]
        self._first = 0
        self._places = torch.zeros(0, 0, dtype=torch.int64)
        self._cells: torch.Tensor | None = None  # where the pass writes, for [rows, heads, tokens]

    def make_room(self, rows: int) -> None:
        """Let there be so many rows; what they hold is kept."""
        self._wanted = rows
        if rows > self._rows:
            self._reshape(self._columns)

    def open(self, first: int, counts: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Begin a forward pass over the rows from `first` on, with so many new tokens each, padded before them.

        Returns:
            The mask [rows, 1, new tokens, columns], True where a token attends to; the positions [rows, new tokens].
        """
        self._first, width, used = first, max(counts), self.lengths[first:]
        longest = max(*self.lengths, *(length + count for length, count in zip(used, counts, strict=True)))
        if not longest < self._columns <= longest + 2 * _STEP:
            self._reshape(longest + _STEP)
        start = [length + count - width for length, count in zip(used, counts, strict=True)]
        places = torch.tensor(start, device=self._device)[:, None] + torch.arange(width, device=self._device)
        padding = places < torch.tensor(used, device=self._device)[:, None]
        self._places = places.masked_fill(padding, self._columns - 1)  # where no row has a token yet
        self._cells = None
        positions = places.masked_fill(padding, 0)
        seen = torch.arange(self._columns, device=self._device) <= positions[:, None, :, None]
        return seen, positions

    def close(self, counts: Sequence[int]) -> None:
        """Count the tokens that the pass has written as part of their conversations."""
        for row, count in enumerate(counts, start=self._first):
            self.lengths[row] += count

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """transformers' hook: write the new tokens ([rows, heads, tokens, size]); returns all columns of these rows."""
        both = self._layers[layer_idx].view(self._rows, self._columns, key_states)
        heads, size = both.shape[2], both.shape[4]
        if self._cells is None or self._cells.numel() != key_states.numel() // size:
            rows = torch.arange(self._first, len(self.lengths), device=self._device)[:, None, None]
            row_heads = rows * heads + torch.arange(heads, device=self._device)[:, None]
            self._cells = (row_heads * self._columns + self._places[:, None]).flatten()
        both[0].view(-1, size).index_copy_(0, self._cells, key_states.reshape(-1, size))
        both[1].view(-1, size).index_copy_(0, self._cells, value_states.reshape(-1, size))
        mine = both[:, self._first : len(self.lengths)]
        return mine[0], mine[1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self._columns - self._places.shape[1]

    def put(self, layers: Sequence[torch.Tensor]) -> None:
        """Add a row that begins with these columns, of each layer [2, heads, length, size]; with none, an empty one."""
        row, length = len(self.lengths), layers[0].shape[2] if layers else 0
        if length > self._columns:
            self._reshape(length + _STEP)
        self.lengths.append(length)
        for layer, own in zip(self._layers, layers, strict=False):
            layer.view(self._rows, self._columns, own)[:, row, :, :length] = own

    def take(self, row: int) -> list[torch.Tensor]:
        """A copy of what a row holds, as `put` takes it."""
        length = self.lengths[row]
        return [layer.shaped[:, row, :, :length].clone() for layer in self._layers]

    def repeat(self, row: int, copies: int) -> None:
        """Add so many rows that hold what this row holds."""
        used, length = len(self.lengths), self.lengths[row]
        for layer in self._layers:
            layer.shaped[:, used : used + copies, :, :length] = layer.shaped[:, row : row + 1, :, :length]
        self.lengths += [length] * copies

    def keep(self, survivors: Sequence[int]) -> list[int]:
        """Drop all other rows: the last survivors move into the gaps. Returns the old row of each new row."""
        count, staying = len(survivors), set(survivors)
        gaps = [row for row in range(count) if row not in staying]
        moved = [row for row in survivors if row >= count]
        order = list(range(count))
        for gap, row in zip(gaps, moved, strict=True):
            order[gap] = row
            for layer in self._layers:
                layer.shaped[:, gap, :, : self.lengths[row]] = layer.shaped[:, row, :, : self.lengths[row]]
        self.lengths = [self.lengths[row] for row in order]
        return order

    def _reshape(self, columns: int) -> None:
        used, longest = len(self.lengths), max(self.lengths, default=0)
        self._rows, self._columns = max(used, self._wanted), columns
        for layer in self._layers:
            layer.reshape(self._rows, columns, used, longest)


class _Layer:
    """One layer's keys and values."""

    def __init__(self) -> None:
        self.memory = torch.zeros(0)
        self.shaped = torch.zeros(2, 0, 0, 0, 0)  # the part of the memory in use

    def view(self, rows: int, columns: int, like: torch.Tensor) -> torch.Tensor:
        """[2, rows, heads, columns, size]; `like` [..., heads, tokens, size] tells what is not known before."""
        if self.memory.numel() == 0:
            heads, size = like.shape[-3], like.shape[-1]
            # Zeros, as columns not attended to are multiplied by a weight of 0 and must not hold NaN
            self.memory = like.new_zeros(2 * rows * heads * columns * size)
            self.shaped = self.memory.view(2, rows, heads, columns, size)
        return self.shaped

    def reshape(self, rows: int, columns: int, used: int, longest: int) -> None:
        """Change the numbers of rows and columns; the first `longest` columns of the first `used` rows are kept."""
        if self.memory.numel() == 0:
            return
        _, _, heads, _, size = self.shaped.shape
        kept = self.shaped[:, :used, :, :longest].clone()
        numbers = 2 * rows * heads * columns * size
        if self.memory.numel() < numbers:
            self.memory = kept.new_zeros(int(_GROWTH * numbers))
        self.shaped = self.memory[:numbers].view(2, rows, heads, columns, size)
        self.shaped[:, :used, :, :longest] = kept


def use_row_attention(model: Any) -> None:
    """Let the model's one-token steps attend by two batched products over the cache.

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
    scores = torch.bmm(shared, key.view(rows * groups, columns, size).transpose(1, 2))
    weights = (scores.view(rows, groups, heads // groups, columns) + attention_mask).softmax(dim=-1)
    out = torch.bmm(weights.view(rows * groups, heads // groups, columns), value.view(rows * groups, columns, size))
    return out.view(rows, 1, heads, size), None

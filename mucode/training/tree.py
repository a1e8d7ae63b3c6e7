"""Token sequences as trees: what several of them begin with is computed once.

A row of a batch is a walk through a tree of tokens, depth first. Each token attends to its ancestors alone and has its
depth as position, so that it computes what it would compute in its sequence by itself (tree attention). No sequence is
assumed to continue another: what is shared is what is equal, token by token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mucode.training.batch import pad

Tokens = Sequence[int]
_ROW_TOKENS = 1024  # a tree's attention is a square of it


@dataclass(frozen=True, slots=True)
class Tree:
    """Some sequences, what they begin with merged."""

    tokens: tuple[int, ...]  # of each node
    paths: dict[int, tuple[int, ...]]  # which sequences it holds; of each, the nodes from the root to its end


def grow(sequences: Sequence[Tokens], members: Sequence[int]) -> Tree:
    """The tree of the sequences that `members` names by index."""
    tokens: list[int] = []
    path: list[int] = []  # of the sequence before; in dictionary order no earlier one shares more
    before: Tokens = ()
    paths = {}
    for member in sorted(members, key=lambda each: tuple(sequences[each])):
        own = sequences[member]
        shared = common(before, own)
        path = [*path[:shared], *range(len(tokens), len(tokens) + len(own) - shared)]
        tokens += own[shared:]
        paths[member], before = tuple(path), own
    return Tree(tuple(tokens), paths)


def grown_into_rows(sequences: Sequence[Tokens], row_tokens: int) -> list[Tree]:
    """Trees of at most `row_tokens` tokens, or as many as the longest sequence has, that hold each sequence once."""
    room = max(row_tokens, *map(len, sequences))
    rows: list[list[int]] = [[]]
    size = 0
    before: Tokens = ()
    for member in sorted(range(len(sequences)), key=lambda each: tuple(sequences[each])):
        own = sequences[member]
        size += len(own) - common(before, own)
        if size > room:
            rows.append([])
            size = len(own)
        rows[-1].append(member)
        before = own
    return [grow(sequences, row) for row in rows]


def common(one: Tokens, other: Tokens) -> int:
    """How many tokens two sequences begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


@dataclass(frozen=True, slots=True)
class Packed:
    """Trees as rows, for a causal language model, and where each sequence lies in them."""

    input_ids: Tensor  # [rows, longest], padded on the right with 0
    positions: Tensor  # [rows, longest], depths in the tree
    visible: Tensor  # [rows, 1, longest, longest], bool: column i attends to column j
    paths: tuple[Tensor, ...]  # of each sequence, the places of its tokens in the flattened rows


def pack(rows: Sequence[Tree]) -> Packed:
    """Lay out trees that together hold the sequences 0, 1, ..., each once."""
    longest = max(len(tree.tokens) for tree in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    positions = torch.zeros_like(ids)
    visible = torch.eye(longest, dtype=torch.bool).repeat(len(rows), 1, 1)  # padding has to see something: itself
    places: dict[int, Tensor] = {}
    for row, tree in enumerate(rows):
        ids[row, : len(tree.tokens)] = torch.tensor(tree.tokens)
        for member, nodes in tree.paths.items():
            path = torch.tensor(nodes)
            positions[row, path] = torch.arange(len(path))
            visible[row, path[:, None], path] = torch.ones(len(path), len(path), dtype=torch.bool).tril()
            places[member] = path + row * longest
    return Packed(ids, positions, visible[:, None], tuple(places[member] for member in range(len(places))))


def lay_out(sequences: Sequence[Tokens], shared: bool) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
    """A batch for a causal language model.

    Args:
        sequences: token ids.
        shared: whether sequences that begin alike lie in one row; else each has a row of its own.

    Returns:
        What the model takes; of each sequence, the places of its tokens in the flattened rows.
    """
    if not shared:  # a causal model needs no mask for rows padded on the right
        ids, lengths = pad(sequences, 0)
        paths = (torch.arange(length) + row * ids.shape[1] for row, length in enumerate(lengths.tolist()))
        return {"input_ids": ids}, tuple(paths)
    packed = pack(grown_into_rows(sequences, _ROW_TOKENS))
    taken = {"input_ids": packed.input_ids, "attention_mask": packed.visible, "position_ids": packed.positions}
    return taken, packed.paths

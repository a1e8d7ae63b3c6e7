import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mucode.training.tree import grow, grown_into_rows, pack

pytestmark = pytest.mark.slow  # imports torch

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=7).map(tuple), min_size=1, max_size=6)


def seen_from(visible: torch.Tensor, row: int, column: int) -> list[int]:
    return visible[row, 0, column].nonzero().flatten().tolist()


@given(SEQUENCES, st.integers(1, 20))
def test_every_token_sees_what_precedes_it_in_its_own_sequence_and_stands_where_it_stood(
    sequences: list[tuple[int, ...]], row_tokens: int
) -> None:
    packed = pack(grown_into_rows(sequences, row_tokens))
    longest = packed.input_ids.shape[1]
    for sequence, path in zip(sequences, packed.paths, strict=True):
        assert packed.input_ids.flatten()[path].tolist() == list(sequence)
        assert packed.positions.flatten()[path].tolist() == list(range(len(sequence)))
        row = int(path[0]) // longest
        for at, place in enumerate(path.tolist()):
            assert seen_from(packed.visible, row, place % longest) == [
                each % longest for each in path[: at + 1].tolist()
            ]


@given(SEQUENCES)
def test_a_beginning_is_held_once_however_many_sequences_have_it(sequences: list[tuple[int, ...]]) -> None:
    beginnings = {sequence[:length] for sequence in sequences for length in range(1, len(sequence) + 1)}
    assert len(grow(sequences, range(len(sequences))).tokens) == len(beginnings)


@given(SEQUENCES, st.integers(1, 20))
def test_rows_hold_each_sequence_once_and_keep_to_their_size(sequences: list[tuple[int, ...]], row_tokens: int) -> None:
    rows = grown_into_rows(sequences, row_tokens)
    assert sorted(member for tree in rows for member in tree.paths) == list(range(len(sequences)))
    assert all(len(tree.tokens) <= max(row_tokens, *map(len, sequences)) for tree in rows)


def test_sequences_that_share_come_into_one_row() -> None:
    rows = grown_into_rows([(1, 2, 3), (9, 9, 9), (1, 2, 4)], 4)
    assert [sorted(tree.paths) for tree in rows] == [[0, 2], [1]]

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.training.order import GroupedOrder, dealt

pytestmark = pytest.mark.slow  # imports torch

LENGTHS = st.lists(st.integers(1, 5), min_size=1, max_size=12)


def groups(lengths: list[int]) -> list[list[int]]:
    starts = [sum(lengths[:at]) for at in range(len(lengths))]
    return [list(range(start, start + length)) for start, length in zip(starts, lengths, strict=True)]


@given(LENGTHS, st.integers(1, 6), st.integers(0, 3))
def test_every_example_comes_once(lengths: list[int], size: int, seed: int) -> None:
    assert sorted(dealt(groups(lengths), size, random.Random(seed))) == list(range(sum(lengths)))


def test_groups_stay_whole_where_they_fit() -> None:
    order = dealt(groups([3, 1, 3, 1, 2, 2]), 4, random.Random(0))
    batches = [order[at : at + 4] for at in range(0, len(order), 4)]
    for group in groups([3, 1, 3, 1, 2, 2]):
        assert sum(bool(set(group) & set(batch)) for batch in batches) == 1


def test_a_group_larger_than_a_batch_fills_batches() -> None:
    order = dealt([[0, 1, 2, 3, 4, 5]], 3, random.Random(0))
    assert sorted((order[:3], order[3:])) == [[0, 1, 2], [3, 4, 5]]


def test_each_epoch_has_an_order_of_its_own_and_a_rerun_has_the_same() -> None:
    first, again = (GroupedOrder(groups([1] * 20), 4, seed=7) for _ in range(2))
    epochs = [list(first), list(first)]
    assert epochs[0] != epochs[1]
    assert epochs == [list(again), list(again)]
    assert len(first) == 20
    assert list(GroupedOrder(groups([1] * 20), 4, seed=8)) != epochs[0]

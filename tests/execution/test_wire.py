"""Every plain value crosses the wire exactly, and nothing else decodes."""

from __future__ import annotations

import array
import datetime
import json
import math
import socket
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.execution.channel import Channel
from mucode.execution.clock import Clock
from mucode.execution.inside import frames
from mucode.execution.inside.plain import Decoder, Encoder, record_classes

Point = namedtuple("Point", "x y")

_TEXT = st.text(st.characters(codec=None, exclude_categories=()))  # surrogates too
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(min_value=1 << 990, max_value=1 << 1100), st.floats(),
    st.complex_numbers(), _TEXT, st.binary(), st.builds(bytearray, st.binary()), st.decimals(), st.fractions(),
    st.datetimes(timezones=st.sampled_from([None, datetime.UTC])), st.dates(), st.times(), st.timedeltas(),
    st.builds(range, st.integers(), st.integers(), st.integers(min_value=1)), st.sampled_from([int, str, list, object]),
)  # fmt: skip
_KEYS = st.one_of(
    st.none(), st.integers(), _TEXT, st.binary(), st.tuples(st.integers(), _TEXT), st.frozensets(st.integers())
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    mapping = st.dictionaries(_KEYS, inner, max_size=4)
    return st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), mapping, mapping.map(OrderedDict),
        mapping.map(lambda pairs: defaultdict(int, pairs)), st.dictionaries(_KEYS, st.integers(), max_size=4).map(Counter),
        st.sets(_KEYS, max_size=4), st.frozensets(_KEYS, max_size=4), st.builds(Point, inner, inner),
        st.builds(deque, st.lists(inner, max_size=4), st.one_of(st.none(), st.integers(0, 9))),
    )  # fmt: skip


def across(value: Any) -> Any:
    def refuse(other: Any) -> Any:
        raise AssertionError(f"not plain: {other!r}")

    packed = frames.pack(Encoder(refuse).encode(value))
    return Decoder({}).decode(frames.unpack(packed[frames.HEADER :]))


def same(a: Any, b: Any) -> bool:  # noqa: PLR0911  # a case for each kind of value
    """Equal in type, value, order and sign."""
    if isinstance(a, tuple) and hasattr(a, "_fields"):
        return type(b).__name__ == type(a).__name__ and a._fields == b._fields and same(tuple(a), tuple(b))
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, dict):
        return len(a) == len(b) and all(map(same, a.keys(), b.keys())) and all(map(same, a.values(), b.values()))
    if isinstance(a, (list, tuple, deque)):
        return len(a) == len(b) and all(map(same, a, b)) and getattr(a, "maxlen", 0) == getattr(b, "maxlen", 0)
    if isinstance(a, Decimal):
        return bool(a.as_tuple() == b.as_tuple())
    if isinstance(a, (datetime.datetime, datetime.time)):
        return bool(a == b and a.tzinfo == b.tzinfo and a.fold == b.fold)
    return bool(a == b)


@given(st.recursive(_SCALARS, _containers, max_leaves=12))
def test_every_plain_value_comes_back_exactly(value: Any) -> None:
    assert same(value, across(value))


@given(
    st.sampled_from(["<i8", "<f4", "|b1", "<u2", "<c16", "|i1"]),
    st.lists(st.integers(0, 3), max_size=3),
    st.binary(max_size=8),
)
def test_arrays_come_back_exactly(dtype: str, shape: list[int], seed: bytes) -> None:
    value = np.resize(np.frombuffer(seed.ljust(16, b"\1"), dtype=np.uint8), shape).astype(dtype)
    result = across(value)
    assert (result.dtype, result.shape, result.tobytes()) == (value.dtype, value.shape, value.tobytes())
    if value.size:
        assert type(across(value.reshape(-1)[0])) is type(value.reshape(-1)[0])


def test_views_and_typed_arrays_come_back() -> None:
    assert across({1: 2, 3: 4}.keys()) == {1, 3}
    assert across({1: 2}.items()) == {(1, 2)}
    assert across(array.array("d", [1.5, 2.5])) == array.array("d", [1.5, 2.5])
    assert math.isnan(across([math.nan])[0])


def test_an_ordered_dictionary_keeps_the_order_that_it_was_given() -> None:
    value = OrderedDict.fromkeys("abc")
    value.move_to_end("a")
    assert list(across(value)) == ["b", "c", "a"]


def test_records_of_one_name_and_fields_are_of_one_class() -> None:
    record: Any = namedtuple
    form = Encoder(str).encode([Point(1, 2), Point(3, 4), record("Point", "x z")(1, 2)])
    one, like, other = Decoder({}, record_class=record_classes()).decode(form)
    assert type(one) is type(like) is not type(other)
    assert other._fields == ("x", "z")


def test_shared_and_cyclic_structure_survives() -> None:
    row = [1]
    grid = across([row, row, {"row": row}])
    assert grid[0] is grid[1] is grid[2]["row"]
    ring: list[Any] = [1]
    ring.append(ring)
    copy = across(ring)
    assert copy[1] is copy


def test_subclasses_are_not_plain() -> None:
    class Int(int):
        pass

    class Items(list):  # type: ignore[type-arg]
        pass

    class Liar(Point):
        pass

    for value in (Int(1), Items(), Liar(1, 2), object(), len, NotImplemented, np.array([object()], dtype=object)):
        with pytest.raises((AssertionError, frames.WireError)):
            across(value)


@pytest.mark.parametrize(
    "form",
    [
        {"unknown": 1}, {"a": 1, "b": 2}, {}, {"&": 0}, {"&": -1}, {"&": True}, {"i": 5}, {"i": "x"}, {"t": 5}, {"d": [1]},
        {"d": [[1], 2]}, {"s": [[1]]}, {"c": ["x", 1]}, {"r": ["0x1", "0x2", "0x0"]}, {"F": ["0x1", "0x0"]}, {"D": 5},
        {"D": "x"}, {"dt": ["x", 0]}, {"td": ["x"]}, {"q": [-1, []]}, {"dd": [[], []]}, {"o": ["Node", []]}, {"h": 1},
        {"np": ["|O", [1], ""]}, {"np": ["<i8", [3], "AAAA"]}, {"np": ["<i8", [-1], ""]}, {"np": ["<i8", ["x"], ""]},
        {"ns": ["|V8", "AAAAAAAAAAA="]}, {"nt": ["P", ["x", "x"], [1, 2]]}, {"nt": ["P", ["_x"], [1]]}, {"ty": "type"},
        {"nt": ["__import__('os')", ["x"], [1]]}, {"nt": ["P", ["x y"], [1]]}, {"array": ["u", "xxxx"]}, {"b": "\u1234"},
        {"array": ["d", "x"]}, {"m": ["os", "system"]}, {"cb": 0}, {"ba": 5}, {"di": [[1], 2]}, {"f": [{"d": []}]},
    ],
)  # fmt: skip
def test_a_form_that_no_encoder_writes_is_refused(form: Any) -> None:
    with pytest.raises(frames.WireError):
        Decoder({}).decode(form)


@given(st.binary(max_size=60) | _TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_that_are_no_message_are_refused_and_harm_nobody(body: bytes) -> None:
    try:
        expected = json.loads(body.decode("utf-8", "surrogatepass"))
    except ValueError:
        with pytest.raises(frames.WireError):
            frames.unpack(body)
    else:
        assert same(frames.unpack(body), expected)


def test_a_message_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(frames.WireError):
        frames.unpack(b"[" * 200_000 + b"]" * 200_000)


@pytest.mark.parametrize("depth", [0, 3000])
@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), (0.0, -0.0), ([{"t": [0]}], [{"t": [False]}]), ("a", "b")]
)
def test_what_is_equal_and_not_the_same_is_told_apart(one: Any, other: Any, depth: int) -> None:
    def nested(value: Any) -> Any:
        for _ in range(depth):
            value = [value]
        return value

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 2 * depth)
    try:
        assert frames.same(nested(one), nested(one))
        assert not frames.same(nested(one), nested(other))
    finally:
        sys.setrecursionlimit(limit)


def test_a_message_above_the_cap_is_refused() -> None:
    with pytest.raises(frames.TooLong):
        frames.pack("x" * (frames.MAX_MESSAGE + 1))


_NO_ROOM = """
import resource, socket
from mucode.execution.channel import Channel, Ended
from mucode.execution.clock import Clock
body = b"[" + (b"[" * 20 + b"]" * 20 + b",") * 50_000 + b"0]"
ours, theirs = socket.socketpair()
channel = Channel(ours, Clock(60.0, lambda: 0.0), theirs.fileno())
channel.data += len(body).to_bytes(4, "big") + body
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (32 << 20), held + (32 << 20)))
try:
    channel.receive()
except Ended as end:
    print(end.status, end.reason)
"""


def test_a_message_that_takes_more_memory_than_there_is_ends_the_conversation() -> None:
    done = subprocess.run([sys.executable, "-c", _NO_ROOM], capture_output=True, text=True, check=True)
    assert done.stdout == "memory a result that is too large\n"


def test_a_deadline_far_away_is_waited_for_in_parts() -> None:
    (ours, theirs), (lifeline, main) = socket.socketpair(), socket.socketpair()
    with ours, theirs, lifeline, main:
        theirs.send(frames.pack([1]))
        assert Channel(ours, Clock(1e9, lambda: 0.0), lifeline.fileno()).receive() == [1]

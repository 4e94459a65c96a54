"""Packed items against the tuples that they stand for."""

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from lasasr.data.packed import Packed, PackedBytes, PackedIds, PackedStrings, Packing

ITEMS: list[tuple[type[Packed[Any]], Sequence[Any]]] = [
    (PackedStrings, ("", "été", "two words", "", "\U0001f600", "\udcff")),  # the last: of a file's name, not of UTF-8
    (PackedBytes, (b"{}", b"", b"\x00\xff")),
    (PackedIds, ([4, 5, 2**31 - 1], [], [7])),
]


@pytest.mark.parametrize(("kind", "items"), ITEMS)
def test_packed_items_are_the_items(kind: type[Packed[Any]], items: Sequence[Any]) -> None:
    packed = kind.of(items)
    assert list(packed) == list(items) == [packed[index] for index in range(len(items))]
    assert packed[-1] == items[-1]
    assert len(packed) == len(items)
    assert packed == items
    assert packed != items[:-1]
    assert list(reversed(packed)) == list(reversed(items))
    assert items[0] in packed
    for start in range(len(items) + 1):
        for stop in range(start, len(items) + 1):
            part = packed[start:stop]
            assert list(part) == list(items[start:stop]) == [part[index] for index in range(len(part))]
            assert list(part[:1]) == list(items[start:stop][:1])
            assert part.sizes.tolist() == np.diff(packed.ends, prepend=0)[start:stop].tolist()
    with pytest.raises(IndexError):
        packed[len(items)]
    with pytest.raises(ValueError, match="one after another"):
        packed[::2]


@pytest.mark.parametrize(("kind", "items"), ITEMS)
def test_packed_items_reach_a_process_that_was_spawned(kind: type[Packed[Any]], items: Sequence[Any]) -> None:
    assert list(pickle.loads(pickle.dumps(kind.of(items)))) == list(items)


@pytest.mark.parametrize("kind", [PackedStrings, PackedBytes, PackedIds])
def test_nothing_packed(kind: type[Packed[Any]]) -> None:
    assert list(kind.of(())) == []
    assert len(Packing(kind).packed()) == 0


def test_more_items_than_are_unpacked_at_once() -> None:
    items = [str(number) for number in range(40_000)]
    assert list(PackedStrings.of(items)) == items

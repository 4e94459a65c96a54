"""Arrays that are kept: what is read is what was computed, or it is computed again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lasasr.data import derived
from lasasr.data.derived import Arrays

ARRAYS: dict[str, Any] = {
    "bytes": np.arange(5, dtype=np.uint8),
    "ids": np.array([-1, 7], dtype=np.int32),
    "ends": np.array([2**40], dtype=np.int64),
    "keys": np.array([2**63], dtype=np.uint64),
    "seconds": np.array([0.1, 1e300]),
    "table": np.arange(6, dtype=np.uint8).reshape(3, 2),
    "flags": np.array([True, False]),
    "none": np.zeros(0, dtype=np.int64),
}


class Computing:
    """Counts how often it computes."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Arrays:
        self.times += 1
        return ARRAYS


def same(arrays: Arrays) -> bool:
    return set(arrays) == set(ARRAYS) and all(
        arrays[name].dtype == value.dtype and np.array_equal(arrays[name], value) for name, value in ARRAYS.items()
    )


def test_what_is_kept_is_what_was_computed(tmp_path: Path) -> None:
    path, compute = tmp_path / "kept.safetensors", Computing()
    for _ in range(3):
        arrays = derived.stored_or_computed(path, {"from": 1}, compute)
        assert same(arrays)
    assert compute.times == 1
    assert isinstance(arrays["ids"], np.memmap)  # its pages are shared, and nobody can write to them
    with pytest.raises(ValueError, match="read-only"):
        arrays["ids"][0] = 3


def test_it_is_computed_again_where_it_was_made_from_something_else(tmp_path: Path) -> None:
    path, compute = tmp_path / "kept.safetensors", Computing()
    for made_from in ({"from": 1}, {"from": 2}, {"from": 1}):
        derived.stored_or_computed(path, made_from, compute)
    assert compute.times == 3


def test_every_flipped_byte_of_the_content_is_seen(tmp_path: Path) -> None:
    path, compute = tmp_path / "kept.safetensors", Computing()
    derived.stored_or_computed(path, 1, compute)
    whole = path.read_bytes()
    begin = 8 + int.from_bytes(whole[:8], "little")
    places = [0, 9, 40, *range(begin, len(whole))]
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert same(derived.stored_or_computed(path, 1, compute))
    assert compute.times == 1 + len(places)


@pytest.mark.parametrize(
    "kept", [b"", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0{}", b"\x04\0\0\0\0\0\0\0null", b"PK\x03\x04 zip"]
)
def test_what_is_no_such_file_is_computed_again(tmp_path: Path, kept: bytes) -> None:
    path, compute = tmp_path / "kept.safetensors", Computing()
    path.write_bytes(kept)
    assert same(derived.stored_or_computed(path, 1, compute))
    assert compute.times == 1
    assert same(derived.stored_or_computed(path, 1, compute))
    assert compute.times == 1


@pytest.mark.parametrize("size", [4, 30, 300])
def test_a_file_that_was_cut_off_is_computed_again(tmp_path: Path, size: int) -> None:
    path, compute = tmp_path / "kept.safetensors", Computing()
    derived.stored_or_computed(path, 1, compute)
    path.write_bytes(path.read_bytes()[:-size])
    assert same(derived.stored_or_computed(path, 1, compute))
    assert compute.times == 2


def test_where_nothing_can_be_written_it_is_computed_every_time(tmp_path: Path) -> None:
    compute = Computing()
    (tmp_path / "file").touch()
    for _ in range(2):
        assert same(derived.stored_or_computed(tmp_path / "file" / "kept.safetensors", 1, compute))
    assert compute.times == 2


def test_stamps(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert derived.stamps([path]) == {"a": None}
    path.write_text("1")
    first = derived.stamps([path])
    os.utime(path, ns=(1, 1))
    assert derived.stamps([path]) != first

"""safetensors files: the library reads what is written; what cannot be written is an error of the system."""

from __future__ import annotations

import errno
import resource
import signal
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import numpy as of_arrays
from safetensors import safe_open
from safetensors.torch import load_file

from lasasr.artifacts import tensor_file


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files of at most 500 bytes, as `ulimit -f` gives them."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize(
    ("save", "value"), [(tensor_file.save, torch.zeros(1000)), (tensor_file.save_arrays, np.zeros(1000))]
)
def test_a_limit_of_the_system_is_its_error_with_the_file(
    tmp_path: Path, save: Callable[..., None], value: Any
) -> None:
    with pytest.raises(OSError, match="File too large") as raised:
        save({"a": value}, tmp_path / "a.safetensors", {})
    assert raised.value.errno == errno.EFBIG
    assert raised.value.filename == str(tmp_path / "a.safetensors")


def test_tensors_are_read_again(tmp_path: Path) -> None:
    tensor_file.save({"a": torch.arange(3)}, tmp_path / "a.safetensors", {"key": "value"})
    assert load_file(tmp_path / "a.safetensors")["a"].tolist() == [0, 1, 2]


def test_the_library_reads_arrays_as_its_own(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    arrays: dict[str, NDArray[Any]] = {
        name: (100 * random.random((3, 2))).astype(dtype) for name, dtype in tensor_file.DTYPES.items()
    }
    arrays |= {"none": np.zeros((0, 4), np.uint8), "scalar": np.array(7), "é": np.arange(5, dtype=np.uint8)}
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors"
    tensor_file.save_arrays(arrays, ours, {"key": 'vä"lue'})
    of_arrays.save_file(arrays, theirs, {"key": 'vä"lue'})
    assert ours.stat().st_size - _header_bytes(ours) == theirs.stat().st_size - _header_bytes(theirs)
    assert _header_bytes(ours) % 8 == 0
    with safe_open(ours, "np") as read, safe_open(theirs, "np") as expected:
        assert read.metadata() == expected.metadata()
        assert sorted(read.keys()) == sorted(expected.keys())
        for name in arrays:
            np.testing.assert_array_equal(read.get_tensor(name), arrays[name], strict=True)


def test_arrays_are_written_without_a_copy(tmp_path: Path) -> None:
    arrays = {"a": np.zeros(1 << 22, np.uint8)}
    tracemalloc.start()
    try:
        tensor_file.save_arrays(arrays, tmp_path / "a.safetensors", {})
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def _header_bytes(path: Path) -> int:
    with path.open("rb") as file:
        return int.from_bytes(file.read(8), "little")

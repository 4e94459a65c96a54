"""A safetensors file that cannot be written is an error of the system, whichever kind of tensors it was to hold."""

from __future__ import annotations

import errno
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
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
@pytest.mark.parametrize("value", [torch.zeros(1000), np.zeros(1000)], ids=["tensor", "array"])
def test_a_limit_of_the_system_is_its_error_with_the_file(tmp_path: Path, value: Any) -> None:
    with pytest.raises(OSError, match="File too large") as raised:
        tensor_file.save({"a": value}, tmp_path / "a.safetensors")
    assert raised.value.errno == errno.EFBIG
    assert raised.value.filename == str(tmp_path / "a.safetensors")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    tensor_file.save({"a": np.arange(3)}, tmp_path / "a.safetensors")
    tensor_file.save({"a": torch.arange(3)}, tmp_path / "b.safetensors", {"key": "value"})
    for name in "ab":
        assert load_file(tmp_path / f"{name}.safetensors")["a"].tolist() == [0, 1, 2]

"""Threads and precision, where the configuration leaves them open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from lasasr.training import machine


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("asked", "variable", "cores", "expected"),
    [(3, None, 8, 3), (3, "2", 8, 3), (None, "2", 8, 2), (None, None, 8, 4), (None, None, 2, 1), (None, None, 1, 1)],
)
def test_threads(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, variable: str | None, cores: int, expected: int
) -> None:
    monkeypatch.setattr(machine, "cores_per_process", lambda: cores)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert machine.set_threads(asked) == expected == torch.get_num_threads()


@pytest.mark.parametrize("supported", [True, False])
def test_bf16_follows_the_processor(monkeypatch: pytest.MonkeyPatch, supported: bool) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: supported, raising=False)
    assert machine.computes_bf16("cpu") is supported

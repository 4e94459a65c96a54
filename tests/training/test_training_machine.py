"""Threads and precision, where the configuration leaves them open."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from loaded import recognition

from lasasr.configuration.settings import Recognition
from lasasr.errors import UsageError
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
    for used in (True, False):  # by oneDNN
        monkeypatch.setattr(machine, "onednn_computes", lambda dtype, used=used: used)
        assert machine.computes_bf16("cpu") is (supported and used)


def configured(precision: object, bf16_if_fast: bool = False) -> Recognition:
    return recognition(bf16_if_fast=bf16_if_fast, trainer={"precision": precision, "accelerator": "cpu"})


@pytest.mark.parametrize("supported", [True, False])
def test_a_precision_that_was_asked_for_goes_before_a_fast_one(
    monkeypatch: pytest.MonkeyPatch, supported: bool
) -> None:
    monkeypatch.setattr(machine, "computes_bf16", lambda accelerator: supported)
    for asked in machine.PRECISIONS:
        assert machine.precision(configured(asked)) == asked
    fast = [machine.precision(configured(asked, bf16_if_fast=True)) for asked in machine.PRECISIONS]
    assert fast == ["bf16-mixed" if supported else "32-true", "bf16-mixed", "16-mixed"]


@pytest.mark.parametrize("asked", ["64-true", "16-true", "bf16-true", "transformer-engine", "bf16", 32, None])
def test_other_precisions_are_refused_with_those_there_are(asked: object) -> None:
    with pytest.raises(UsageError, match=rf"trainer.precision={asked} is not one of 32-true, bf16-mixed, 16-mixed"):
        machine.precision(configured(asked))


FAULTS = """
import resource, torch
from lasasr.training.machine import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        torch.ones(2**24)  # 64 MiB: glibc learns by itself to keep what is below 32
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
before, kept = faults(), keep_freed_memory()
faults(), faults()  # take what is kept from then on
print(before, kept, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_freed_memory_is_kept() -> None:
    """In a process of its own; a new page that the system hands out is a page fault."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", FAULTS], env=clean, capture_output=True, text=True, check=True)
    before, kept, after = done.stdout.split()
    assert kept == "True"
    assert int(after) < int(before) / 10


def test_what_a_user_says_of_memory_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: pytest.fail("memory is kept"))
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    assert not machine.keep_freed_memory()


@pytest.mark.parametrize(("factor", "expected"), [(0.5, None), (1.0, None), (6.0, 6.0)])
def test_a_precision_that_is_emulated_is_measured(
    monkeypatch: pytest.MonkeyPatch, factor: float, expected: float | None
) -> None:
    """A clock that half precision moves `factor` times as far."""
    clock, product = [0.0], torch.Tensor.__matmul__

    def timed(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        clock[0] += 1.0 if left.dtype == torch.float32 else factor
        return product(left, right)

    monkeypatch.setattr(torch.Tensor, "__matmul__", timed)
    monkeypatch.setattr(machine.time, "process_time", lambda: clock[0])
    for precision in ("bf16-mixed", "16-mixed"):
        assert machine.slowdown(precision, "cpu") == expected
    assert machine.slowdown("32-true", "cpu") is None


def test_what_this_processor_computes_in_is_not_called_slow() -> None:
    if machine.computes_bf16("cpu"):
        assert machine.slowdown("bf16-mixed", "cpu") is None

"""Every shipped variant keeps every promise of the contract."""

from __future__ import annotations

import pytest
import torch
from attend_variants import PRESETS, VARIANTS, factory

from lasasr.attend.conformance import PROMISES, check
from lasasr.attend.trial import Trial
from lasasr.attend.trial_numerics import compiled

COMPILES = "the same under torch.compile, in one graph"
FAMILIES = ["location", "coverage", "gmm", "mocha"]  # compiling takes seconds; the rest of them in the slow tests


@pytest.mark.parametrize("name", VARIANTS + PRESETS)
def test_keeps_every_promise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    promises = {promise: attempt for promise, attempt in PROMISES.items() if promise != COMPILES}
    monkeypatch.setattr("lasasr.attend.conformance.PROMISES", promises)
    assert [finding for finding in check(factory(name)) if not finding.kept] == []


@pytest.mark.parametrize("name", FAMILIES)
def test_compiles(name: str) -> None:
    assert compiled(Trial(factory(name)), "aot_eager").kept


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiles_with(name: str, backend: str) -> None:
    measured = compiled(Trial(factory(name)), backend)
    assert measured.kept, measured


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", VARIANTS)
def test_keeps_every_promise_on_cuda(name: str) -> None:
    assert [finding for finding in check(factory(name), "cuda") if not finding.kept] == []

"""The dev error rate of several ranks counts each utterance once, whichever of them decoded it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from training_tiny import training

from lasasr.metrics.error_rates import Counts
from lasasr.training import module as module_file


def outcome(name: str, errors: int) -> Any:
    """Of an utterance of ten words."""
    counts = Counts(substitutions=errors, reference_length=10)
    return SimpleNamespace(id=name, counts=counts, characters=counts)


def test_an_utterance_that_two_ranks_decoded_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ranks have a different number of batches, samplers of others give some utterances to two of them."""
    here, there = [outcome("a", 0), outcome("b", 10)], [outcome("c", 2), outcome("b", 10)]

    def all_gather_object(gathered: list[Any], mine: Any) -> None:
        gathered[:] = [mine, there if mine is here else mine]

    module, logged = training(), dict[str, float]()
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_gather_object", all_gather_object)
    monkeypatch.setattr(module_file, "alignment", lambda outcomes: None)
    monkeypatch.setattr(type(module), "trainer", SimpleNamespace(world_size=2))
    monkeypatch.setattr(module, "log", lambda name, value, **options: logged.update({name: value}))
    monkeypatch.setattr(module, "observe", lambda rate: logged.update(observed=rate))
    module.outcomes = here
    module.on_validation_epoch_end()
    assert [each.id for each in module.outcomes] == ["a", "b", "c"]
    assert logged["dev/wer"] == logged["dev/cer"] == logged["observed"] == 40.0

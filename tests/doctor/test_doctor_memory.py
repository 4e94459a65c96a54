"""The probe of the worst batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from doctor_children import gone, killed, wrong
from doctor_corpus import Corpus

from lasasr.data.packed import PackedIds
from lasasr.data.sampler import Batching, BucketBatches
from lasasr.data.tokens import Tokens
from lasasr.doctor import batches, memory
from lasasr.doctor.batches import Shape
from lasasr.errors import LasasrError
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import prepare
from lasasr.training.run import training_module


def test_the_probe_makes_one_update_of_every_weight(tmp_path: Path) -> None:
    settings = Corpus(tmp_path).settings("optimizer.lr=0.1")
    prepared = prepare(settings, lambda task, done, total: None)
    recognizer = Recognizer.build(factory.model_parts(settings), prepared.tokenizer, "none/1")
    before = {name: value.clone() for name, value in recognizer.named_parameters()}
    module = training_module(settings, prepared, recognizer)
    batch = memory.noise(Shape(3, 1.25, 7), recognizer)
    assert batch.waveforms.shape == (3, 20_000)
    assert batch.tokens.shape == (3, 7)
    memory.update(module, torch.optim.SGD(module.parameters(), lr=0.1), batch, settings)
    unmoved = [name for name, value in recognizer.named_parameters() if torch.equal(value, before[name])]
    assert unmoved == []


@pytest.mark.parametrize(("child", "outcome"), [(killed, None), (wrong, "a broken layer"), (gone, "status 3")])
def test_a_child_that_dies_does_not_take_us_with_it(
    monkeypatch: pytest.MonkeyPatch, child: Callable[..., None], outcome: str | None
) -> None:
    monkeypatch.setattr(memory, "_child", child)
    nothing: Any = ()  # a Shape would have its process import torch
    if outcome is None:
        assert memory.probe({}, nothing) is None
    else:
        with pytest.raises(LasasrError, match=outcome):
            memory.probe({}, nothing)


def test_no_batch_of_any_epoch_is_larger_than_the_worst(tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(0)
    durations_s = (1 + 9 * torch.rand(97, generator=random)).double().numpy()
    texts = [[4] * int(8 * duration) for duration in durations_s]
    tokens = Tokens(PackedIds.of(texts), np.zeros(len(texts), dtype=np.bool_))
    utterances: Any = type("Utterances", (), {"durations_s": durations_s})
    sampler = BucketBatches(durations_s, Batching(16, 60.0, 6), seed=1)
    found = batches.batches(utterances, tokens, sampler, stretch=1.0)
    real = padded = spelled = heard = 0.0
    for epoch in range(20):
        for members in sampler.batches(epoch):
            longest, text = max(durations_s[list(members)]), max(len(texts[index]) for index in members)
            spelled = max(spelled, len(members) * longest * (1 + text))
            heard = max(heard, len(members) * longest)
            if epoch < 3:
                real, padded = real + sum(durations_s[list(members)]), padded + len(members) * longest
    assert max(one.utterances * one.audio_s * (1 + one.tokens) for one in found.worst) >= spelled
    assert max(one.utterances * one.audio_s for one in found.worst) >= heard
    assert all(one.audio_s <= max(durations_s) for one in found.worst)
    assert found.padding == pytest.approx(1 - real / padded)
    assert found.per_rank == len(sampler)


def test_speed_perturbation_makes_the_worst_batch_longer(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    assert batches.stretch(corpus.settings()) == 1.0
    assert batches.stretch(corpus.settings("augment=speed")) == pytest.approx(1 / 0.9)

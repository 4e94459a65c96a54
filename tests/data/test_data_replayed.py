"""Replay: every utterance of the first corpus once an epoch, the second in passes, shares kept, resumed as it was."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from data_corpus import Letters, write_corpus
from quiet import QUIET
from test_data_datamodule import EPOCHS, Recorder

from lasasr.data.datamodule import SpeechDataModule
from lasasr.data.manifest import Utterances, read_manifest
from lasasr.data.replayed import ReplayedBatches, drawn_of
from lasasr.data.sampler import Batching, Request
from lasasr.errors import LasasrError, UsageError
from lasasr.text import special

RANDOM = np.random.default_rng(3)
OWN_S, SECOND_S = RANDOM.gamma(4.0, 1.0, 151) + 0.3, RANDOM.gamma(4.0, 2.0, 70) + 0.3  # the second has longer ones
OWN = len(OWN_S)
BATCHING = Batching(max_utterances=16, batch_seconds=80.0, buckets=6)


def batches(ratio: float, world_size: int = 1, rank: int = 0) -> ReplayedBatches:
    return ReplayedBatches(OWN_S, SECOND_S, ratio, BATCHING, 1, world_size, world_size, rank)


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.8])
def test_the_first_corpus_once_an_epoch_and_the_second_equally_often(ratio: float) -> None:
    plan, drawn = batches(ratio), Counter[int]()
    for epoch in range(5):
        indices = [index for batch in plan.batches(epoch) for index in batch]
        assert sorted(index for index in indices if index < OWN) == list(range(OWN))
        drawn.update(index - OWN for index in indices if index >= OWN)
        counts = [drawn[index] for index in range(len(SECOND_S))]
        assert max(counts) - min(counts) <= 1
    assert sum(drawn.values()) == 5 * drawn_of(OWN, ratio)


@pytest.mark.parametrize("ratio", [0.25, 0.5])
def test_every_batch_has_its_share_within_one_utterance(ratio: float) -> None:
    for batch in batches(ratio).batches(2):
        own = sum(index < OWN for index in batch)
        assert abs(len(batch) - own - own * ratio / (1.0 - ratio)) <= 1.0


def test_batches_stay_near_their_budget_and_hold_little_padding() -> None:
    both = np.concatenate([OWN_S, SECOND_S])
    padded = np.array([len(batch) * both[list(batch)].max() for batch in batches(0.5).batches(0)])
    real = sum(both[list(batch)].sum() for batch in batches(0.5).batches(0))
    assert padded.max() <= 1.3 * 80.0
    random = np.random.default_rng(0)  # of the same sizes, put together without regard to their lengths
    shuffled = sum(
        len(batch) * both[list(random.permutation(len(both))[: len(batch)])].max() for batch in batches(0.5).batches(0)
    )
    assert padded.sum() < 1.4 * real < shuffled


def test_ranks_divide_the_same_batches() -> None:
    one = batches(0.5, 2, 0)
    shares = [list(batches(0.5, 2, rank)) for rank in (0, 1)]
    joined = [request.indices for pair in zip(*shares, strict=True) for request in pair]
    assert joined == one.batches(0)
    assert one.batches(0) != one.batches(1)


def test_shards_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"adapt=replay .* batching\.shards_at_once"):
        ReplayedBatches(OWN_S, SECOND_S, 0.5, Batching(4, shards_at_once=2))


@pytest.fixture
def manifests(tmp_path: Path) -> dict[str, Path]:
    written = {}
    for split, samples in (("train", (1600, 3200, 2000, 2400, 1000)), ("replay", (900, 4000, 2100))):
        (tmp_path / split).mkdir()
        written[split] = write_corpus(tmp_path / split, *samples)
    return written | {"dev": written["train"]}


def data_module(manifests: dict[str, Path], content: str = "a") -> SpeechDataModule:
    read: dict[str, Utterances] = {split: read_manifest(path, str) for split, path in manifests.items()}
    module = SpeechDataModule(read.__getitem__, Letters(), Batching(4), seed=1, replay_ratio=0.4)
    module.content = {"train": "t", "dev": "d", "replay": content}
    return module


def fit(module: Recorder, data: SpeechDataModule, checkpoint: Path | None = None) -> None:
    pl.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        **QUIET,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    ).fit(module, data, ckpt_path=checkpoint, weights_only=True)


def test_a_batch_holds_the_audio_and_texts_of_both(manifests: dict[str, Path]) -> None:
    data = data_module(manifests)
    data.setup("fit")
    dataset = data.dataset("train")
    parts = [data.dataset("train").own, data.dataset("replay")]  # type: ignore[union-attr]
    batch, own, second = dataset[Request(0, (1, 4, 6))], parts[0][Request(0, (1, 4))], parts[1][Request(0, (1,))]
    for row, (whole, index) in enumerate([(own, 0), (own, 1), (second, 0)]):
        samples, tokens = int(whole.waveform_lengths[index]), int(whole.token_lengths[index])
        assert int(batch.waveform_lengths[row]) == samples
        assert torch.equal(batch.waveforms[row, :samples], whole.waveforms[index, :samples])
        assert not batch.waveforms[row, samples:].any()
        assert torch.equal(batch.tokens[row, :tokens], whole.tokens[index, :tokens])
        assert (batch.tokens[row, tokens:] == special.PAD).all()
        assert (batch.ids[row], batch.texts[row]) == (whole.ids[index], whole.texts[index])


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_run_sees_what_one_that_was_not_interrupted_sees(manifests: dict[str, Path], tmp_path: Path) -> None:
    whole = Recorder(tmp_path)
    fit(whole, data_module(manifests))
    for checkpoint in sorted(tmp_path.glob("*-batch.ckpt")):
        rest = Recorder()
        fit(rest, data_module(manifests), checkpoint)
        done = int(checkpoint.name[:2])
        assert rest.seen == whole.seen[done:]


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_of_another_second_corpus_is_refused(manifests: dict[str, Path], tmp_path: Path) -> None:
    fit(Recorder(tmp_path), data_module(manifests))
    checkpoint = sorted(tmp_path.glob("*-batch.ckpt"))[0]
    with pytest.raises(LasasrError, match=r"other data \(replay: content a, not b\)"):
        fit(Recorder(), data_module(manifests, "b"), checkpoint)

"""A recognizer and batches so small that an update takes milliseconds."""

from __future__ import annotations

import functools
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from quiet import QUIET
from tiny_recognizer import parts
from torch.nn.utils.rnn import pad_sequence

from lasasr.data.batch import Batch, Measured
from lasasr.data.datamodule import BatchDataModule
from lasasr.data.sampler import Batching, Request
from lasasr.losses.joint import JointLoss
from lasasr.models.recognizer import Recognizer
from lasasr.search.greedy import GreedySearch
from lasasr.spell.sampling import Constant
from lasasr.text import special
from lasasr.text.character import CharacterTokenizer
from lasasr.training import schedules
from lasasr.training.checkpoints import WholeFiles
from lasasr.training.interrupt import Interrupt
from lasasr.training.module import Training

TOKENIZER = CharacterTokenizer.train(["abcd"])


def utterance(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    waveform = torch.randn(4000 + 800 * number, generator=generator) * 0.1
    tokens = torch.randint(special.FIRST_TEXT, TOKENIZER.vocabulary_size, (2 + number % 3,), generator=generator)
    return waveform, tokens


def batch(numbers: Sequence[int]) -> Batch:
    waveforms, tokens = zip(*map(utterance, numbers), strict=True)
    return Batch(
        ids=tuple(f"utterance-{number}" for number in numbers),
        speakers=("",) * len(numbers),
        texts=tuple(map(TOKENIZER.decode, (one.tolist() for one in tokens))),
        waveforms=pad_sequence(list(waveforms), batch_first=True),
        waveform_lengths=torch.tensor([len(one) for one in waveforms]),
        tokens=pad_sequence(list(tokens), batch_first=True, padding_value=special.PAD),
        token_lengths=torch.tensor([len(one) for one in tokens]),
    )


def training(ctc_weight: float = 0.4, **changes: Any) -> Training:
    """The module; `changes` replace parts of the configuration."""
    recognizer = Recognizer.build(parts(ctc_weight, **changes), TOKENIZER, "none/1")
    return Training(
        recognizer.searching(GreedySearch()),
        JointLoss(ctc_weight=ctc_weight, label_smoothing=0.1, prior="even"),
        None,
        functools.partial(torch.optim.SGD, lr=0.5),
        functools.partial(schedules.constant, warmup_steps=0),
        Constant(),
        seed=1,
    )


class Utterances(Measured):
    """Eight of them."""

    @property
    def durations_s(self) -> NDArray[np.float64]:
        return np.ones(8)

    def __getitem__(self, request: Request) -> Batch:
        return replace(batch(request.indices), epoch=request.epoch)


class Data(BatchDataModule):
    """Four batches an epoch, of two utterances each; the same for dev."""

    def __init__(self) -> None:
        super().__init__(Batching(2), seed=1)

    def dataset(self, split: str) -> Measured:
        return Utterances()


class SignalAt(pl.Callback):
    """Ctrl-C during an update."""

    def __init__(self, step: int, interrupt: Interrupt) -> None:
        self.step, self.interrupt = step, interrupt

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step - 1:
            self.interrupt.received = signal.SIGINT


def trainer(folder: Path, callbacks: Sequence[pl.Callback], **options: Any) -> pl.Trainer:
    """On the CPU, in silence, writing into `folder`."""
    return pl.Trainer(
        accelerator="cpu",
        callbacks=list(callbacks),
        plugins=[WholeFiles()],
        default_root_dir=folder,
        **QUIET,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **options,
    )

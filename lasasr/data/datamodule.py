"""The data of a run as a Lightning data module; the only file of this package that imports Lightning."""

from __future__ import annotations

import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningDataModule

from lasasr.audio.perturb import Perturbation
from lasasr.data.batch import Batch, Measured
from lasasr.data.content import REPLAY, TRAINING
from lasasr.data.dataset import SpeechDataset, Taught
from lasasr.data.encodings import Kept
from lasasr.data.loader import Loader, Loading
from lasasr.data.manifest import Utterances
from lasasr.data.replayed import ReplayedBatches, ReplayedDataset
from lasasr.data.sampler import Batching, BucketBatches
from lasasr.data.sentences import Sentences, TextDataset
from lasasr.data.tokens import Encodes, Tokens
from lasasr.errors import LasasrError, UsageError

log = logging.getLogger(__name__)
CONTENT = "content"  # in the state of a data module: split → fingerprint


class BatchDataModule(LightningDataModule, ABC):
    """Training and validation batches of one corpus, whatever is in them.

    Rank, number of ranks and accumulated batches are those of the Trainer, which must have
    `use_distributed_sampler=False`. The state dict holds how far the training epoch has come: a run that is continued
    begins with the next batch. Where a checkpoint is saved inside an epoch, save it from `on_train_batch_end` or a
    validation hook; after `Trainer.fit` has returned, Lightning counts a broken-off epoch as a whole one.

    Args:
        batching: how large a training batch is.
        validation: how large a validation batch is; None: as in training.
        loading: workers, prefetch, cache.
        seed: of the run.

    Attributes:
        content: split → fingerprint of what it holds (`data.content`); it is part of the state dict.
    """

    def __init__(
        self, batching: Batching, validation: Batching | None = None, loading: Loading | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        self.content: Mapping[str, str] = {}
        self.batching, self.validation = batching, validation or batching
        self.loading, self.seed = loading or Loading(), seed
        self._datasets: dict[str, Measured] = {}
        self._resume: Mapping[str, int] | None = None

    @abstractmethod
    def dataset(self, split: str) -> Measured:
        """The data of "train" or "dev"; called once for each."""

    def setup(self, stage: str) -> None:
        """Read and check both splits before anything is trained.

        Raises:
            LasasrError: a manifest or a transcript is wrong.
        """
        for split in ("train", "dev"):
            if split not in self._datasets:
                self._datasets[split] = self.dataset(split)

    def train_dataloader(self) -> Loader:
        """Shuffled batches of this rank, perturbed."""
        dataset = self._datasets["train"]
        world_size, rank, per_step = self._ranks()
        batches = self.train_batches(dataset, per_step, world_size, rank)
        self._check_validated(len(batches))
        if self._resume is not None:
            batches.start_from(*_position(self._resume, len(batches), world_size))
        return self._loader(dataset, batches, persistent=True)

    def train_batches(self, dataset: Measured, per_step: int, world_size: int, rank: int) -> BucketBatches:
        """Which of the training data form which batch."""
        shards = None if self.batching.shards_at_once is None else dataset.shards()
        return BucketBatches(dataset.durations_s, self.batching, self.seed, True, per_step, world_size, rank, shards)

    def _check_validated(self, batches: int) -> None:
        """Refuse validations so far apart that an epoch of so many batches has none."""
        trainer = self.trainer
        if trainer is None or trainer.check_val_every_n_epoch is None:
            return
        limit = trainer.limit_train_batches
        of_epoch = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
        interval = trainer.val_check_interval
        if isinstance(interval, int) and interval > of_epoch:
            raise UsageError(
                f"trainer.val_check_interval is {interval} batches, but an epoch has {of_epoch}: take fewer, a part of "
                f"an epoch as 1.0, or count across epochs with trainer.check_val_every_n_epoch=null"
            )

    def val_dataloader(self) -> Loader:
        """Batches of "dev", of this rank, the longest first."""
        dataset = self._datasets["dev"]
        world_size, rank, _ = self._ranks()
        durations_s = dataset.durations_s
        batches = BucketBatches(durations_s, self.validation, self.seed, False, world_size, world_size, rank)
        return self._loader(dataset, batches, persistent=False)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Copy without waiting; the memory is page-locked where that matters."""
        return batch.to(device)

    def state_dict(self) -> dict[str, Any]:
        """The position of training: epoch, batches of it that all ranks together have done, batches of an epoch."""
        if self.trainer is None or self.trainer.train_dataloader is None:
            return {}
        loop = self.trainer.fit_loop
        batch: Any = loop.epoch_loop.batch_progress.current
        done: int = batch.processed
        # the sampler's own count: Lightning's is one behind after a resume from the end of an epoch
        number: int = self.trainer.train_dataloader.sampler.epoch
        if done >= loop.max_batches:  # after the last batch
            done, number = 0, number + 1
        world_size = self.trainer.world_size
        total = len(self.trainer.train_dataloader) * world_size
        position = {"epoch": number, "batches": done * world_size, "batches_per_epoch": total}
        return position | ({CONTENT: dict(self.content)} if self.content else {})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the position of a `state_dict`.

        Raises:
            LasasrError: it is of a training on other data.
        """
        contents = state_dict.get(CONTENT, {})
        for split in ("train", "dev", REPLAY):
            if split in contents and contents[split] != self.content.get(split, contents[split]):
                difference = f"content {contents[split]}, not {self.content[split]}"
                raise LasasrError(f"the checkpoint is of a training on other data ({split}: {difference})")
        self._resume = {name: value for name, value in state_dict.items() if name != CONTENT}
        # not so: the sampler starts from the right batch
        warnings.filterwarnings("ignore", "You're resuming from a checkpoint that ended before the epoch ended")

    def _ranks(self) -> tuple[int, int, int]:
        """(ranks, this one, batches of one optimizer step)."""
        if self.trainer is None:
            return 1, 0, 1
        world_size = self.trainer.world_size
        return world_size, self.trainer.global_rank, world_size * self.trainer.accumulate_grad_batches

    def _loader(self, dataset: Measured, batches: BucketBatches, persistent: bool) -> Loader:
        accelerator = self.trainer is not None and self.trainer.strategy.root_device.type != "cpu"
        processes = 1 if self.trainer is None else self.trainer.num_devices
        workers = self.loading.workers(accelerator, processes)
        pins = self.loading.pins(accelerator)
        return Loader(dataset, batches, workers, self.loading.prefetch, pins, persistent)


class SpeechDataModule(BatchDataModule):
    """Utterances; see `BatchDataModule`.

    Args:
        utterances: name of a split ("train", "dev") → its utterances; called once per split.
        tokenizer: text → ids.
        batching, validation, loading, seed: see `BatchDataModule`.
        perturbations: of the training waveforms.
        sample_rate_hz: of the waveforms handed out.
        kept: split → what the frozen part of the encoder gives; training then reads no audio.
        taught: split → what a teacher says of it.
        tokens: name of a split → the ids of its texts; None: they are made here.
        replay_ratio: the share of each training batch that the split "replay" gives; None: there is none.

    Raises:
        UsageError: a perturbation is for waveforms of another rate.
    """

    def __init__(
        self,
        utterances: Callable[[str], Utterances],
        tokenizer: Encodes,
        batching: Batching,
        validation: Batching | None = None,
        loading: Loading | None = None,
        perturbations: Sequence[Perturbation] = (),
        sample_rate_hz: int = 16_000,
        seed: int = 0,
        kept: Mapping[str, Kept] | None = None,
        taught: Mapping[str, Taught] | None = None,
        tokens: Callable[[str], Tokens] | None = None,
        replay_ratio: float | None = None,
    ) -> None:
        super().__init__(batching, validation, loading, seed)
        self.tokens, self.replay_ratio = tokens, replay_ratio
        self.utterances, self.tokenizer, self.kept, self.taught = utterances, tokenizer, kept or {}, taught or {}
        self.perturbations, self.sample_rate_hz = perturbations, sample_rate_hz
        for number, perturbation in enumerate(perturbations):
            rate_hz = getattr(perturbation, "sample_rate_hz", sample_rate_hz)
            if rate_hz != sample_rate_hz:
                place = f"augment.waveform[{number}].sample_rate_hz={rate_hz}"
                raise UsageError(f"{place}, but the front end reads waveforms of {sample_rate_hz} Hz: set that")

    def dataset(self, split: str) -> SpeechDataset | ReplayedDataset:
        """The utterances of a split, perturbed in training; those of train with what is replayed."""
        if split == "train" and self.replay_ratio is not None:
            return ReplayedDataset(self._of_split(split), self._of_split(REPLAY))
        return self._of_split(split)

    def train_batches(self, dataset: Measured, per_step: int, world_size: int, rank: int) -> BucketBatches:
        """See `BatchDataModule`."""
        if self.replay_ratio is None:
            return super().train_batches(dataset, per_step, world_size, rank)
        assert isinstance(dataset, ReplayedDataset)
        return ReplayedBatches(
            dataset.own.durations_s,
            dataset.replayed.durations_s,
            self.replay_ratio,
            self.batching,
            self.seed,
            per_step,
            world_size,
            rank,
        )

    def _of_split(self, split: str) -> SpeechDataset:
        trained_on = split in TRAINING
        perturbations = self.perturbations if trained_on else ()
        options = (self.tokenizer, self.sample_rate_hz, perturbations, self.seed, self.loading.cache_audio_mb)
        kept = self.kept.get(split)
        return SpeechDataset(
            self.utterances(split),
            *options,
            verify=self.loading.verifies,
            trained_on=trained_on,
            kept=kept,
            reads_audio=kept is None or not trained_on,  # dev is drawn, and told from silence
            taught=self.taught.get(split),
            tokens=None if self.tokens is None else self.tokens(split),
        )


class TextDataModule(BatchDataModule):
    """Sentences; see `BatchDataModule`.

    Args:
        sentences: name of a split ("train", "dev") → its sentences.
        batching, validation, seed: see `BatchDataModule`.
    """

    def __init__(
        self, sentences: Callable[[str], Sentences], batching: Batching, validation: Batching, seed: int = 0
    ) -> None:
        super().__init__(batching, validation, Loading(num_workers=0), seed)  # slicing ids needs no process of its own
        self.sentences = sentences

    def dataset(self, split: str) -> TextDataset:
        """The sentences of a split."""
        return TextDataset(self.sentences(split))


def _position(state: Mapping[str, int], batches: int, world_size: int) -> tuple[int, int]:
    """(epoch, batch of this rank) to start from, of `batches` per rank."""
    if state["batches"] == 0 or state["batches_per_epoch"] == batches * world_size:
        return state["epoch"], state["batches"] // world_size
    log.warning(
        "the run had %d batches an epoch and now has %d: in epoch %d some utterances are seen twice or not at all",
        state["batches_per_epoch"],
        batches * world_size,
        state["epoch"],
    )
    return state["epoch"], state["batches"] * batches // state["batches_per_epoch"]

"""The data under Lightning: an interrupted run goes on with the very next batch."""

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from data_corpus import LETTERS, Letters, write_corpus
from quiet import QUIET

from lasasr.audio.perturb import AdditiveNoise, SpeedPerturb
from lasasr.data.batch import Batch
from lasasr.data.datamodule import SpeechDataModule
from lasasr.data.loader import Loading
from lasasr.data.manifest import Utterances, read_manifest
from lasasr.data.sampler import Batching
from lasasr.errors import LasasrError, UsageError

EPOCHS = 3
SAMPLES = (1600, 3200, 2000, 2400, 1000, 1800, 900)  # 4 batches of 2


class Recorder(pl.LightningModule):
    """Notes what it is given, and can save a checkpoint at every place where training might stop."""

    def __init__(self, save_to: Path | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.save_to = save_to
        self.seen: list[tuple[int, tuple[str, ...], tuple[int, ...]]] = []
        self.validated: list[str] = []

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        self.seen.append((batch.epoch, batch.ids, tuple(batch.waveform_lengths.tolist())))
        return self.weight * batch.waveforms.sum()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.validated += batch.ids

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def _save(self, name: str) -> None:
        if self.save_to is not None:
            self.trainer.save_checkpoint(self.save_to / f"{len(self.seen):02d}-{name}.ckpt")

    def on_train_batch_end(self, *_: Any) -> None:
        self._save("batch")

    def on_validation_end(self) -> None:
        self._save("validation")

    def on_train_epoch_end(self) -> None:
        self._save("epoch")


def fit(module: Recorder, manifest: Path, checkpoint: Path | None = None, **options: Any) -> SpeechDataModule:
    trainer_options = {"max_epochs": EPOCHS, "accumulate_grad_batches": 1, "precision": "32-true"}
    trainer_options["val_check_interval"] = 1.0
    trainer_options |= {name: options.pop(name) for name in tuple(options) if name in trainer_options}

    def utterances(split: str) -> Utterances:
        return read_manifest(manifest, str)

    data_options = {"batching": Batching(2, buckets=2), "perturbations": (SpeedPerturb(),), "seed": 1}
    letters = Letters(options.pop("letters", LETTERS))
    data = SpeechDataModule(utterances, letters, **{**data_options, **options})
    trainer = pl.Trainer(
        accelerator="cpu",
        use_distributed_sampler=False,
        **QUIET,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        **trainer_options,
    )
    trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    return data


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


@pytest.mark.parametrize(("num_workers", "validations"), [(0, 1), (0, 2), (1, 1)])
@pytest.mark.filterwarnings("ignore")
def test_resumed_run_sees_what_the_uninterrupted_one_saw(tmp_path: Path, num_workers: int, validations: int) -> None:
    manifest = write_corpus(tmp_path, *SAMPLES)
    options = {"loading": Loading(num_workers), "val_check_interval": 4 // validations}
    whole = Recorder(save_to=tmp_path)
    fit(whole, manifest, **options)
    assert len(whole.seen) == EPOCHS * 4
    saved = sorted(tmp_path.glob("*.ckpt"))
    assert len(saved) == EPOCHS * (4 + validations + 1)
    for checkpoint in saved if num_workers == 0 else saved[4:7]:  # starting workers takes time
        resumed = Recorder()
        fit(resumed, manifest, checkpoint, **options)
        assert resumed.seen == whole.seen[int(checkpoint.name[:2]) :], checkpoint.name


@pytest.mark.filterwarnings("ignore")
def test_every_utterance_once_per_epoch_and_once_in_validation(tmp_path: Path) -> None:
    recorder = Recorder()
    fit(recorder, write_corpus(tmp_path, *SAMPLES), max_epochs=2, precision="bf16-mixed")
    ids = sorted(f"u{number}" for number in range(len(SAMPLES)))
    for epoch in (0, 1):
        assert sorted(name for number, batch, _ in recorder.seen if number == epoch for name in batch) == ids
    assert sorted(recorder.validated) == sorted(ids * 2)
    assert recorder.validated[0] == "u1"  # the longest


@pytest.mark.filterwarnings("ignore")
def test_accumulation_divides_the_epoch(tmp_path: Path) -> None:
    recorder = Recorder()
    fit(recorder, write_corpus(tmp_path, *SAMPLES), max_epochs=1, accumulate_grad_batches=3)
    assert len(recorder.seen) == 6


@pytest.mark.filterwarnings("ignore")
def test_other_batches_after_a_resume_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manifest = write_corpus(tmp_path, *SAMPLES)
    fit(Recorder(save_to=tmp_path), manifest, max_epochs=1)
    resumed = Recorder()
    with caplog.at_level(logging.WARNING, "lasasr"):
        fit(resumed, manifest, tmp_path / "02-batch.ckpt", max_epochs=2, batching=Batching(1))
    assert "the run had 4 batches an epoch and now has 7" in caplog.text
    assert [epoch for epoch, _, _ in resumed.seen].count(1) == 7


def test_wrong_data_is_said_before_training(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, *SAMPLES, 1000)
    with pytest.raises(LasasrError, match=r"train\.jsonl\.gz: utterance u7: character 'h' is outside"):
        fit(Recorder(), manifest, letters="abcdefg ")
    (tmp_path / "u3.wav").unlink()
    with pytest.raises(LasasrError, match=r"utterance u3: .*u3\.wav is missing"):
        fit(Recorder(), manifest)


def test_a_checkpoint_of_other_data_is_refused(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, *SAMPLES)
    data = SpeechDataModule(lambda split: read_manifest(manifest, str), Letters(), Batching(2))
    data.content = {"train": "a" * 16, "dev": "b" * 16, "test": "c" * 16}
    position = {"epoch": 0, "batches": 1, "batches_per_epoch": 2}
    data.load_state_dict({**position, "content": {**data.content, "test": "other"}})
    data.load_state_dict(position)  # of a version that noted none
    for split in ("train", "dev"):
        with pytest.raises(LasasrError, match=rf"of a training on other data \({split}: content other, not "):
            data.load_state_dict({**position, "content": {**data.content, split: "other"}})


def test_a_perturbation_for_another_rate_than_the_front_ends_is_refused() -> None:
    perturbations = [SpeedPerturb(), AdditiveNoise(colour="pink", sample_rate_hz=8000)]
    message = r"^augment\.waveform\[1\]\.sample_rate_hz=8000, but the front end reads waveforms of 16000 Hz: set that$"
    with pytest.raises(UsageError, match=message):
        SpeechDataModule(lambda split: [], Letters(), Batching(2), perturbations=perturbations)  # type: ignore[arg-type, return-value]

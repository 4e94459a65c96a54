"""Workers change nothing, and errors keep their one line."""

import pickle
from pathlib import Path

import pytest
import torch
from data_corpus import Letters, write_corpus

from lasasr.audio.perturb import AdditiveNoise, SpeedPerturb
from lasasr.data.batch import Batch
from lasasr.data.dataset import SpeechDataset
from lasasr.data.loader import Loader, Loading
from lasasr.data.manifest import read_manifest
from lasasr.data.sampler import Batching, BucketBatches
from lasasr.errors import LasasrError

SAMPLES = (1600, 3200, 2000, 2400, 1000, 1800, 900)


def loader(
    manifest: Path, num_workers: int, cache_audio_mb: float = 0.0, **options: bool
) -> tuple[Loader, BucketBatches]:
    utterances = read_manifest(manifest, str)
    perturbations = (SpeedPerturb(), AdditiveNoise(colour="white"))
    dataset = SpeechDataset(utterances, Letters(), 16_000, perturbations, 1, cache_audio_mb)
    batches = BucketBatches(utterances.durations_s, Batching(2, buckets=2), 1)
    return Loader(dataset, batches, num_workers, **options), batches


def epochs(made: tuple[Loader, BucketBatches], count: int) -> list[Batch]:
    seen = []
    for epoch in range(count):
        made[1].set_epoch(epoch)
        seen += list(made[0])
    return seen


def test_two_workers_give_what_none_gives(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, *SAMPLES)
    alone = epochs(loader(manifest, 0), 2)
    for made in (loader(manifest, 2, cache_audio_mb=1, persistent=True), loader(manifest, 2)):
        together = epochs(made, 2)
        assert [batch.ids for batch in together] == [batch.ids for batch in alone]
        for one, other in zip(together, alone, strict=True):
            assert one.epoch == other.epoch
            assert torch.equal(one.waveforms, other.waveforms)
            assert torch.equal(one.tokens, other.tokens)


def test_workers_fill_one_cache(tmp_path: Path) -> None:
    made = loader(write_corpus(tmp_path, *SAMPLES), 2, cache_audio_mb=1)
    first = epochs(made, 1)
    for path in tuple(made[0].dataset.dataset.utterances.path.parent.glob("*.wav")):
        path.unlink()
    made[1].set_epoch(0)
    assert [batch.ids for batch in made[0]] == [batch.ids for batch in first]


def test_a_spawned_worker_has_no_cache(tmp_path: Path) -> None:
    dataset = loader(write_corpus(tmp_path, 1600, 1700), 0, cache_audio_mb=1)[0].dataset.dataset
    expected = dataset.waveform(1)
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy.waveform(1), expected)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_error_of_a_worker_is_one_line(tmp_path: Path, num_workers: int) -> None:
    manifest = write_corpus(tmp_path, *SAMPLES)
    (manifest.parent / "u3.wav").unlink()
    with pytest.raises(LasasrError) as caught:
        list(loader(manifest, num_workers)[0])
    assert str(caught.value).startswith(f"utterance u3: {manifest.parent}/u3.wav is missing")
    assert "\n" not in str(caught.value)


def test_workers_come_with_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(16)), raising=False)
    assert Loading().workers(accelerator=False) == 0
    assert Loading().workers(accelerator=True) == 8
    assert Loading().workers(accelerator=True, processes=4) == 3
    assert Loading(num_workers=0).workers(accelerator=True) == 0

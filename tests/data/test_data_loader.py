"""Workers change nothing, and errors keep their one line."""

import math
import os
import pickle
import re
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from data_corpus import Letters, write_corpus
from torch.utils.data import Dataset

from lasasr.audio.perturb import AdditiveNoise, SpeedPerturb
from lasasr.audio.reverberation import Reverberation
from lasasr.data.batch import Batch
from lasasr.data.dataset import SpeechDataset
from lasasr.data.loader import Loader, Loading, naming_lost_workers
from lasasr.data.manifest import read_manifest
from lasasr.data.sampler import Batching, BucketBatches, Request
from lasasr.errors import LasasrError, UsageError

SAMPLES = (1600, 3200, 2000, 2400, 1000, 1800, 900)


def loader(
    manifest: Path, num_workers: int, cache_audio_mb: float = 0.0, **options: int
) -> tuple[Loader, BucketBatches]:
    utterances = read_manifest(manifest, str)
    perturbations = (SpeedPerturb(), AdditiveNoise(colour="white"))
    dataset = SpeechDataset(utterances, Letters(), 16_000, perturbations, 1, cache_audio_mb)
    batches = BucketBatches(utterances.durations_s, Batching(2, buckets=2), 1)
    return Loader(dataset, batches, num_workers, **options), batches


def epochs(loader_and_batches: tuple[Loader, BucketBatches], count: int) -> list[Batch]:
    seen = []
    for epoch in range(count):
        loader_and_batches[1].set_epoch(epoch)
        seen += list(loader_and_batches[0])
    return seen


def test_two_workers_give_what_none_gives(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, *SAMPLES)
    alone = epochs(loader(manifest, 0), 2)
    for worker_loader in (loader(manifest, 2, cache_audio_mb=1, persistent=True), loader(manifest, 2)):
        together = epochs(worker_loader, 2)
        assert [batch.ids for batch in together] == [batch.ids for batch in alone]
        for batch, other in zip(together, alone, strict=True):
            assert batch.epoch == other.epoch
            assert torch.equal(batch.waveforms, other.waveforms)
            assert torch.equal(batch.tokens, other.tokens)


def test_rooms_and_recorded_noise_depend_on_seed_epoch_and_id_alone(tmp_path: Path) -> None:
    manifest, random = write_corpus(tmp_path, *SAMPLES), np.random.default_rng(0)
    for kind, sizes in (("rooms", (300, 500)), ("noise", (700, 9000))):
        (tmp_path / kind).mkdir()
        for size in sizes:
            soundfile.write(tmp_path / kind / f"{size}.wav", random.uniform(-0.3, 0.3, size), 16_000)
    perturbations = (SpeedPerturb(), Reverberation(tmp_path / "rooms"), AdditiveNoise(folder=tmp_path / "noise"))
    dataset = SpeechDataset(read_manifest(manifest, str), Letters(), 16_000, perturbations, 1)
    seen = []
    for workers, size in ((0, 2), (2, 2), (0, 7)):
        batches = BucketBatches(dataset.durations_s, Batching(size, buckets=2), 1)
        waveforms: dict[tuple[int, str], torch.Tensor] = {}
        for batch in epochs((Loader(dataset, batches, workers), batches), 2):
            for name, row, count in zip(batch.ids, batch.waveforms, batch.waveform_lengths.tolist(), strict=True):
                waveforms[batch.epoch, name] = row[:count]
        seen.append(waveforms)
    assert len(seen[0]) == 2 * len(SAMPLES)
    for other in seen[1:]:
        assert other.keys() == seen[0].keys()
        assert all(torch.equal(other[key], seen[0][key]) for key in other)
    assert not any(torch.equal(seen[0][0, f"u{number}"], seen[0][1, f"u{number}"]) for number in range(len(SAMPLES)))


def test_slower_speech_is_longer_than_its_budget_by_its_speed_and_no_more(tmp_path: Path) -> None:
    utterances = read_manifest(write_corpus(tmp_path, *SAMPLES), str)
    dataset = SpeechDataset(utterances, Letters(), perturbations=(SpeedPerturb([0.9]),))
    batches = BucketBatches(utterances.durations_s, Batching(8, batch_seconds=0.4, buckets=2))
    for request in batches:
        batch = dataset[request]
        spoken = [math.ceil(SAMPLES[index] / Fraction("0.9")) for index in request.indices]
        assert batch.waveform_lengths.tolist() == spoken
        assert batch.waveforms.numel() <= 0.4 * 16_000 / 0.9 + len(request.indices)


def test_workers_fill_one_cache(tmp_path: Path) -> None:
    loaded = loader(write_corpus(tmp_path, *SAMPLES), 2, cache_audio_mb=1)
    first = epochs(loaded, 1)
    for path in tuple(loaded[0].dataset.dataset.utterances.path.parent.glob("*.wav")):
        path.unlink()
    loaded[1].set_epoch(0)
    assert [batch.ids for batch in loaded[0]] == [batch.ids for batch in first]


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


def test_batches_are_page_locked_where_that_helps_or_is_asked_for() -> None:
    assert [Loading().pins(accelerator) for accelerator in (False, True)] == [False, True]
    assert not Loading(pin_memory=False).pins(accelerator=True)
    assert Loading(pin_memory=True).pins(accelerator=False)


def test_options_reach_the_workers(tmp_path: Path) -> None:
    loaded = loader(write_corpus(tmp_path, *SAMPLES), 1, prefetch=5)[0]
    assert (loaded.num_workers, loaded.prefetch_factor, loaded.pin_memory) == (1, 5, False)
    assert loader(write_corpus(tmp_path, *SAMPLES), 0, prefetch=5)[0].prefetch_factor is None


@pytest.mark.parametrize(("name", "least"), [("num_workers", 0), ("prefetch", 1), ("cache_audio_mb", 0)])
def test_nonsense_is_refused(name: str, least: int) -> None:
    assert getattr(Loading(**{name: least}), name) == least
    message = rf"loading\.{name} must be a whole number from {least} to .*, got "
    for value in (least - 1, "two", 1.5, True, 10**15):  # so many processes would be started, or batches asked for
        with pytest.raises(UsageError, match=f"{message}{value}"):
            Loading(**{name: value})
    with pytest.raises(UsageError, match=r"loading\.pin_memory must be true, false or null, got maybe"):
        Loading(pin_memory="maybe")  # type: ignore[arg-type]


def test_a_worker_that_was_killed_is_named() -> None:
    """In a process of its own: torch raises it in whatever the parent does when it hears of it."""
    ends = {
        "os.kill(os.getpid(), signal.SIGKILL)": r"was killed by signal: Killed; .*num_workers.*--resume",
        "os._exit(3)": r"exited unexpectedly with exit code 3; .*--resume",
    }
    done = subprocess.run([sys.executable, __file__, *ends], capture_output=True, text=True, timeout=120, check=False)
    lines = done.stdout.splitlines()
    assert len(lines) == len(ends), done.stdout + done.stderr
    for line, words in zip(lines, ends.values(), strict=True):
        assert re.fullmatch(rf"a worker of the data loader, process \d+, {words}", line), done.stdout + done.stderr


def test_a_lost_worker_is_named_whatever_its_error_was_turned_into() -> None:
    """As by `inspect`, within which torch's handler of SIGCHLD may run."""
    with pytest.raises(LasasrError, match="process 12, was killed by signal: Killed;"), naming_lost_workers():
        turned_into("DataLoader worker (pid 12) is killed by signal: Killed. ")
    with pytest.raises(ValueError, match="while that was handled"), naming_lost_workers():
        turned_into("of something else")


def turned_into(message: str) -> None:
    """Raise something else while what came from an error with that message is handled."""
    try:
        try:
            raise RuntimeError(message)
        except RuntimeError as error:
            raise TypeError("unsupported callable") from error
    except TypeError:
        raise ValueError("while that was handled") from None


def lose_a_worker(end: str) -> None:
    """Print what the parent of a worker says that ends so."""
    with pytest.raises(LasasrError) as caught, naming_lost_workers():
        list(Loader(Ending(end), [Request(0, (0,))] * 3, 1))
    sys.stdout.write(f"{caught.value}\n")


class Ending(Dataset[Any]):
    """Whose reader ends."""

    def __init__(self, end: str) -> None:
        self.end = end

    def __getitem__(self, request: Request) -> Any:
        exec(self.end)


class Pids(Dataset[Any]):
    """Who loads."""

    def __getitem__(self, request: Request) -> tuple[int]:
        return (os.getpid(),)


def test_a_worker_works_on_through_a_signal_from_others() -> None:
    """Ctrl-C and SLURM signal every process of a run; only the parent, which saves first, decides on the end.

    In a process of its own, as a training is: what other tests left running in this one would be forked, too.
    """
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]
    command = [sys.executable, __file__, *(str(number.value) for number in numbers)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{number.value}: same worker" for number in numbers]


def work_on_through(number: int) -> None:
    """Signal the only worker, not from its parent, and load on."""
    items = iter(Loader(Pids(), [Request(0, (i,)) for i in range(9)], num_workers=1, prefetch=1))
    (worker,) = next(items)
    assert worker != os.getpid()
    subprocess.run(["kill", f"-{number}", str(worker)], check=True)
    assert [item for (item,) in items] == [worker] * 8
    sys.stdout.write(f"{number}: same worker\n")


if __name__ == "__main__":
    for word in sys.argv[1:]:
        work_on_through(int(word)) if word.isdigit() else lose_a_worker(word)

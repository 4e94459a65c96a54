"""The loader alone, per second of audio, from files and from shards; used by `bench.py`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import soundfile
import torch
from bench_measure import Case
from bench_models import Bench

from lasasr.audio.perturb import AdditiveNoise, Perturbation, SpeedPerturb
from lasasr.corpora.manifest import recording, utterance, write_cuts
from lasasr.corpora.shar import SharCorpus
from lasasr.corpora.shar_writer import write_shards
from lasasr.data import digests
from lasasr.data.dataset import SpeechDataset
from lasasr.data.loader import Loader
from lasasr.data.manifest import read_manifest
from lasasr.data.sampler import Batching, BucketBatches
from lasasr.text.character import CharacterTokenizer

RATE_HZ = 16_000
TEXT = "one two three"
WORKERS = (0, 1, 2)


def loader(bench: Bench, utterances: int) -> Iterator[list[Case]]:
    """Epochs over the same audio as WAV files, FLAC files and shards of each; times are per second of audio.

    So 1000 / ms is how many seconds of audio come in a second, and "x floor" is the share that the loader has of a
    training step over as much audio: where it is below 1, one such loader keeps this device busy. Workers run on from
    epoch to epoch; their processor time is not counted.
    """
    step = "training step"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        manifests = _corpora(folder, utterances)
        model, batch = bench.model("location"), bench.batch("variable")
        train = partial(bench.train, model, batch, "float32", max(bench.threads))
        cases = [Case(step, train, step, float(batch[1].sum()) / 100)]
        for kind in ("wav", "flac"):
            paths = sorted(folder.glob(f"*.{kind}"))
            bare = partial(_decoded, paths)
            cases.append(Case(f"{kind}: soundfile alone", bare, step, _audio_s(paths)))
        for name, manifest in manifests.items():
            utterances_of = read_manifest(manifest, str)
            sources = [source for cut in utterances_of.cuts for source in digests.sources(json.loads(cut))]
            compared = partial(_digested, sources)
            cases.append(Case(f"{name}: loading.verify", compared, step, float(utterances_of.durations_s.sum())))
        for name, manifest in manifests.items():
            for workers in WORKERS:
                label = f"{name}, {workers} workers"
                cases.append(_case(label, manifest, workers, bench.device, step))
        perturbed = "flac shards, speed and pink noise"
        for workers in WORKERS:
            noisy = (SpeedPerturb(), AdditiveNoise(colour="pink"))
            label = f"{perturbed}, {workers} workers"
            cases.append(_case(label, manifests["flac shards"], workers, bench.device, step, noisy))
        yield cases


def _corpora(folder: Path, utterances: int) -> dict[str, Path]:
    """Name → manifest; tones in noise of 2 to 16 s."""
    manifests = {}
    for kind in ("wav", "flac"):
        cuts = []
        for index in range(utterances):
            samples = int(RATE_HZ * (2 + 14 * index / utterances))
            path = folder / f"{index:05d}.{kind}"
            torch.manual_seed(index)
            tone = torch.sin(torch.arange(samples) * (0.02 + 0.001 * index)) + 0.1 * torch.randn(samples)
            soundfile.write(path, (0.3 * tone).clamp(-1, 1).numpy(), RATE_HZ, "PCM_16")
            cuts.append(utterance(path.stem, TEXT, None, recording(path.stem, path, RATE_HZ, samples)))
        manifests[f"{kind} files"] = folder / f"{kind}.jsonl.gz"
        write_cuts(cuts, manifests[f"{kind} files"])
        write_shards({"train": manifests[f"{kind} files"]}, folder / kind, {"corpus": kind}, _silent, shard_size=50)
        shards = str(folder / kind / "train")
        manifests[f"{kind} shards"] = SharCorpus(train=shards, dev=shards).prepare(folder / f"{kind}-read", _silent)[
            "train"
        ]
    return manifests


def _case(
    name: str, manifest: Path, workers: int, device: torch.device, floor: str, noisy: tuple[Perturbation, ...] = ()
) -> Case:
    dataset = SpeechDataset(read_manifest(manifest, str), CharacterTokenizer.train([TEXT]), perturbations=noisy)
    batches = BucketBatches(dataset.durations_s, Batching(16))
    batch_loader = Loader(dataset, batches, workers, pin_memory=device.type == "cuda", persistent=True)

    def epoch() -> None:
        for batch in batch_loader:
            batch.waveforms.to(device, non_blocking=True)

    return Case(name, epoch, floor, float(dataset.durations_s.sum()))


def _decoded(paths: list[Path]) -> None:
    for path in paths:
        soundfile.read(path, dtype="float32")


def _digested(sources: list[str]) -> None:
    """What comparing audio with what it was takes, once per file."""
    for source in sources:
        digests.digest(source)


def _audio_s(paths: list[Path]) -> float:
    return sum(soundfile.info(path).duration for path in paths)


def _silent(*_progress: object) -> None:
    """Nobody watches."""

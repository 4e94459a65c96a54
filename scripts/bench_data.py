"""Features, loader and scoring beside other implementations; used by `bench.py`."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from bench_measure import Case

from lasasr import lengths as length
from lasasr.audio.fbank import Fbank
from lasasr.audio.frontend import Frontend

SECONDS = 12.0
RATE_HZ = 16_000


def features(device: torch.device, utterances: int) -> Iterator[list[Case]]:
    """80 log-mel energies of waveforms of 8 to 12 s; the floor is torchaudio's transform of the whole batch."""
    import torchaudio

    samples = torch.linspace(SECONDS * RATE_HZ, SECONDS * RATE_HZ * 2 / 3, utterances).long().to(device)
    longest = int(SECONDS * RATE_HZ)
    waveforms = (torch.rand(utterances, longest, device=device) - 0.5) * length.mask(samples, longest)
    fbank, frontend = Fbank().to(device), Frontend().to(device)
    mel = torchaudio.transforms.MelSpectrogram(RATE_HZ, 512, 400, 160, n_mels=80).to(device)
    kaldi = partial(torchaudio.compliance.kaldi.fbank, num_mel_bins=80, sample_frequency=float(RATE_HZ))

    def one_by_one() -> None:
        for waveform, count in zip(waveforms, samples.tolist(), strict=True):
            kaldi(waveform[None, :count])

    floor = "torchaudio MelSpectrogram, batch"
    yield [
        Case(floor, lambda: mel(waveforms), floor),
        Case("torchaudio kaldi.fbank, one by one", one_by_one, floor),
        Case("lasasr Fbank, batch", lambda: fbank(waveforms, samples), floor),
        Case("lasasr Frontend (with CMVN), batch", lambda: frontend(waveforms, samples), floor),
    ]


def loader(device: torch.device, utterances: int) -> Iterator[list[Case]]:
    """One epoch over FLAC files in batches; the floor decodes the same files with soundfile and does nothing else."""
    import soundfile
    from lhotse import MonoCut, Recording, SupervisionSegment
    from lhotse.serialization import SequentialJsonlWriter

    from lasasr.data.dataset import SpeechDataset
    from lasasr.data.loader import Loader
    from lasasr.data.manifest import read_manifest
    from lasasr.data.sampler import Batching, BucketBatches
    from lasasr.text.character import CharacterTokenizer

    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "cuts.jsonl.gz"
        paths = []
        with SequentialJsonlWriter(manifest) as writer:
            for index in range(utterances):
                samples = int(RATE_HZ * (2 + 4 * index / utterances))
                paths.append(Path(folder) / f"{index}.flac")
                tone = torch.sin(torch.arange(samples) * (0.02 + 0.001 * index)) + 0.1 * torch.randn(samples)
                soundfile.write(paths[-1], (0.3 * tone).clamp(-1, 1).numpy(), RATE_HZ)
                recording = Recording.from_file(paths[-1], recording_id=f"r{index}")
                said = SupervisionSegment(f"s{index}", recording.id, 0.0, recording.duration, text="one two three")
                writer.write(MonoCut(f"c{index}", 0.0, recording.duration, 0, [said], recording=recording))
        read = read_manifest(manifest, lambda text: text)
        tokenizer = CharacterTokenizer.train(["one two three"])
        dataset = SpeechDataset(read, tokenizer)
        batches = BucketBatches(dataset.durations_s, Batching(24), 0, True)

        def epoch(workers: int) -> None:
            for batch in Loader(dataset, batches, workers, 2, False, False):
                batch.waveforms.to(device)

        def bare() -> None:
            for path in paths:
                soundfile.read(path, dtype="float32")

        floor = "soundfile alone"
        yield [
            Case(floor, bare, floor),
            Case("loader in this process", partial(epoch, 0), floor),
            Case("loader with 2 workers, their start included", partial(epoch, 2), floor),
        ]


def scoring(device: torch.device, pairs: int) -> Iterator[list[Case]]:
    """Counting the errors of pairs of 12 words; the floor is RapidFuzz's alignment through jiwer, all at once."""
    import jiwer

    from lasasr.metrics.bootstrap import interval
    from lasasr.metrics.error_rates import compare, pooled

    draw = random.Random(0)
    words = [f"w{number}" for number in range(200)]
    references = [" ".join(draw.choices(words, k=12)) for _ in range(pairs)]
    hypotheses = [
        " ".join(draw.choice(words) if draw.random() < 0.1 else word for word in reference.split())
        for reference in references
    ]
    both = list(zip(references, hypotheses, strict=True))
    counts = [compare(*pair, "wer") for pair in both]
    floor = "jiwer, all at once"
    yield [
        Case(floor, lambda: jiwer.process_words(references, hypotheses), floor),
        Case("lasasr WER", lambda: pooled(compare(*pair, "wer") for pair in both), floor),
        Case("lasasr CER", lambda: pooled(compare(*pair, "cer") for pair in both), floor),
        Case("lasasr interval", lambda: interval(counts, list(range(pairs))), floor),
    ]

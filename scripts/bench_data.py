"""Features and scoring beside other implementations; used by `bench.py`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

import torch
from bench_measure import Case

from lasasr.audio.fbank import Fbank
from lasasr.audio.fbank_frontend import FbankFrontend
from lasasr.nn import lengths as length

SECONDS = 12.0
RATE_HZ = 16_000


def features(device: torch.device, utterances: int) -> Iterator[list[Case]]:
    """80 log-mel energies of waveforms of 8 to 12 s; the floor is torchaudio's transform of the whole batch."""
    import torchaudio

    samples = torch.linspace(SECONDS * RATE_HZ, SECONDS * RATE_HZ * 2 / 3, utterances).long().to(device)
    longest = int(SECONDS * RATE_HZ)
    waveforms = (torch.rand(utterances, longest, device=device) - 0.5) * length.mask(samples, longest)
    fbank, frontend = Fbank().to(device), FbankFrontend().to(device)
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
    texts = list(zip(references, hypotheses, strict=True))
    counts = [compare(*pair, "wer") for pair in texts]
    floor = "jiwer, all at once"
    yield [
        Case(floor, lambda: jiwer.process_words(references, hypotheses), floor),
        Case("lasasr WER", lambda: pooled(compare(*pair, "wer") for pair in texts), floor),
        Case("lasasr CER", lambda: pooled(compare(*pair, "cer") for pair in texts), floor),
        Case("lasasr interval", lambda: interval(counts, list(range(pairs))), floor),
    ]

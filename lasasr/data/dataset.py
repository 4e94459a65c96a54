"""From a request of the sampler to a batch: decode, check, resample, perturb, pad."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lasasr.audio import draws
from lasasr.audio.perturb import FinitePerturbation, Perturbation
from lasasr.data import mirror, moved_audio
from lasasr.data.audio import load
from lasasr.data.batch import Batch, Measured
from lasasr.data.cache import AudioCache
from lasasr.data.encodings import Kept
from lasasr.data.manifest import Utterances
from lasasr.data.sampler import Request
from lasasr.data.tokens import Encodes, Tokens, encode
from lasasr.data.verify import AsPrepared
from lasasr.errors import LasasrError
from lasasr.text import special


class Taught(Protocol):
    """What a teacher says of the utterances of a split."""

    def batch(self, indices: Sequence[int]) -> Mapping[str, Tensor]:
        """Of some of them: name → (B, ...), as the loss reads it."""
        ...


class SpeechDataset(Measured):
    """The utterances of a split; its items are whole batches.

    Audio of any rate and number of channels is averaged over the channels and resampled. Perturbations draw from a
    generator of (seed, epoch, utterance id), so that a waveform does not depend on worker, batch or rank.

    Args:
        utterances: of the split.
        tokenizer: text → ids; every text is tried at once, where `tokens` are not given.
        sample_rate_hz: of the waveforms handed out.
        perturbations: applied one after the other; training only.
        seed: of the run.
        cache_audio_mb: MiB of decoded audio kept in memory (1 h at 16 kHz takes 220).
        verify: compare each audio file with what it was when it was prepared, when it is first read.
        trained_on: a text outside the vocabulary is refused; else its tokens are those of the rest, and the text, which
            is what errors are counted in, stays whole.
        kept: what the frozen part of the encoder gives of the utterances; batches carry it. Where it is kept of several
            forms, `perturbations` are the one that has these forms.
        reads_audio: False: batches carry no waveforms beside it, only their lengths.
        taught: what a teacher says of the utterances; batches carry it.
        tokens: the ids of all texts, where they have been made before.

    Raises:
        LasasrError: a text that is trained on holds what is outside the vocabulary; the message names character,
            manifest and id.
    """

    def __init__(
        self,
        utterances: Utterances,
        tokenizer: Encodes,
        sample_rate_hz: int = 16_000,
        perturbations: Sequence[Perturbation] = (),
        seed: int = 0,
        cache_audio_mb: float = 0.0,
        verify: bool = False,
        trained_on: bool = True,
        kept: Kept | None = None,
        reads_audio: bool = True,
        taught: Taught | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        self.utterances = utterances
        self.tokenizer = tokenizer
        self.sample_rate_hz = sample_rate_hz
        self.perturbations = tuple(perturbations)
        self.seed, self.trained_on = seed, trained_on
        self.kept, self.reads_audio, self.taught = kept, reads_audio, taught
        # resampling rounds up, and a manifest's duration is rounded too
        capacities = [math.ceil(duration * sample_rate_hz) + 1 for duration in utterances.durations_s]
        self._cache = AudioCache(capacities, cache_audio_mb)
        self._prepared_from = AsPrepared.of(utterances.path) if verify else None
        self.tokens = encode(utterances.texts, tokenizer) if tokens is None else tokens
        if trained_on and self.tokens.outside.any():
            self._refuse(int(self.tokens.outside.argmax()))

    def __len__(self) -> int:
        """Utterances."""
        return len(self.utterances)

    @property
    def durations_s(self) -> NDArray[np.float64]:
        """(N,) of the utterances."""
        return self.utterances.durations_s

    def shards(self) -> NDArray[np.int64]:
        """(N,) the number of the shard of each utterance; see `Utterances.shards`."""
        return self.utterances.shards()

    def __getitem__(self, request: Request) -> Batch:
        """Load one batch.

        Raises:
            LasasrError: the audio of an utterance is broken (see `load`), or has changed since it was prepared; names
                utterance and file.
        """
        for index in request.ahead:
            mirror.fetch_soon(self.utterances.shard(index))
        waveforms, lengths = self._waveforms(request) if self.reads_audio else self._lengths(request)
        fixed, fixed_lengths = self._fixed(request)
        tokens = [torch.tensor(self.tokens.ids[index], dtype=torch.int64) for index in request.indices]
        return Batch(
            ids=tuple(self.utterances.ids[index] for index in request.indices),
            speakers=tuple(self.utterances.speakers[index] for index in request.indices),
            texts=tuple(self.utterances.texts[index] for index in request.indices),
            waveforms=waveforms,
            waveform_lengths=lengths,
            tokens=pad_sequence(tokens, batch_first=True, padding_value=special.PAD),
            token_lengths=torch.tensor([len(ids) for ids in tokens]),
            epoch=request.epoch,
            fixed=fixed,
            fixed_lengths=fixed_lengths,
            taught={} if self.taught is None else self.taught.batch(request.indices),
        )

    def _waveforms(self, request: Request) -> tuple[Tensor, Tensor]:
        with _one_thread():
            waveforms = [self._perturbed(index, request.epoch) for index in request.indices]
        return pad_sequence(waveforms, batch_first=True), torch.tensor([len(waveform) for waveform in waveforms])

    def _lengths(self, request: Request) -> tuple[Tensor, Tensor]:
        """No waveforms, and how long they would be."""
        durations_s = self.utterances.durations_s[list(request.indices)]
        samples = torch.from_numpy((durations_s * self.sample_rate_hz).round().astype(np.int64))
        return torch.zeros(len(samples), 0), samples.clamp(min=1)

    def _fixed(self, request: Request) -> tuple[Tensor | None, Tensor | None]:
        if self.kept is None:
            return None, None
        return self.kept.batch(request.indices, self._variants(request))

    def _variants(self, request: Request) -> list[int]:
        """Of each utterance of a batch, the form that its waveform would be perturbed to."""
        if not self.perturbations:
            return [0] * len(request.indices)
        (perturbation,) = self.perturbations
        assert isinstance(perturbation, FinitePerturbation)
        return [perturbation.choose(self._generator(index, request.epoch)) for index in request.indices]

    def _generator(self, index: int, epoch: int) -> torch.Generator:
        return draws.generator("perturb", self.seed, epoch, self.utterances.ids[index])

    def _perturbed(self, index: int, epoch: int) -> Tensor:
        waveform = self.waveform(index)
        if self.perturbations:
            generator = self._generator(index, epoch)
            for perturb in self.perturbations:
                waveform = perturb(waveform, generator)
        return waveform

    def waveform(self, index: int) -> Tensor:
        """The unperturbed waveform (S,) of one utterance.

        Raises:
            LasasrError: see `__getitem__`.
        """
        samples = self._cache.get(index)
        if samples is None:
            if self._prepared_from is not None:
                self._prepared_from.check(self.utterances.ids[index], self.utterances.cuts[index])
            try:
                samples = load(self.utterances.cut(index), self.sample_rate_hz)
            except LasasrError:
                if missing := moved_audio.explained(self.utterances.path, self.utterances.cuts[index]):
                    raise LasasrError(f"utterance {self.utterances.ids[index]}: {missing}") from None
                raise
            self._cache.put(index, samples)
        return samples

    def _refuse(self, index: int) -> None:
        try:
            self.tokenizer.encode(self.utterances.texts[index])
        except LasasrError as error:
            utterance = f"{self.utterances.path}: utterance {self.utterances.ids[index]}"
            raise LasasrError(f"{utterance}: {error}") from None


@contextmanager
def _one_thread() -> Iterator[None]:
    """As in a worker: resampling rounds differently with more, and results would depend on the number of workers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

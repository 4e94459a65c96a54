"""What a model says of words: when each was said, and what tells how sure it is of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lasasr.audio.base import Frontend
from lasasr.audio.inputs import Audio, inputs
from lasasr.errors import LasasrError, UsageError
from lasasr.models.network import Model
from lasasr.models.waveform_encoder import WaveformEncoder
from lasasr.search.acoustics import Acoustics
from lasasr.search.confidence import word_features
from lasasr.search.ctc_greedy import required
from lasasr.search.hypothesis import KINDS, Hypothesis, Kind, Word
from lasasr.search.rescoring import teacher_forced, token_scores
from lasasr.search.word_times import Clock, timed_words
from lasasr.text import transcript
from lasasr.text.base import Tokenizer

MOST_TOKENS = 2.0  # of a text, for each encoded frame of its audio, as searches have it (`limits.max_ratio`)


class Aligner(WaveformEncoder):
    """Front end, model and tokenizer: word times of tokens that are known, and features of their confidence.

    Args:
        normalizer: name/version of the transcript rule that references went through.
    """

    def __init__(self, frontend: Frontend, model: Model, tokenizer: Tokenizer, normalizer: str) -> None:
        super().__init__(frontend, model)
        self.tokenizer, self.normalizer = tokenizer, normalizer

    @torch.inference_mode()
    def word_features(
        self, acoustics: Acoustics, nbests: Sequence[Sequence[Hypothesis]]
    ) -> list[list[dict[str, float]]]:
        """What tells how sure it is of each word of the best hypotheses (`search.confidence`).

        Args:
            acoustics: of the utterances.
            nbests: with their text, the best first.
        """
        best = [nbest[0].tokens for nbest in nbests]
        decoder, ctc = self.model.decoder, acoustics.ctc_log_probs
        scores, weights = (None, None) if decoder is None else token_scores(decoder, acoustics, best)
        frames = acoustics.lengths.tolist()
        return [
            word_features(
                nbest,
                self.tokenizer.tokens,
                None if scores is None else scores[b],
                None if weights is None else weights[b],
                None if ctc is None else ctc[b, : frames[b]].cpu(),
                phones=self.tokenizer.unit == "phone",
            )
            for b, nbest in enumerate(nbests)
        ]

    @torch.inference_mode()
    def align_batch(
        self, waveforms: Tensor, waveform_lengths: Tensor, texts: Sequence[str], acoustics: Acoustics | None = None
    ) -> list[tuple[Word, ...] | None]:
        """When the words of given texts were said, by CTC; None where a text is too long for its audio.

        Args:
            waveforms: (B, S) float32 at the frontend's sampling rate.
            waveform_lengths: (B,) int64, samples.
            texts: after the transcript rule.
            acoustics: what `encode_waveforms` makes of the waveforms, where that is known.

        Raises:
            UsageError: the model has no CTC head.
            LasasrError: a text holds what is outside the vocabulary.
        """
        acoustics = acoustics or self.encode_waveforms(waveforms, waveform_lengths)
        required(acoustics)
        read = [(self.tokenizer.encode(text), None) for text in texts]
        return [times.get("ctc") for times in self._timed(acoustics, waveform_lengths, read)]

    def _timed(
        self, acoustics: Acoustics, waveform_lengths: Tensor, read: Sequence[tuple[Sequence[int], Tensor | None]]
    ) -> list[dict[Kind, tuple[Word, ...]]]:
        """Word times of one (tokens, attention weights) per utterance."""
        ctc = None if acoustics.ctc_log_probs is None else acoustics.ctc_log_probs.cpu()
        frames = acoustics.lengths.tolist()
        durations = (waveform_lengths.double() / self.frontend.sample_rate_hz).tolist()
        return [
            timed_words(
                tokens,
                self.tokenizer.tokens,
                weights,
                None if ctc is None else ctc[b, : frames[b]],
                Clock(self.encoded_frame_s, self.encoded_begin_s, durations[b]),
                phones=self.tokenizer.unit == "phone",
            )
            for b, (tokens, weights) in enumerate(read)
        ]

    def align(self, audio: Audio, text: str, sample_rate_hz: int | None = None) -> tuple[Word, ...]:
        """When the words of `text` were said in one recording: by attention and CTC, or what the model has of them.

        Args:
            audio: a path, a binary file object, an array or a tensor, as of `transcribe`; it is not cut.
            text: what was said; it passes through the transcript rule of training (lower case, ...).
            sample_rate_hz: of an array or tensor; None: `frontend.sample_rate_hz`.

        Raises:
            LasasrError: the audio cannot be used, the text holds what is outside the vocabulary, or is longer than
                the audio can hold.
            UsageError: several recordings are given.
        """
        entry, *more = inputs(audio, self.frontend.sample_rate_hz, sample_rate_hz)
        if more:
            raise UsageError(f"align takes one recording, got {1 + len(more)}")
        words = transcript.from_name(self.normalizer)(text)
        tokens = self.tokenizer.encode(words)
        if not tokens:
            return ()
        waveform = entry.waveform(self.frontend.sample_rate_hz)
        sizes = torch.tensor([len(waveform)])
        with torch.inference_mode():
            acoustics = self.eval().encode_waveforms(waveform[None], sizes)
            decoder = self.model.decoder
            weights = None if decoder is None else teacher_forced(decoder, acoustics, [tokens])[1][0]
            (timed,) = self._timed(acoustics, sizes, [(tokens, weights)])
        best = next((timed[kind] for kind in KINDS if kind in timed), None)
        if best is None or len(tokens) > MOST_TOKENS * int(acoustics.lengths[0]):
            raise LasasrError(f"{entry.name} has too few frames for a text of {len(tokens)} tokens")
        return best

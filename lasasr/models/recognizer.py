"""Frontend, model, tokenizer and search as one object: waveform → Hypothesis; saved and loaded as one bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lasasr.artifacts import bundle
from lasasr.audio.base import Frontend
from lasasr.audio.fbank_frontend import FbankFrontend
from lasasr.audio.inputs import Audio, Input, inputs
from lasasr.audio.pauses import Lengths
from lasasr.configuration.sections import Plain
from lasasr.configuration.settings import Recognition, kind_of
from lasasr.errors import LasasrError, UsageError
from lasasr.listen.base import Encoded, StagedEncoder
from lasasr.losses.base import Heads
from lasasr.metrics.error_rates import Metric
from lasasr.models import factory, language_model, transcription
from lasasr.models.language_model import load_tokenizer
from lasasr.models.network import Model
from lasasr.models.parts import ModelParts
from lasasr.nn import host_mirror, initial_weights, lengths, shared_steps
from lasasr.search.acoustics import Acoustics
from lasasr.search.ctc_greedy import required
from lasasr.search.hypothesis import Hypothesis, Kind, Word
from lasasr.search.word_times import Clock, timed_words
from lasasr.text.base import Tokenizer

SCHEMA = 1
UNKNOWN = Lengths(usual_s=10.0, longest_s=30.0)  # of utterances, where a bundle does not tell
DAY_S = 86_400.0
TRIAL_S = 0.1  # of silence, decoded when a bundle is read: half a second would take longer than all else
_PICTURE_BINS = 40  # of the spectrogram drawn for a front end without a frequency axis
PARTS = ("frontend", "listen", "attend", "spell", "search", "seed")  # that a bundle's config.yaml has in any case


class Spectrogram(NamedTuple):
    """For pictures."""

    values: Tensor  # (T, F)
    frame_s: float  # from one frame to the next


class Recognizer(nn.Module):
    """A trained recognizer.

    Args:
        parts: what it was built from, so that `save` can write it.
        normalizer: name/version of the transcript rule that references went through.
        trained_on: how long the utterances were that it learnt from; None where that is not known.
    """

    def __init__(
        self,
        frontend: Frontend,
        model: Model,
        tokenizer: Tokenizer,
        search: Any,
        parts: ModelParts,
        normalizer: str,
        trained_on: Lengths | None = None,
    ) -> None:
        super().__init__()
        self.frontend, self.model = frontend, model
        self.tokenizer, self.search, self.parts = tokenizer, search, parts
        self.normalizer, self.trained_on = normalizer, trained_on

    @classmethod
    def build(cls, parts: ModelParts, tokenizer: Tokenizer, normalizer: str) -> Recognizer:
        """An untrained one, as configured."""
        frontend = factory.frontend(parts.frontend, parts.seed)
        model = factory.model(parts, frontend.output_dim, tokenizer.vocabulary_size)
        return cls(frontend, model, tokenizer, language_model.search(parts.search, tokenizer), parts, normalizer)

    def searching(self, search: Any) -> Recognizer:
        """The same parts under another search."""
        same = self.frontend, self.model, self.tokenizer
        return Recognizer(*same, search, self.parts, self.normalizer, self.trained_on)

    @property
    def error_metric(self) -> Metric:
        """What its texts are counted in: "wer" of words, "per" of phones."""
        return "per" if self.tokenizer.unit == "phone" else "wer"

    @property
    def encoded_frame_s(self) -> float:
        """Seconds from one encoded frame to the next."""
        return self.frontend.frame_shift_ms * self.model.encoder.subsampling_factor / 1000.0

    @property
    def encoded_begin_s(self) -> float:
        """When the first encoded frame begins: a window of 25 ms every 10 ms speaks for the 10 ms in its middle."""
        return (self.frontend.first_centre_ms - self.frontend.frame_shift_ms / 2.0) / 1000.0

    @property
    def parameter_count(self) -> int:
        """Trainable and frozen parameters of front end and model."""
        return sum(p.numel() for part in (self.frontend, self.model) for p in part.parameters())

    @torch.inference_mode()
    def recognize(
        self,
        waveforms: Tensor,
        waveform_lengths: Tensor,
        ids: Sequence[str] = (),
        timestamps: bool = False,
        heard: Acoustics | None = None,
    ) -> list[list[Hypothesis]]:
        """The n-best hypotheses of each utterance, best first, with their text.

        Args:
            waveforms: (B, S) float32 at the frontend's sampling rate, on any device.
            waveform_lengths: (B,) int64, samples.
            ids: the utterances' names, for error messages.
            timestamps: whether the best hypotheses get the times of their words.
            heard: what `hear` makes of the waveforms, where that is known.

        Digital silence, all samples the same, has one empty hypothesis, whatever the search finds.
        """
        acoustics = heard or self.hear(waveforms, waveform_lengths)
        found = self.search(self.model.decoder, acoustics, ids)
        if timestamps:
            read = [(nbest[0].tokens, nbest[0].weights) for nbest in found]
            timed = self._timed(acoustics, waveform_lengths, read)
            found = [[replace(nbest[0], timed=one), *nbest[1:]] for nbest, one in zip(found, timed, strict=True)]
        nbests = [[replace(one, text=self.tokenizer.decode(one.tokens)) for one in nbest] for nbest in found]
        silent = _digital_silence(waveforms, waveform_lengths)
        return [[_empty(nbest[0])] if none else nbest for nbest, none in zip(nbests, silent, strict=True)]

    @torch.inference_mode()
    def align(
        self, waveforms: Tensor, waveform_lengths: Tensor, texts: Sequence[str], heard: Acoustics | None = None
    ) -> list[tuple[Word, ...] | None]:
        """When the words of given texts were said, by CTC; None where a text is too long for its audio.

        Args:
            waveforms: (B, S) float32 at the frontend's sampling rate.
            waveform_lengths: (B,) int64, samples.
            texts: after the transcript rule.
            heard: what `hear` makes of the waveforms, where that is known.

        Raises:
            UsageError: the model has no CTC head.
            LasasrError: a text holds what is outside the vocabulary.
        """
        acoustics = heard or self.hear(waveforms, waveform_lengths)
        required(acoustics)
        read = [(self.tokenizer.encode(text), None) for text in texts]
        return [one.get("ctc") for one in self._timed(acoustics, waveform_lengths, read)]

    @torch.inference_mode()
    def hear(self, waveforms: Tensor, waveform_lengths: Tensor, fixed: Encoded | None = None) -> Acoustics:
        """Waveforms (B, S) of so many samples, on any device, as a search needs them.

        Args:
            fixed: what the frozen part of the encoder gives of them, where that is kept.
        """
        device = next(self.parameters()).device
        if fixed is None:
            moved = host_mirror.to(waveforms, device), host_mirror.to(waveform_lengths, device)
            return self.acoustics(*self.encoder_input(*moved))
        values, lengths = (host_mirror.to(tensor, device) for tensor in fixed)
        return self.acoustics(values.float(), lengths)

    def encoder_input(
        self, waveforms: Tensor, waveform_lengths: Tensor, fixed: Encoded | None = None
    ) -> tuple[Tensor, Tensor]:
        """What SpecAugment masks and `encode` takes, and its lengths: features, or what a frozen first stage gives.

        Args:
            fixed: what that gives, where it is kept; waveforms are not looked at then.
        """
        encoder = self.model.encoder
        if not self.is_staged:
            features, frames = self.frontend(waveforms, waveform_lengths)
            return features, frames
        assert isinstance(encoder, StagedEncoder)
        if fixed is None:
            fixed = encoder.fixed(*self.frontend(waveforms, waveform_lengths))
        return fixed.encoded.float(), fixed.lengths

    def encode(self, values: Tensor, lengths: Tensor) -> Encoded:
        """Encode what `encoder_input` gave, augmented or not."""
        return self.model.encode(values, lengths, self.is_staged)

    def encode_with_intermediate(self, values: Tensor, lengths: Tensor) -> tuple[Encoded, list[Tensor]]:
        """The same with the outputs of intermediate layers (`Model.encode_with_intermediate`)."""
        return self.model.encode_with_intermediate(values, lengths, self.is_staged)

    @property
    def is_staged(self) -> bool:
        """Whether the encoder has a first stage that stays frozen."""
        return isinstance(self.model.encoder, StagedEncoder) and self.model.encoder.keeps

    @torch.inference_mode()
    def spectrogram(self, waveform: Tensor) -> Spectrogram:
        """What attention maps of waveform (S,) are drawn over: its features where they are a spectrum, else log-mel."""
        device = next(self.parameters()).device
        frontend: Frontend = self.frontend
        if not frontend.spectral:
            frontend = FbankFrontend(frontend.sample_rate_hz, bins=_PICTURE_BINS).to(device)
        features, _ = frontend(waveform[None].to(device), torch.tensor([len(waveform)], device=device))
        return Spectrogram(features[0].float().cpu(), frontend.frame_shift_ms / 1000.0)

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

    def acoustics(self, values: Tensor, frames: Tensor) -> Acoustics:
        """Encode what `encoder_input` gave into what a search needs."""
        encoded = self.encode(values, frames)
        mask = lengths.mask(encoded.lengths, encoded.encoded.shape[1])
        ctc = self.model.ctc_log_probs(encoded.encoded) if self.model.ctc is not None else None
        return Acoustics(encoded.encoded, mask, ctc)

    def transcribe(
        self,
        audio: Audio | Sequence[Audio],
        batch_s: float = 60.0,
        timestamps: bool = True,
        max_piece_s: float | None = None,
        sample_rate_hz: int | None = None,
    ) -> list[Hypothesis]:
        """The best hypothesis of each recording, in order; silence and steady noise have no text and the flag "empty".

        Audio longer than `max_piece_s` is cut into pieces (`audio/pauses.py`), which the hypothesis lists; such a file
        is read block by block.

        Args:
            audio: one, or a sequence, of paths (a folder stands for the audio files below it, sorted), binary file
                objects, arrays or tensors. Files have any format and rate. Samples are (S,) or (1, S), floating point
                in [-1, 1] or integers of 8, 16 or 32 bits.
            batch_s: seconds of padded audio decoded at once.
            timestamps: whether they carry the times of their words.
            max_piece_s: None: the longest utterance of training, where that is not known 30 s.
            sample_rate_hz: of arrays and tensors; None: `frontend.sample_rate_hz`.

        Raises:
            LasasrError: one is missing, unreadable, of another shape or type, empty or holds NaN; the message names it.
            UsageError: `max_piece_s` is below 1, or `sample_rate_hz` is wrong.
        """
        listed = inputs(audio, self.frontend.sample_rate_hz, sample_rate_hz)
        results = self.transcribe_inputs(listed, batch_s, timestamps, max_piece_s, strict=True)
        return [result for result in results if isinstance(result, Hypothesis)]

    def transcribe_inputs(
        self,
        audio: Sequence[Input],
        batch_s: float = 60.0,
        timestamps: bool = True,
        max_piece_s: float | None = None,
        strict: bool = False,
    ) -> list[Hypothesis | LasasrError]:
        """The same of `audio.inputs`, with the reason in the place of what could not be used.

        Raises:
            LasasrError: `strict`, and one cannot be used.
            UsageError: `max_piece_s` is below 1.
        """
        self.eval()
        known = self.trained_on or UNKNOWN
        lengths = known if max_piece_s is None else Lengths(min(known.usual_s, max_piece_s / 2.0), max_piece_s)
        rate = self.frontend.sample_rate_hz
        with shared_steps.loop():
            return transcription.transcribe(audio, rate, lengths, batch_s, timestamps, self._best, strict)

    def _best(self, waveforms: Sequence[Tensor], timestamps: bool) -> list[Hypothesis]:
        """The best hypothesis of each waveform (S,), all in one batch."""
        sizes = torch.tensor([len(one) for one in waveforms])
        found = self.recognize(pad_sequence(list(waveforms), batch_first=True), sizes, timestamps=timestamps)
        return [nbest[0] for nbest in found]

    def try_search(self, silence_s: float = 0.5) -> None:
        """Decode some silence, in evaluation mode: a search that does not fit the model is said now."""
        samples = int(silence_s * self.frontend.sample_rate_hz)
        self.eval().recognize(torch.zeros(1, samples), torch.tensor([samples]), ["silence"])

    def save(self, folder: Path) -> None:
        """Write the bundle: model.safetensors, config.yaml (plain values), the tokenizer's files, language models."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(folder)
        search = language_model.carried(self.parts.search, folder)
        known = {"normalizer": self.normalizer, "trained_on": self.trained_on and self.trained_on._asdict()}
        bundle.write(folder, self, SCHEMA, {**known, **self.parts.plain(), "search": search})

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> Recognizer:
        """Read a bundle; nothing in it is executed, and its `_target_`s must lie below the allowed prefixes.

        Raises:
            LasasrError: the folder is no bundle, or a file in it is damaged; the message names it.
        """
        folder = Path(folder)
        if kind_of(bundle.read_config(folder, SCHEMA, ())) is not Recognition:
            raise LasasrError(f"{folder} holds a language model, no recognizer: give it to a search as search.lm")
        config = bundle.read_config(folder, SCHEMA, (*PARTS, "normalizer"))
        parts = _parts(config, folder)
        header, tokenizer = bundle.read_header(folder), load_tokenizer(folder)
        bundle.refuse_huge(config, header, ("frontend", "listen", "attend", "spell", "search"))
        with bundle.explained(folder / bundle.CONFIG):
            elsewhere = factory.bytes_elsewhere(parts.listen)
        with bundle.building(header, elsewhere), initial_weights.read_later():
            frontend = factory.frontend(parts.frontend, parts.seed)
            model = factory.model(parts, frontend.output_dim, tokenizer.vocabulary_size)
        with bundle.explained(folder / bundle.CONFIG):
            search = language_model.search(parts.search, tokenizer)
        made = cls(frontend, model, tokenizer, search, parts, config["normalizer"])
        made.trained_on = _lengths(config.get("trained_on"), folder)
        bundle.read_weights(made, header)
        with bundle.explained(folder / bundle.CONFIG):
            made.try_search(TRIAL_S)
        return made.to(device).eval()


def _digital_silence(waveforms: Tensor, lengths: Tensor) -> list[bool]:
    """Of which of (B, S) all samples are the same."""
    padding = torch.arange(waveforms.shape[1], device=waveforms.device) >= lengths[:, None].to(waveforms.device)
    same: list[bool] = ((waveforms == waveforms[:, :1]) | padding).all(1).tolist()
    return same


def _empty(hypothesis: Hypothesis) -> Hypothesis:
    """The hypothesis of silence, with as much of the search's as an empty text can have."""
    weights = None if hypothesis.weights is None else hypothesis.weights[-1:]
    timed: dict[Kind, tuple[Word, ...]] = dict.fromkeys(hypothesis.timed, ())
    return Hypothesis((), 0.0, weights=weights, flags=("empty",), timed=timed)


def _parts(config: Plain, folder: Path) -> ModelParts:
    """What the recognizer of a bundle is built from.

    Raises:
        LasasrError: a part is null that the model needs, or a search names what is not in the bundle.
    """
    heads = _heads(config, folder)
    for name in ("frontend", "listen", "search", *(("attend", "spell") if heads.decoder else ())):
        if config[name] is None:
            raise LasasrError(f"{folder / bundle.CONFIG}: {name} is null, but the model needs it")
    parts = {name: config[name] for name in PARTS}
    return ModelParts(**{**parts, "search": language_model.in_bundle(config["search"], folder)}, heads=heads)


def _heads(config: Plain, folder: Path) -> Heads:
    """The heads of a bundle; those of 0.1.0 tell the loss in their place."""
    heads = config.get("heads")
    if heads is None and "loss" in config:
        return factory.loss(config["loss"], config["seed"]).heads
    needed = set(Heads._fields) - set(Heads._field_defaults)
    if (
        not isinstance(heads, dict)
        or not needed <= set(heads) <= set(Heads._fields)
        or set(map(type, heads.values())) != {bool}
    ):
        raise LasasrError(f"{folder / bundle.CONFIG}: heads must hold decoder and ctc, true or false, got {heads}")
    return Heads(**heads)


def _lengths(told: Any, folder: Path) -> Lengths | None:
    """What a bundle tells of its training utterances; those made before it was told do not."""
    try:
        if told is None:
            return None
        lengths = Lengths(float(told["usual_s"]), float(told["longest_s"])).checked()
        if not 0 <= lengths.usual_s <= lengths.longest_s <= DAY_S:
            raise ValueError("no utterance is so long")
        return lengths
    except (TypeError, KeyError, ValueError, UsageError):
        raise LasasrError(f"{folder / bundle.CONFIG}: trained_on must hold usual_s and longest_s, got {told}") from None

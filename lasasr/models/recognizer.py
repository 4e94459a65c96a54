"""Frontend, model, tokenizer and search as one object: waveform → Hypothesis; saved and loaded as one bundle."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lasasr.artifacts import bundle, delta, hub, run_paths
from lasasr.artifacts.bundle_config import SCHEMA as SCHEMA
from lasasr.audio.base import Frontend
from lasasr.audio.fbank_frontend import FbankFrontend
from lasasr.audio.inputs import Audio, Input, inputs
from lasasr.audio.pauses import Lengths
from lasasr.configuration.sections import Plain
from lasasr.configuration.settings import Recognition, kind_of
from lasasr.errors import LasasrError, UsageError
from lasasr.listen.base import Encoded, StagedEncoder
from lasasr.losses.base import Heads
from lasasr.metrics.confidence import Logistic
from lasasr.metrics.error_rates import Metric
from lasasr.models import adaptation, factory, language_model, transcription
from lasasr.models.adaptation import Adaptation
from lasasr.models.language_model import load_tokenizer
from lasasr.models.network import Model
from lasasr.models.parts import ModelParts
from lasasr.nn import frozen, host_mirror, initial_weights, lengths, shared_steps
from lasasr.search.acoustics import Acoustics
from lasasr.search.confidence import FEATURES, word_features
from lasasr.search.ctc_greedy import required
from lasasr.search.hypothesis import KINDS, Hypothesis, Kind, Word, with_confidence
from lasasr.search.rescoring import teacher_forced, token_scores
from lasasr.search.word_times import Clock, timed_words
from lasasr.text import transcript
from lasasr.text.base import Tokenizer

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
        self.calibration: Logistic | None = None  # of the confidence of words (`lasasr calibrate`)
        self.adaptation: Adaptation | None = None  # what was added to it, and the bundle that its own is a delta to

    @classmethod
    def build(cls, parts: ModelParts, tokenizer: Tokenizer, normalizer: str) -> Recognizer:
        """An untrained one, as configured."""
        frontend = factory.frontend(parts.frontend, parts.seed)
        model = factory.model(parts, frontend.output_dim, tokenizer.vocabulary_size)
        return cls(frontend, model, tokenizer, language_model.search(parts.search, tokenizer), parts, normalizer)

    def searching(self, search: Any) -> Recognizer:
        """The same parts under another search."""
        same = self.frontend, self.model, self.tokenizer
        recognizer = Recognizer(*same, search, self.parts, self.normalizer, self.trained_on)
        recognizer.calibration, recognizer.adaptation = self.calibration, self.adaptation
        return recognizer

    def train(self, mode: bool = True) -> Recognizer:
        """As of any module, but for parts of which nothing is trained: they stay in evaluation mode."""
        super().train(mode)
        frozen.settle(self)
        return self

    def merge(self) -> None:
        """Fold in what an adaptation added, as far as that can be; its bundle then holds all weights."""
        if self.adaptation is not None:
            self.adaptation = adaptation.merged(self, self.adaptation)

    def with_search(self, **changes: Any) -> Recognizer:
        """The same model under its search with other options: `with_search(beam=20, nbest=5)`.

        Raises:
            UsageError: the search has no such option; another search is built of its own class (`searching`).
        """
        part = _merged(self.parts.search, changes)
        changed = self.searching(language_model.search(part, self.tokenizer))
        changed.parts = replace(self.parts, search=part)
        changed.try_search()
        return changed

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
        acoustics: Acoustics | None = None,
    ) -> list[list[Hypothesis]]:
        """The n-best hypotheses of each utterance, best first, with their text.

        Args:
            waveforms: (B, S) float32 at the frontend's sampling rate, on any device.
            waveform_lengths: (B,) int64, samples.
            ids: the utterances' names, for error messages.
            timestamps: whether the best hypotheses get the times of their words.
            acoustics: what `encode_waveforms` makes of the waveforms, where that is known.

        Digital silence, all samples the same, has one empty hypothesis, whatever the search finds.
        """
        acoustics = acoustics or self.encode_waveforms(waveforms, waveform_lengths)
        nbests = self.search(self.model.decoder, acoustics, ids)
        if timestamps:
            read = [(nbest[0].tokens, nbest[0].weights) for nbest in nbests]
            timed = self._timed(acoustics, waveform_lengths, read)
            nbests = [[replace(nbest[0], timed=times), *nbest[1:]] for nbest, times in zip(nbests, timed, strict=True)]
        nbests = [
            [replace(hypothesis, text=self.tokenizer.decode(hypothesis.tokens)) for hypothesis in nbest]
            for nbest in nbests
        ]
        if timestamps and self.calibration is not None:
            rows = zip(nbests, self.word_features(acoustics, nbests), strict=True)
            nbests = [
                [with_confidence(nbest[0], [self.calibration(word) for word in words]), *nbest[1:]]
                for nbest, words in rows
            ]
        silent = _digital_silence(waveforms, waveform_lengths)
        return [[_empty(nbest[0])] if none else nbest for nbest, none in zip(nbests, silent, strict=True)]

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

    @torch.inference_mode()
    def encode_waveforms(self, waveforms: Tensor, waveform_lengths: Tensor, fixed: Encoded | None = None) -> Acoustics:
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

    def align(self, audio: Audio, text: str, sample_rate_hz: int | None = None) -> tuple[Word, ...]:
        """When the words of `text` were said in one recording: by attention and CTC, or what the model has of them.

        Args:
            audio: a path, a binary file object, an array or a tensor, as of `transcribe`; it is not cut.
            text: what was said; it passes through the transcript rule of training (lower case, ...).
            sample_rate_hz: of an array or tensor; None: `frontend.sample_rate_hz`.

        Raises:
            LasasrError: the audio cannot be used, the text holds what is outside the vocabulary, or is longer than
                the audio can hold.
        """
        (entry,) = inputs(audio, self.frontend.sample_rate_hz, sample_rate_hz)
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
        if best is None:
            raise LasasrError(f"{entry.name} has too few frames for a text of {len(tokens)} tokens")
        return best

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
        return self._strict(listed, batch_s, timestamps, max_piece_s)

    def _strict(
        self, audio: Sequence[Input], batch_s: float, timestamps: bool, max_piece_s: float | None
    ) -> list[Hypothesis]:
        for entry in audio:  # a file that is missing is said before work on others begins
            entry.duration_s()
        hypotheses = []
        for result in self.stream(audio, batch_s, timestamps, max_piece_s):
            if isinstance(result, LasasrError):
                raise result
            hypotheses.append(result)
        return hypotheses

    def transcribe_inputs(
        self,
        audio: Sequence[Input],
        batch_s: float = 60.0,
        timestamps: bool = True,
        max_piece_s: float | None = None,
    ) -> list[Hypothesis | LasasrError]:
        """The same of `audio.inputs`, with the reason in the place of what could not be used.

        Raises:
            UsageError: `max_piece_s` is below 1.
        """
        return list(self.stream(audio, batch_s, timestamps, max_piece_s))

    def stream(
        self,
        audio: Iterable[Input],
        batch_s: float = 60.0,
        timestamps: bool = True,
        max_piece_s: float | None = None,
    ) -> Iterator[Hypothesis | LasasrError]:
        """The same one by one, in order, each as soon as it is there; arguments as of `transcribe`.

        Raises:
            UsageError: `max_piece_s` is below 1, or `batch_s` not positive.
        """
        self.eval()
        usual = self.trained_on or UNKNOWN
        lengths = usual if max_piece_s is None else Lengths(min(usual.usual_s, max_piece_s / 2.0), max_piece_s)
        rate_hz = self.frontend.sample_rate_hz
        return transcription.stream(audio, rate_hz, lengths, batch_s, timestamps, self._best)

    def _best(self, waveforms: Sequence[Tensor], timestamps: bool) -> list[Hypothesis]:
        """The best hypothesis of each waveform (S,), all in one batch, with its alternatives."""
        sizes = torch.tensor([len(waveform) for waveform in waveforms])
        with shared_steps.loop():
            nbests = self.recognize(pad_sequence(list(waveforms), batch_first=True), sizes, timestamps=timestamps)
        return [replace(nbest[0], alternatives=tuple(nbest[1:])) for nbest in nbests]

    def try_search(self, silence_s: float = 0.5) -> None:
        """Decode some silence, in evaluation mode: a search that does not fit the model is said now."""
        samples = int(silence_s * self.frontend.sample_rate_hz)
        self.eval().recognize(torch.zeros(1, samples), torch.tensor([samples]), ["silence"])

    def save(self, folder: Path) -> None:
        """Write the bundle: model.safetensors, config.yaml (plain values), the tokenizer's files, language models.

        Of a recognizer that is a delta to a base: adapter.safetensors in the place of model.safetensors.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(folder)
        search = language_model.carried(self.parts.search, folder)
        metadata = {"normalizer": self.normalizer, "trained_on": self.trained_on and self.trained_on._asdict()}
        if self.calibration is not None:
            metadata["confidence"] = self.calibration._asdict()
        plain = {**metadata, **self.parts.plain(), "search": search}
        if self.adaptation is not None:
            plain |= self.adaptation.plain()
        if self.adaptation is None or self.adaptation.base is None:
            bundle.write(folder, self, SCHEMA, plain)
        else:
            delta.write(folder, self, SCHEMA, plain, self.adaptation.base)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        revision: str | None = None,
        device: str = "cpu",
        local_files_only: bool = False,
    ) -> Recognizer:
        """Read a recognizer from the Hugging Face hub ("user/model"), or from a folder, a run or a bundle, as `load`.

        Nothing that comes with it is executed; what `SHA256SUMS` lists is compared with it.

        Args:
            revision: of the hub: a branch, tag or commit.
            local_files_only: what was downloaded before is read, and nothing else.

        Raises:
            LasasrError: there is none, it is not a bundle, or a file has another digest.
        """
        folder = hub.fetch(str(name), revision, local_files_only)
        hub.check_digests(folder)
        return cls.load(folder, device)

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu", base: str | Path | None = None) -> Recognizer:
        """Read a bundle, or that of a run; nothing in it is executed, and its classes must be allowed (docs/trust.md).

        Args:
            base: of a bundle that is a delta, the bundle or run that it is one to; None: the one that it names.

        Raises:
            LasasrError: the folder is no bundle, or a file in it is damaged; the message names it.
        """
        folder = Path(folder)
        if (folder / "card.json").exists():
            folder = run_paths.bundle_folder(folder)
        if kind_of(bundle.read_config(folder, SCHEMA, ())) is not Recognition:
            raise LasasrError(f"{folder} holds a language model, no recognizer: give it to a search as search.lm")
        config = bundle.read_config(folder, SCHEMA, (*PARTS, "normalizer"))
        parts = _parts(config, folder)
        adapted = adaptation.read(config, folder, None if base is None else run_paths.bundle_folder(base))
        deltas_base = None if adapted is None else adapted.base
        header = bundle.read_header(folder) if deltas_base is None else delta.read_header(folder, deltas_base)
        tokenizer = load_tokenizer(folder)
        described = (*("frontend", "listen", "attend", "spell", "search"), *([adaptation.KEY] if adapted else []))
        bundle.refuse_huge(config, header, [name for name in described if name in config])
        with bundle.explained(folder / bundle.CONFIG):
            elsewhere = factory.bytes_elsewhere(parts.listen)
        with bundle.building(header, elsewhere), initial_weights.read_later():
            frontend = factory.frontend(parts.frontend, parts.seed)
            model = factory.model(parts, frontend.output_dim, tokenizer.vocabulary_size)
        with bundle.explained(folder / bundle.CONFIG):
            search = language_model.search(parts.search, tokenizer)
        recognizer = cls(frontend, model, tokenizer, search, parts, config["normalizer"])
        if adapted is not None:
            recognizer.adaptation = adapted
            with bundle.building(header, elsewhere):
                adaptation.add_weights(recognizer, adapted.methods, parts.seed)
        recognizer.trained_on = _lengths(config.get("trained_on"), folder)
        recognizer.calibration = _calibration(config.get("confidence"), folder)
        bundle.read_weights(recognizer, header)
        with bundle.explained(folder / bundle.CONFIG):
            recognizer.try_search(TRIAL_S)
        return recognizer.to(device).eval()


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


def _merged(part: Plain, changes: Plain) -> dict[str, Any]:
    """A part with some options changed, those of parts in it too (`limits={"max_length": 9}`)."""
    merged = dict(part)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(value, dict) and isinstance(inner, dict) else value
    return merged


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


def _calibration(stored: Any, folder: Path) -> Logistic | None:
    """What a bundle says of the confidence of words."""
    if stored is None:
        return None
    values = [stored.get("bias"), *(stored.get("weights") or {}).values()] if isinstance(stored, dict) else [None]
    numbers = all(isinstance(value, float) and math.isfinite(value) for value in values)
    if not numbers or set(stored) != {"bias", "weights"} or not set(stored["weights"]) <= set(FEATURES):
        raise LasasrError(
            f"{folder / bundle.CONFIG}: confidence must hold bias and weights of {', '.join(FEATURES)}, numbers"
        )
    return Logistic(stored["bias"], dict(stored["weights"]))


def _lengths(stored: Any, folder: Path) -> Lengths | None:
    """What a bundle tells of its training utterances; those made before it was told do not."""
    try:
        if stored is None:
            return None
        lengths = Lengths(float(stored["usual_s"]), float(stored["longest_s"])).checked()
        if not 0 <= lengths.usual_s <= lengths.longest_s <= DAY_S:
            raise ValueError("no utterance is so long")
        return lengths
    except (TypeError, KeyError, ValueError, UsageError):
        raise LasasrError(
            f"{folder / bundle.CONFIG}: trained_on must hold usual_s and longest_s, got {stored}"
        ) from None

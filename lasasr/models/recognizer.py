"""Frontend, model, tokenizer and search as one object: waveform → Hypothesis; saved and loaded as one bundle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lasasr.artifacts import bundle, hub
from lasasr.audio.base import Frontend
from lasasr.audio.inputs import Audio, Input, inputs
from lasasr.audio.pauses import Lengths
from lasasr.audio.silence import digital_silence
from lasasr.configuration.sections import Plain
from lasasr.errors import LasasrError
from lasasr.metrics.confidence import Logistic
from lasasr.metrics.error_rates import Metric
from lasasr.metrics.triage import EMPTY
from lasasr.models import adaptation, encoder_parts, factory, language_model, recognizer_bundle, transcription
from lasasr.models.adaptation import Adaptation
from lasasr.models.aligner import Aligner
from lasasr.models.network import Model
from lasasr.models.parts import ModelParts
from lasasr.models.recognizer_bundle import Contents
from lasasr.nn import devices, initial_weights, shared_steps
from lasasr.search.acoustics import Acoustics
from lasasr.search.hypothesis import Hypothesis, Kind, Word, with_confidence
from lasasr.text.base import Tokenizer

UNKNOWN = Lengths(usual_s=10.0, longest_s=30.0)  # of utterances, where a bundle does not tell
TRIAL_S = 0.1  # of silence, decoded when a bundle is read: half a second would take longer than all else


class Recognizer(Aligner):
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
        super().__init__(frontend, model, tokenizer, normalizer)
        self.search, self.parts, self.trained_on = search, parts, trained_on
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
            [_worded(hypothesis, self.tokenizer.decode(hypothesis.tokens)) for hypothesis in nbest] for nbest in nbests
        ]
        if timestamps and self.calibration is not None:
            rows = zip(nbests, self.word_features(acoustics, nbests), strict=True)
            nbests = [
                [with_confidence(nbest[0], [self.calibration(word) for word in words]), *nbest[1:]]
                for nbest, words in rows
            ]
        silent = digital_silence(waveforms, waveform_lengths)
        return [[_empty(nbest[0])] if none else nbest for nbest, none in zip(nbests, silent, strict=True)]

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
        """Write the bundle (`recognizer_bundle.write`)."""
        contents = Contents(
            self.parts, self.tokenizer, self.normalizer, self.trained_on, self.calibration, self.adaptation
        )
        recognizer_bundle.write(folder, self, contents)

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
            UsageError: `device` is no device's name.
            LasasrError: there is none, it is not a bundle, or a file has another digest; `device` cannot be used here.
        """
        device = devices.usable(device)  # before a download
        folder = hub.fetch(str(name), revision, local_files_only)
        hub.check_digests(folder)
        return cls.load(folder, device)

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu", base: str | Path | None = None) -> Recognizer:
        """Read a bundle, or that of a run; nothing in it is executed, and its classes must be allowed (docs/trust.md).

        Args:
            device: to compute on: cpu, cuda, cuda:1, or auto for cuda where there is one.
            base: of a bundle that is a delta, the bundle or run that it is one to; None: the one that it names.

        Raises:
            UsageError: `device` is no device's name.
            LasasrError: the folder is no bundle, or a file in it is damaged; the message names it. Or `device` cannot
                be used here; the message says which can.
        """
        device = devices.usable(device)
        contents, header = recognizer_bundle.read(Path(folder), base)
        config = header.path.with_name(bundle.CONFIG)
        parts, tokenizer = contents.parts, contents.tokenizer
        with bundle.explained(config):
            elsewhere = encoder_parts.bytes_elsewhere(parts.listen)
        with bundle.building(header, elsewhere), initial_weights.read_later():
            frontend = factory.frontend(parts.frontend, parts.seed)
            model = factory.model(parts, frontend.output_dim, tokenizer.vocabulary_size)
        with bundle.explained(config):
            search = language_model.search(parts.search, tokenizer)
        recognizer = cls(frontend, model, tokenizer, search, parts, contents.normalizer, contents.trained_on)
        recognizer.calibration, recognizer.adaptation = contents.calibration, contents.adaptation
        if contents.adaptation is not None:
            with bundle.building(header, elsewhere):
                adaptation.add_weights(recognizer, contents.adaptation.methods, parts.seed)
        bundle.read_weights(recognizer, header)
        with bundle.explained(config):
            recognizer.try_search(TRIAL_S)
        return recognizer.to(device).eval()


def _worded(hypothesis: Hypothesis, text: str) -> Hypothesis:
    """The hypothesis with its text; one of spaces alone is as empty as one without a token."""
    unsaid = not text.split() and EMPTY not in hypothesis.flags
    return replace(hypothesis, text=text, flags=(*hypothesis.flags, EMPTY) if unsaid else hypothesis.flags)


def _empty(hypothesis: Hypothesis) -> Hypothesis:
    """The hypothesis of silence, with as much of the search's as an empty text can have."""
    weights = None if hypothesis.weights is None else hypothesis.weights[-1:]
    timed: dict[Kind, tuple[Word, ...]] = dict.fromkeys(hypothesis.timed, ())
    return Hypothesis((), 0.0, weights=weights, flags=(EMPTY,), timed=timed)


def _merged(part: Plain, changes: Plain) -> dict[str, Any]:
    """A part with some options changed, those of parts in it too (`limits={"max_length": 9}`)."""
    merged = dict(part)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(value, dict) and isinstance(inner, dict) else value
    return merged

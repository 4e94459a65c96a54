"""A recognizer of ONNX graphs: a waveform becomes text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.errors import LasasrError, looked_up
from lasasr.onnx import folder as files
from lasasr.onnx import options, search
from lasasr.onnx.ctc import best_path
from lasasr.onnx.silence import without_silent_ends

SPACE = "▁"


class Reading(NamedTuple):
    """What was recognized."""

    text: str
    tokens: list[int]
    score: float  # log


class OnnxRecognizer:
    """The graphs of a folder that `lasasr export RUN --onnx --out DIR` wrote.

    Args:
        folder: with encoder.onnx, perhaps step.onnx and ctc.onnx, tokens.txt and metadata.json.
        threads: of each operation.
        search: other options of the search (`{"beam": 20}`; `{"kind": "greedy"}`).

    Raises:
        LasasrError: a file is missing, damaged or of another version, or onnxruntime is not installed.
        UsageError: the search has no such option, or not with that value; `threads` is no count.
    """

    def __init__(self, folder: str | Path, threads: int = 1, search: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(folder)
        metadata = files.metadata(self.folder)
        self.names = files.tokens(self.folder)
        self.features = files.features(self.folder, metadata["frontend"])
        self.unit, self._memory, self._state = metadata["unit"], metadata["memory"], metadata["state"]
        self.options = options.merged(metadata["search"], search or {}, self.folder, has_decoder=bool(self._state))
        self._encoder = files.session(self.folder / files.ENCODER, threads)
        self._step = files.session(self.folder / files.STEP, threads) if self._state else None
        wanted = options.needs_ctc(self.options, has_decoder=self._step is not None)
        self._ctc = files.session(self.folder / files.CTC, threads) if wanted else None
        for graph in filter(None, (self._step, self._ctc)):
            files.check_vocabulary(self.folder, self.names, graph)

    @classmethod
    def load(cls, folder: str | Path, threads: int = 1, search: Mapping[str, Any] | None = None) -> OnnxRecognizer:
        """See the class."""
        return cls(folder, threads, search)

    def transcribe(self, audio: str | Path | NDArray[Any]) -> Reading:
        """Recognize one recording: a file that soundfile reads, or a waveform (S,), at the model's sampling rate.

        Raises:
            LasasrError: its rate is another one, it cannot be read, or it is no waveform.
        """
        waveform = self._waveform(audio)
        if not len(waveform) or bool((waveform == waveform[0]).all()):
            return Reading("", [], 0.0)  # digital silence
        spoken = without_silent_ends(waveform, self.features.sample_rate_hz)
        return self.decode(self.features(spoken.astype(np.float32)))

    def decode(self, features: NDArray[np.float32]) -> Reading:
        """Recognize features (T, F)."""
        feed = {"features": features[None], "lengths": np.array([len(features)])}
        names = ["encoded", "encoded_lengths", *self._memory, *self._state]
        heard = dict(zip(names, self._encoder.run(names, feed), strict=True))
        frames = int(heard["encoded_lengths"][0])
        ctc = None if self._ctc is None else self._ctc.run(None, {"encoded": heard["encoded"]})[0][0, :frames]
        found = self._search(heard, ctc, frames)
        return Reading(self._text(found.tokens), found.tokens, found.score)

    def _search(self, heard: dict[str, Any], ctc: Any, frames: int) -> search.Found:
        kind = self.options["kind"]
        if kind == options.CTC_GREEDY or (kind == options.GREEDY and self._step is None):
            return search.Found(*best_path(ctc))
        memory = {name: heard[name] for name in self._memory}
        state = [heard[name] for name in self._state]

        def step(tokens: search.Ints, state: search.Leaves) -> tuple[search.Floats, search.Leaves]:
            assert self._step is not None
            feed = {**memory, **dict(zip(self._state, state, strict=True)), "tokens": tokens[None]}
            taken = {given.name for given in self._step.get_inputs()}  # tracing leaves out what a step does not read
            logits, _, *after = self._step.run(None, {name: value for name, value in feed.items() if name in taken})
            return logits[0], after

        if kind == options.GREEDY:
            return search.greedy(step, state, frames, self.options)
        return search.beam(step if self._step else None, state, ctc, frames, self.options)

    def _text(self, tokens: list[int]) -> str:
        names = [self.names[token] for token in tokens]
        return " ".join(names) if self.unit == "phone" else " ".join("".join(names).replace(SPACE, " ").split())

    def _waveform(self, audio: str | Path | NDArray[Any]) -> NDArray[Any]:
        """(S,), finite."""
        if isinstance(audio, str | Path):
            waveform, name = self._read(Path(audio)), str(audio)
        elif isinstance(audio, np.ndarray):
            waveform, name = audio, "the waveform"
        else:
            raise LasasrError(f"one path or one array (S,) is transcribed at a time, not a {type(audio).__name__}")
        if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
            raise LasasrError(f"{name} has shape {waveform.shape} of {waveform.dtype}; give (S,) floats in [-1, 1]")
        if not np.isfinite(waveform).all():
            raise LasasrError(f"{name} holds NaN or infinite samples; remove or repair it")
        return waveform

    def _read(self, path: Path) -> NDArray[np.float32]:
        import soundfile

        if not path.is_file():
            raise LasasrError(f"{path} is missing, or no file{looked_up(path)}")
        try:
            samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        except Exception as error:  # of libsndfile
            raise LasasrError(f"{path} cannot be read as audio ({' '.join(str(error).split())})") from None
        if rate_hz != self.features.sample_rate_hz:
            raise LasasrError(f"{path} has {rate_hz} Hz, the model {self.features.sample_rate_hz}: convert it first")
        return np.asarray(samples.mean(1))
